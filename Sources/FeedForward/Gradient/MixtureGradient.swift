internal import CKernels
internal import Glibc

// The vector–Jacobian product of a mixture. With g = ∂L/∂y, w the weights of a row's routes and E the experts, s the
// share of the shared expert S, t its logit and l the router's:
//
//   ∂L/∂w_k     = g·E_k(x),  ∂L/∂l by RoutingGradient
//   ∂L/∂t       = (g·S(x))·s·(1 − s)
//   ∂L/∂x       = Σ_k E_kᵀ(x; w_k·g) + Sᵀ(x; s·g) + ∂L/∂t·W_s + ∂L/∂l·W_r, where Eᵀ(x; g) is an expert's product with g
//   ∂L/∂W_E     = the expert's gradients for w_k·g, summed over the rows that chose it; of the shared one for s·g
//   ∂L/∂W_r     = ∂L/∂lᵀ·x,  ∂L/∂W_s = ∂L/∂tᵀ·x;  a bias's is the sum over the rows
//
// The sum for x has one order: the experts by ascending index, the shared one, its gate, the router.
//
// Unsafe pointers: those of MixtureGradientRows, and the workspace's, which `reserve` has made long enough for a chunk.
extension MixtureLayer {
  /// Routes a batch of rows, applies those of their experts that are here, and differentiates there. The choice of the
  /// experts is taken as it is.
  ///
  /// A row of ``MixtureGradientRows/gradInput`` has the same bits whatever rows are computed beside it, and one of
  /// ``MixtureGradientRows/output`` those of the forward pass. The gradients of weights are sums over the rows, in
  /// chunks and in their order.
  ///
  /// - Parameters:
  ///   - workspace: scratch of the calling worker; grows to what a chunk of rows needs.
  ///   - team: threads that may help where an expert's share is large enough to gain by it.
  /// - Throws: ``LayerError/outOfMemory(bytes:)`` where the first gradient finds no memory for transposed weights.
  package func gradient(_ rows: MixtureGradientRows, workspace: Workspace, team: Team? = nil) throws(LayerError) {
    let choices = rows.chosen?.choices ?? topK
    workspace.reserve(for: self, rows: rows.count, routesOfRow: choices)
    workspace.mixtureGradient.reserve(
      for: self, rows: min(rows.count, Self.chunkRows), routesOfRow: choices)
    // The router's backward product has a term for each expert.
    workspace.reserve(terms: count, rows: rows.weights == nil ? rows.count : Workspace.chunkRows)
    let backward = try routerBackward()
    var visited = Array(repeating: false, count: experts.count)
    for first in stride(from: 0, to: rows.count, by: Self.chunkRows) {
      let chunk = rows.chunk(from: first, count: min(Self.chunkRows, rows.count - first), of: self)
      var pass = MixtureBackwardPass(
        mixture: self, rows: chunk, choices: choices, isFirst: first == 0, workspace: workspace, team: team)
      try pass.differentiateExperts(&visited)
      guard rows.chosen == nil else { continue }
      if let shared { try pass.differentiate(shared: shared, gate: backward.sharedGate) }
      pass.addOutputBias()
      pass.differentiateRouter(backward.router)
    }
    guard let weights = rows.weights else { return }
    for (place, expert) in experts.enumerated() where !visited[place] { weights.experts[place].clear(of: expert) }
  }
}

/// The weights of a mixture's projections transposed, made for its first gradient.
struct RouterBackward: Sendable {
  let router: Projection
  let sharedGate: Projection?

  var byteCount: Int { router.byteCount + (sharedGate?.byteCount ?? 0) }
}

/// The backward pass of one chunk of rows.
private struct MixtureBackwardPass {
  let mixture: MixtureLayer
  let rows: MixtureGradientRows
  /// Routes of a row.
  let choices: Int
  /// Whether it is the first chunk, whose gradients of weights are set; those of others are added.
  let isFirst: Bool
  let workspace: Workspace
  let team: Team?

  private var scratch: MixtureGradientScratch { workspace.mixtureGradient }

  /// - Parameter visited: which experts a row went to already.
  mutating func differentiateExperts(_ visited: inout [Bool]) throws(LayerError) {
    let (dIn, dOut) = (mixture.dIn, mixture.dOut)
    if let chosen = rows.chosen {
      workspace.routes.take(chosen, rows: rows.count)
    } else {
      mixture.route(rows.input, rows.count, workspace)
      workspace.routes.copy(rows: rows.count, topK: mixture.topK, experts: mixture.count, to: rows.routes)
    }
    let table = workspace.routes
    table.group(routes: rows.count * choices)
    rows.output.update(repeating: 0, count: rows.count * dOut)
    rows.gradInput.update(repeating: 0, count: rows.count * dIn)
    scratch.routes.update(repeating: 0, count: rows.count * choices)
    for (place, expert) in mixture.experts.enumerated() {
      let routes = table.routes(of: mixture.held[place])
      for first in stride(from: 0, to: routes.count, by: Workspace.chunkRows) {
        let routes = UnsafeBufferPointer(rebasing: routes[first..<min(routes.count, first + Workspace.chunkRows)])
        for (place, route) in routes.enumerated() {
          let row = Int(route) / choices
          (table.gathered + place * dIn).update(from: rows.input + row * dIn, count: dIn)
          scale(rows.gradOutput + row * dOut, by: table.weights[Int(route)], to: scratch.gradOutput + place * dOut)
        }
        try expert.gradient(
          GradientRows(
            input: table.gathered, gradOutput: scratch.gradOutput, count: routes.count, output: table.returned,
            gradInput: scratch.gradInput, weights: rows.weights?.experts[place], addsToWeights: visited[place]),
          workspace: workspace, team: team)
        visited[place] = true
        for (place, route) in routes.enumerated() {
          let row = Int(route) / choices
          let returned = table.returned + place * dOut
          scratch.routes[Int(route)] = Float(dot(rows.gradOutput + row * dOut, returned, dOut))
          MixtureLayer.add(returned, times: table.weights[Int(route)], to: rows.output + row * dOut, count: dOut)
          MixtureLayer.add(scratch.gradInput + place * dIn, times: 1, to: rows.gradInput + row * dIn, count: dIn)
        }
      }
    }
    rows.chosen?.gradWeights?.update(from: scratch.routes, count: rows.count * choices)
  }

  func differentiate(shared: FeedForwardLayer, gate: Projection?) throws(LayerError) {
    let (dIn, dOut, table) = (mixture.dIn, mixture.dOut, workspace.routes)
    for (first, count) in chunks {
      let (input, upstream) = (rows.input + first * dIn, rows.gradOutput + first * dOut)
      mixture.sharedGate?.apply(to: input, rows: count, output: table.shares, workspace: workspace)
      for row in 0..<count {
        let share = mixture.sharedGate == nil ? 1 : MixtureLayer.share(ofLogit: table.shares[row])
        scale(upstream + row * dOut, by: share, to: scratch.gradOutput + row * dOut)
      }
      try shared.gradient(
        GradientRows(
          input: input, gradOutput: scratch.gradOutput, count: count, output: table.returned,
          gradInput: scratch.gradInput, weights: rows.weights?.shared, addsToWeights: !isFirst || first > 0),
        workspace: workspace, team: team)
      for row in 0..<count {
        let returned = table.returned + row * dOut
        let logit = table.shares[row]
        let share = mixture.sharedGate == nil ? 1 : MixtureLayer.share(ofLogit: logit)
        MixtureLayer.add(returned, times: share, to: rows.output + (first + row) * dOut, count: dOut)
        MixtureLayer.add(
          scratch.gradInput + row * dIn, times: 1, to: rows.gradInput + (first + row) * dIn, count: dIn)
        if mixture.sharedGate != nil {
          let slope = 1 / (1 + exp(-Double(logit))) / (1 + exp(Double(logit)))
          scratch.shares[row] = Float(dot(upstream + row * dOut, returned, dOut) * slope)
        }
      }
      guard let gate else { continue }
      addProduct(of: scratch.shares, with: gate, first, count)
      guard let target = rows.weights?.sharedGate else { continue }
      let products = products(first, count, columns: dIn)
      products.pack(input, columns: dIn)
      products.multiply(
        WeightProducts.Columns(base: scratch.shares, count: 1, layout: .rows(of: 1)), columns: dIn, into: target)
    }
  }

  func addOutputBias() {
    guard let bias = mixture.outputBias else { return }
    let dOut = mixture.dOut
    for row in 0..<rows.count { MixtureLayer.add(bias.base, times: 1, to: rows.output + row * dOut, count: dOut) }
    guard let target = rows.weights?.outputBias else { return }
    for (first, count) in chunks {
      products(first, count, columns: dOut).sum(
        WeightProducts.Columns(base: rows.gradOutput + first * dOut, count: dOut, layout: .rows(of: dOut)), into: target
      )
    }
  }

  func differentiateRouter(_ backward: Projection) {
    let (experts, dIn, table) = (mixture.count, mixture.dIn, workspace.routes)
    let routing = RoutingGradient(
      routing: mixture.routing, experts: experts, topK: choices, scratch: scratch.rowScratch)
    for row in 0..<rows.count {
      routing.differentiate(
        at: table.logits + row * experts, table.indices + row * choices, scratch.routes + row * choices,
        into: scratch.logits + row * experts)
    }
    for (first, count) in chunks {
      let logits = scratch.logits + first * experts
      addProduct(of: logits, with: backward, first, count)
      let columns = WeightProducts.Columns(base: logits, count: experts, layout: .rows(of: experts))
      let products = products(first, count, columns: max(dIn, experts))
      if let router = rows.weights?.router {
        products.pack(rows.input + first * dIn, columns: dIn)
        products.multiply(columns, columns: dIn, into: router)
      }
      if let bias = rows.weights?.routerBias { products.sum(columns, into: bias) }
    }
  }

  /// The chunk's rows, as many at a time as a layer takes.
  private var chunks: [(first: Int, count: Int)] {
    stride(from: 0, to: rows.count, by: Workspace.chunkRows).map {
      (first: $0, count: min(Workspace.chunkRows, rows.count - $0))
    }
  }

  /// `gradInput += gradients·W` for rows of the chunk, by a projection's transposed weights.
  private func addProduct(of gradients: UnsafePointer<Float>, with backward: Projection, _ first: Int, _ count: Int) {
    backward.apply(to: gradients, rows: count, output: scratch.gradInput, workspace: workspace)
    MixtureLayer.add(
      scratch.gradInput, times: 1, to: rows.gradInput + first * mixture.dIn, count: count * mixture.dIn)
  }

  /// For gradients of weights from `count` rows of the chunk.
  private func products(_ first: Int, _ count: Int, columns: Int) -> WeightProducts {
    if rows.weights != nil { workspace.gradient.reserve(columns: columns, rows: count) }
    return WeightProducts(
      rows: count, isFirst: isFirst && first == 0, scratch: workspace.gradient,
      functions: mixture.kernels.functions(of: .f32), helpers: nil, totals: workspace.totals!.base)
  }

  private func scale(_ row: UnsafePointer<Float>, by weight: Float, to scaled: UnsafeMutablePointer<Float>) {
    for i in 0..<mixture.dOut { scaled[i] = weight * row[i] }
  }

  /// In float64, from the first term on.
  private func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int) -> Double {
    var sum = 0.0
    for i in 0..<count { sum += Double(a[i]) * Double(b[i]) }
    return sum
  }
}

extension WeightGradientOutputs {
  /// The gradients of an expert that no row went to.
  fileprivate func clear(of layer: FeedForwardLayer) {
    let (dIn, dFF, dOut) = (layer.dIn, layer.dFF, layer.dOut)
    gateProj.update(repeating: 0, count: dFF * dIn)
    upProj.update(repeating: 0, count: dFF * dIn)
    downProj?.update(repeating: 0, count: dOut * dFF)
    gateBias?.update(repeating: 0, count: dFF)
    upBias?.update(repeating: 0, count: dFF)
    downBias?.update(repeating: 0, count: dOut)
  }
}

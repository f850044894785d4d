internal import CKernels
internal import Glibc
internal import Synchronization

/// A mixture of experts, packed and ready to be applied: ``MixtureWeights`` says what it computes.
///
/// The rows of a batch are grouped by expert, so that an expert's weights are streamed once for all rows that chose it.
/// A row's sum runs over its experts in ascending order of their indices, then come the shared expert and the bias;
/// each term is rounded before it is added. Together with the layers' own promise, the same row therefore gives the
/// same bits whatever batch it is part of.
package final class MixtureLayer: Sendable {
  package let routing: Routing
  package let topK: Int
  /// How many experts the router chooses from.
  package let count: Int
  /// Those that are here, by ascending index.
  package let experts: [FeedForwardLayer]
  /// Their indices.
  package let held: [Int]
  private let isHeld: [Bool]
  package let shared: FeedForwardLayer?
  package let hasRouterBias: Bool
  private let router: Projection
  private let correction: AlignedFloats?
  let sharedGate: Projection?
  let outputBias: AlignedFloats?
  /// Made for the first gradient, kept as long as the mixture.
  private let backward = Mutex<RouterBackward?>(nil)

  var kernels: Kernels { experts[0].kernels }
  package var gate: Gate { experts[0].gate }
  /// Inputs of a row.
  package var dIn: Int { experts[0].dIn }
  /// Width of an expert's gate.
  package var dFF: Int { experts[0].dFF }
  /// Outputs of a row.
  package var dOut: Int { experts[0].dOut }
  /// Whether every expert that the router may choose is here.
  package var isWhole: Bool { held.count == count }

  /// Whether an expert is here; one that is not adds nothing to a row's sum.
  package func holds(_ expert: Int) -> Bool { isHeld[expert] }
  package var hasSharedGate: Bool { sharedGate != nil }
  package var hasOutputBias: Bool { outputBias != nil }

  /// Bytes of the packed weights, which stay resident as long as the mixture does; from the first gradient on with
  /// those of the transposed ones.
  package var residentBytes: Int {
    experts.reduce(0) { $0 + $1.residentBytes } + (shared?.residentBytes ?? 0) + router.byteCount
      + (sharedGate?.byteCount ?? 0) + (correction?.byteCount ?? 0) + (outputBias?.byteCount ?? 0)
      + backward.withLock { $0?.byteCount ?? 0 }
  }

  /// Multiply–adds of one routed row.
  package var multiplyAddsOfRow: Int {
    count * dIn + topK * Block.layer(experts[0]).multiplyAddsOfRow
      + (shared.map { Block.layer($0).multiplyAddsOfRow } ?? 0)
  }

  /// Rows whose routes are found together. An expert's weights are read once for all of them.
  package static let chunkRows = 1024

  /// Packs `weights`, whose views are read now and not needed afterwards.
  ///
  /// - Throws: ``MixtureError`` where the shapes do not make a mixture or there is no memory.
  package init(
    _ weights: MixtureWeights, kernels: Kernels = .best(), arithmetic: Arithmetic = .f32, packing: Packing = Packing()
  ) throws(MixtureError) {
    try weights.validate()
    func projection(
      _ matrix: MatrixView, _ bias: VectorView?, _ part: MixturePart
    ) throws(MixtureError) -> Projection {
      do { return try Projection(matrix, bias: bias, kernels: kernels, packing: packing) } catch {
        throw .layer(part, error)
      }
    }
    func layer(_ weights: LayerWeights, _ part: MixturePart) throws(MixtureError) -> FeedForwardLayer {
      do {
        return try FeedForwardLayer(weights, kernels: kernels, arithmetic: arithmetic, packing: packing)
      } catch {
        throw .layer(part, error)
      }
    }
    routing = weights.routing
    topK = weights.topK
    hasRouterBias = weights.routerBias != nil
    router = try projection(weights.router, weights.routerBias, .router)
    sharedGate = try weights.sharedGate.map { gate throws(MixtureError) in try projection(gate, nil, .sharedGate) }
    func floats(_ vector: VectorView, _ part: MixturePart) throws(MixtureError) -> AlignedFloats {
      do { return try vector.widened() } catch { throw .layer(part, error) }
    }
    correction = try weights.correctionBias.map { bias throws(MixtureError) in try floats(bias, .correctionBias) }
    outputBias = try weights.outputBias.map { bias throws(MixtureError) in try floats(bias, .outputBias) }
    let held = weights.held ?? Array(weights.experts.indices)
    self.held = held
    count = weights.count
    isHeld = (0..<weights.count).map(Set(held).contains)
    var experts: [FeedForwardLayer] = []
    for (index, expert) in zip(held, weights.experts) { experts.append(try layer(expert, .expert(index))) }
    self.experts = experts
    shared = try weights.shared.map { shared throws(MixtureError) in try layer(shared, .shared) }
  }

  /// The transposed weights of the router and the shared expert's gate. The first caller makes them.
  ///
  /// - Throws: ``LayerError/outOfMemory(bytes:)``.
  func routerBackward() throws(LayerError) -> RouterBackward {
    try backward.withLock { panels throws(LayerError) in
      if let panels { return panels }
      let made = RouterBackward(
        router: try Projection(transposing: router),
        sharedGate: try sharedGate.map { gate throws(LayerError) in try Projection(transposing: gate) })
      panels = made
      return made
    }
  }

  /// Routes a batch of rows and applies those of their experts that are here.
  ///
  /// - Parameters:
  ///   - input: `[rows, dIn]`, row-major.
  ///   - output: `[rows, dOut]`, row-major; fully overwritten, must not overlap `input`.
  ///   - routes: where the router's decisions go as well, if anywhere.
  ///   - workspace: scratch of the calling worker; grows only if nobody reserved it before.
  ///   - team: threads that may help where an expert's share is large enough to gain by it.
  /// - Complexity: ``multiplyAddsOfRow`` for each row; no allocation in a reserved workspace.
  package func forward(
    input: UnsafePointer<Float>, rows: Int, output: UnsafeMutablePointer<Float>,
    routes: RouteOutputs = RouteOutputs(), workspace: Workspace, team: Team? = nil
  ) {
    workspace.reserve(for: self, rows: rows)
    for first in stride(from: 0, to: rows, by: Self.chunkRows) {
      let count = min(Self.chunkRows, rows - first)
      let (input, output) = (input + first * dIn, output + first * dOut)
      route(input, count, workspace)
      workspace.routes.copy(
        rows: count, topK: topK, experts: self.count, to: routes.advanced(by: first, topK, self.count))
      sumExperts(input, count, routesOfRow: topK, output, workspace, team)
      if let shared { add(shared, input, count, output, workspace, team) }
      if let outputBias {
        for row in 0..<count { Self.add(outputBias.base, times: 1, to: output + row * dOut, count: dOut) }
      }
    }
  }

  /// Applies experts that somebody else has chosen: `y = Σ_k weights[k]·expert_indices[k](x)`, without the shared
  /// expert and the bias.
  ///
  /// - Parameters:
  ///   - indices: `[rows, choices]`, each a whole number below ``count``.
  ///   - weights: `[rows, choices]`
  package func forward(
    input: UnsafePointer<Float>, rows: Int, indices: UnsafePointer<Float>, weights: UnsafePointer<Float>,
    choices: Int, output: UnsafeMutablePointer<Float>, workspace: Workspace, team: Team? = nil
  ) {
    workspace.reserve(for: self, rows: rows, routesOfRow: choices)
    for first in stride(from: 0, to: rows, by: Self.chunkRows) {
      let count = min(Self.chunkRows, rows - first)
      let chosen = ChosenExperts(indices: indices, weights: weights, choices: choices)
      workspace.routes.take(chosen.advanced(by: first), rows: count)
      sumExperts(input + first * dIn, count, routesOfRow: choices, output + first * dOut, workspace, team)
    }
  }

  func route(_ input: UnsafePointer<Float>, _ rows: Int, _ workspace: Workspace) {
    let table = workspace.routes
    router.apply(to: input, rows: rows, output: table.logits, workspace: workspace)
    let chooser = RowRouter(
      routing: routing, experts: count, topK: topK, correction: correction.map { UnsafePointer($0.base) },
      scratch: table.choiceScratch)
    for row in 0..<rows {
      chooser.choose(
        from: table.logits + row * count, indices: table.indices + row * topK,
        weights: table.weights + row * topK)
    }
  }

  private func sumExperts(
    _ input: UnsafePointer<Float>, _ rows: Int, routesOfRow: Int, _ output: UnsafeMutablePointer<Float>,
    _ workspace: Workspace, _ team: Team?
  ) {
    let table = workspace.routes
    table.group(routes: rows * routesOfRow)
    output.update(repeating: 0, count: rows * dOut)
    for (index, expert) in zip(held, experts) {
      let routes = table.routes(of: index)
      for first in stride(from: 0, to: routes.count, by: Workspace.chunkRows) {
        let count = min(Workspace.chunkRows, routes.count - first)
        for place in 0..<count {
          let row = Int(routes[first + place]) / routesOfRow
          (table.gathered + place * dIn).update(from: input + row * dIn, count: dIn)
        }
        expert.forward(
          input: table.gathered, rows: count, output: table.returned, workspace: workspace, team: team)
        for place in 0..<count {
          let route = Int(routes[first + place])
          Self.add(
            table.returned + place * dOut, times: table.weights[route], to: output + route / routesOfRow * dOut,
            count: dOut)
        }
      }
    }
  }

  private func add(
    _ shared: FeedForwardLayer, _ input: UnsafePointer<Float>, _ rows: Int, _ output: UnsafeMutablePointer<Float>,
    _ workspace: Workspace, _ team: Team?
  ) {
    let table = workspace.routes
    for first in stride(from: 0, to: rows, by: Workspace.chunkRows) {
      let count = min(Workspace.chunkRows, rows - first)
      let chunk = input + first * dIn
      sharedGate?.apply(to: chunk, rows: count, output: table.shares, workspace: workspace)
      shared.forward(input: chunk, rows: count, output: table.returned, workspace: workspace, team: team)
      for row in 0..<count {
        let share = sharedGate == nil ? 1 : Self.share(ofLogit: table.shares[row])
        Self.add(table.returned + row * dOut, times: share, to: output + (first + row) * dOut, count: dOut)
      }
    }
  }

  /// σ, in float64 and rounded once.
  static func share(ofLogit logit: Float) -> Float { Float(1 / (1 + exp(-Double(logit)))) }

  static func add(
    _ row: UnsafePointer<Float>, times weight: Float, to sum: UnsafeMutablePointer<Float>, count: Int
  ) {
    // Unsafe: indices below `count` of rows that long.
    for i in 0..<count { sum[i] += weight * row[i] }
  }
}

/// Where a forward pass writes what the router found, each only if asked for.
package struct RouteOutputs {
  /// `[rows, experts]`
  package var logits: UnsafeMutablePointer<Float>?
  /// `[rows, topK]`: whole numbers, in descending order of what chose them.
  package var indices: UnsafeMutablePointer<Float>?
  /// `[rows, topK]`: what the experts in `indices` are weighted with.
  package var weights: UnsafeMutablePointer<Float>?

  package init(
    logits: UnsafeMutablePointer<Float>? = nil, indices: UnsafeMutablePointer<Float>? = nil,
    weights: UnsafeMutablePointer<Float>? = nil
  ) {
    self.logits = logits
    self.indices = indices
    self.weights = weights
  }

  func advanced(by rows: Int, _ topK: Int, _ experts: Int) -> RouteOutputs {
    RouteOutputs(
      logits: logits.map { $0 + rows * experts }, indices: indices.map { $0 + rows * topK },
      weights: weights.map { $0 + rows * topK })
  }
}

extension RouteTable {
  /// Takes over what somebody else has chosen for `rows` rows.
  func take(_ chosen: ChosenExperts, rows: Int) {
    let routes = rows * chosen.choices
    for route in 0..<routes { indices[route] = UInt32(chosen.indices[route]) }
    weights.update(from: chosen.weights, count: routes)
  }

  func copy(rows: Int, topK: Int, experts: Int, to outputs: RouteOutputs) {
    outputs.logits?.update(from: logits, count: rows * experts)
    outputs.weights?.update(from: weights, count: rows * topK)
    if let places = outputs.indices {
      for route in 0..<rows * topK { places[route] = Float(indices[route]) }
    }
  }
}

extension Workspace {
  /// Makes room for `rows` rows of `mixture`; see ``reserve(for:rows:)``.
  ///
  /// - Parameter routesOfRow: where somebody else chooses, for how many experts of a row.
  package func reserve(for mixture: MixtureLayer, rows: Int, routesOfRow: Int? = nil) {
    routes.reserve(
      rows: min(rows, MixtureLayer.chunkRows), routesOfRow: routesOfRow ?? mixture.topK,
      experts: mixture.count, dIn: mixture.dIn, dOut: mixture.dOut)
    reserve(terms: mixture.dIn, rows: rows)
    for expert in mixture.experts { reserve(for: expert, rows: rows) }
    if let shared = mixture.shared { reserve(for: shared, rows: rows) }
  }
}

internal import CKernels

// The vector–Jacobian product of a layer. With g = ∂L/∂y, h = gate(a, b), a and b the branches before the gate:
//
//   ∂L/∂h       = g·W_down                        (g itself without a down projection; then through the norm, if any)
//   ∂L/∂a       = ∂L/∂h ⊙ ∂gate/∂a,  ∂L/∂b = ∂L/∂h ⊙ ∂gate/∂b
//   ∂L/∂x       = ∂L/∂a·W_a + ∂L/∂b·W_b
//   ∂L/∂W_a     = ∂L/∂aᵀ·x,  ∂L/∂W_b = ∂L/∂bᵀ·x,  ∂L/∂W_down = gᵀ·h,  a bias's: the sum over the rows
//
// y, a, b and h are those of the forward pass, in the layer's arithmetic; all of the above is float32, with the values
// that the packed weights have.
//
// Unsafe pointers: those of GradientRows, and the workspace's, which `reserve` has made long enough for a chunk.
extension FeedForwardLayer {
  /// Applies the layer to a batch of rows and differentiates it there.
  ///
  /// A row of ``GradientRows/gradInput`` has the same bits whatever rows are computed beside it. The gradients of
  /// weights are sums over the rows, chunk by chunk in their order.
  ///
  /// - Parameters:
  ///   - workspace: scratch of the calling worker; grows to what a chunk of rows needs.
  ///   - team: threads that may help where the layer is large enough to gain by it.
  /// - Throws: ``LayerError/outOfMemory(bytes:)`` where the first gradient finds no memory for transposed weights.
  /// - Complexity: twice the multiply–adds of the forward pass, three times with those of the weights.
  package func gradient(_ rows: GradientRows, workspace: Workspace, team: Team? = nil) throws(LayerError) {
    let panels = try backwardPanels()
    for first in stride(from: 0, to: rows.count, by: Workspace.chunkRows) {
      let chunk = rows.chunk(from: first, count: min(Workspace.chunkRows, rows.count - first), of: self)
      // A product that gives a weight's gradient has as many rows as a slice of it, however few the chunk has.
      workspace.reserve(for: self, rows: rows.weights == nil ? chunk.count : Workspace.chunkRows)
      workspace.gradient.reserve(for: self, rows: chunk.count)
      if rows.weights != nil { workspace.gradient.reserveForWeights(of: self, rows: chunk.count) }
      let branches = forward(chunk, workspace, team)
      let isWorthSplitting = isWorthSplitting(rows: chunk.count)
      guard let team else {
        backward(chunk, branches, panels, workspace, helpers: nil)
        continue
      }
      team.engaging(isWorthSplitting) { helped in
        backward(chunk, branches, panels, workspace, helpers: helped ? team : nil)
      }
    }
  }

  /// The inner values of a chunk, `[rows, dFF]` each.
  private struct Branches {
    var a: UnsafeMutablePointer<Float>
    var b: UnsafeMutablePointer<Float>
    /// Nil where nobody needs it.
    var hidden: UnsafeMutablePointer<Float>?
  }

  private func forward(_ rows: GradientRows, _ workspace: Workspace, _ team: Team?) -> Branches {
    let scratch = workspace.gradient
    var activations = rows.activations
    let first = gate.gateProjectionIsFirstOperand
    let gateBranch = activations.gate ?? (first ? scratch.a : scratch.b)!.base
    let upBranch = activations.up ?? (first ? scratch.b : scratch.a)!.base
    (activations.gate, activations.up) = (gateBranch, upBranch)
    if rows.weights != nil, hasDownProjection, activations.hidden == nil { activations.hidden = scratch.hidden!.base }
    forward(
      input: rows.input, rows: rows.count, output: rows.output, activations: activations, workspace: workspace,
      team: team)
    return Branches(
      a: first ? gateBranch : upBranch, b: first ? upBranch : gateBranch, hidden: activations.hidden)
  }

  private func backward(
    _ rows: GradientRows, _ branches: Branches, _ panels: BackwardPanels, _ workspace: Workspace, helpers: Team?
  ) {
    let scratch = workspace.gradient
    let totals = workspace.totals!.base
    let functions = kernels.functions(of: .f32)
    var gradHidden = rows.gradOutput
    if let down = panels.down {
      let blocking = ffn_blocking(
        rows.gradOutput, rows: rows.count, terms: dOut, blocks: scratch.gradOutputBlocks!.base)
      functions.run(blocking, share: Self.blockingShare, helpers: helpers, totals: totals)
      var job = ffn_project()
      job.panels = down.kernelPanels
      job.x = ffn_rows(
        base: scratch.gradOutputBlocks!.base, block_step: rows.count * FFN_BLOCK_STRIDE, rows: rows.count)
      job.y = scratch.gradHidden!.base
      functions.run(job, helpers: helpers, totals: totals)
      if let hiddenNorm { differentiate(hiddenNorm, rows.count, branches, job.y, workspace) }
      gradHidden = UnsafePointer(job.y)
    }
    differentiateGate(rows.count, branches, gradHidden, scratch.gradBlocks!.base)
    var job = ffn_project()
    job.panels = panels.gateUp.kernelPanels
    job.x = ffn_rows(base: scratch.gradBlocks!.base, block_step: rows.count * FFN_BLOCK_STRIDE, rows: rows.count)
    job.y = rows.gradInput
    functions.run(job, helpers: helpers, totals: totals)
    if let weights = rows.weights {
      let products = WeightProducts(
        rows: rows.count, isFirst: !rows.addsToWeights, scratch: scratch, functions: functions, helpers: helpers,
        totals: totals)
      differentiateWeights(weights, rows, branches, products)
    }
  }

  /// Takes `gradHidden`, `[rows, dFF]`, from behind the norm to before it.
  private func differentiate(
    _ norm: HiddenNorm, _ rows: Int, _ branches: Branches, _ gradHidden: UnsafeMutablePointer<Float>,
    _ workspace: Workspace
  ) {
    // The row as it went into the norm, which no forward pass keeps.
    let hidden = workspace.hiddenRows!.base
    kernels.apply(gate, a: branches.a, b: branches.b, output: hidden, count: rows * dFF)
    norm.differentiate(at: hidden, gradients: gradHidden, count: rows)
  }

  /// `blocks = [gradHidden ⊙ ∂gate/∂a, gradHidden ⊙ ∂gate/∂b]`, in row blocks of `2·dFF` terms.
  private func differentiateGate(
    _ rows: Int, _ branches: Branches, _ gradHidden: UnsafePointer<Float>, _ blocks: UnsafeMutablePointer<Float>
  ) {
    let derivatives = GateDerivatives(of: gate, kernels: kernels)
    for row in 0..<rows {
      var first = 0
      while first < dFF {
        // As far as both operands' terms stand in one block.
        let count = min(
          dFF - first, FFN_BLOCK_TERMS - first % FFN_BLOCK_TERMS, FFN_BLOCK_TERMS - (dFF + first) % FFN_BLOCK_TERMS)
        let place = row * dFF + first
        let gradA = blocks + Self.blockPlace(term: first, row: row, rows: rows)
        let gradB = blocks + Self.blockPlace(term: dFF + first, row: row, rows: rows)
        derivatives.evaluate(
          a: branches.a + place, b: branches.b + place, upstream: gradHidden + place, byA: gradA, byB: gradB,
          count: count)
        first += count
      }
    }
  }

  /// Where a term of a row stands among `rows` rows in blocks.
  private static func blockPlace(term: Int, row: Int, rows: Int) -> Int {
    (term / FFN_BLOCK_TERMS * rows + row) * FFN_BLOCK_STRIDE + term % FFN_BLOCK_TERMS
  }

  private func differentiateWeights(
    _ weights: WeightGradientOutputs, _ rows: GradientRows, _ branches: Branches, _ products: WeightProducts
  ) {
    let gateIsFirst = gate.gateProjectionIsFirstOperand
    func branch(isFirst: Bool) -> WeightProducts.Columns {
      WeightProducts.Columns(
        base: products.scratch.gradBlocks!.base, first: isFirst ? 0 : dFF, count: dFF,
        layout: .blocks(rows: rows.count))
    }
    let gradGate = branch(isFirst: gateIsFirst)
    let gradUp = branch(isFirst: !gateIsFirst)
    products.pack(rows.input, columns: dIn)
    products.multiply(gradGate, columns: dIn, into: weights.gateProj)
    products.multiply(gradUp, columns: dIn, into: weights.upProj)
    if let gateBias = weights.gateBias { products.sum(gradGate, into: gateBias) }
    if let upBias = weights.upBias { products.sum(gradUp, into: upBias) }

    let gradOutput = WeightProducts.Columns(base: rows.gradOutput, count: dOut, layout: .rows(of: dOut))
    if let downProj = weights.downProj, let hidden = branches.hidden {
      products.pack(hidden, columns: dFF)
      products.multiply(gradOutput, columns: dFF, into: downProj)
    }
    if let downBias = weights.downBias { products.sum(gradOutput, into: downBias) }
  }
}

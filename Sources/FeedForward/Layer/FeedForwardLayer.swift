internal import CKernels
internal import Synchronization

/// One gated feed-forward layer, packed and ready to be applied.
///
/// `y = W_down·norm(gate(W_gate·x + b_gate, W_up·x + b_up)) + b_down`, the norm in layers that have one; without a down
/// projection `y` is what the gate returns.
///
/// The same row gives the same bits, whatever batch it is part of, wherever it stands in it and however many threads
/// help: each sum has one fixed order (see CKernels). In float32 and integer arithmetic it is one order on every kernel
/// set.
///
/// Unsafe pointers: rows are read and written where the caller has them, with no copy and no bounds check a number;
/// their lengths follow from `rows` and the layer's widths, which the API has checked against the tensors.
package final class FeedForwardLayer: Sendable {
  package let gate: Gate
  /// Inputs of a row.
  package let dIn: Int
  /// Width of the gate.
  package let dFF: Int
  /// Outputs of a row; ``dFF`` without a down projection.
  package let dOut: Int
  /// How `gate_proj` was stored.
  package let storedType: WeightType
  package let hasGateBias: Bool
  package let hasUpBias: Bool
  package let hasDownBias: Bool
  package let kernels: Kernels
  package let arithmetic: Arithmetic

  private let gateUp: PackedPanels
  private let down: PackedPanels?
  let hiddenNorm: HiddenNorm?
  /// Made for the first gradient, kept as long as the layer.
  private let backward = Mutex<BackwardPanels?>(nil)

  package var hasDownProjection: Bool { down != nil }
  package var hasHiddenNorm: Bool { hiddenNorm != nil }

  /// Bytes of the packed weights, which stay resident as long as the layer does; from the first gradient on with those
  /// of the transposed ones.
  package var residentBytes: Int { packedBytes + backward.withLock { $0?.byteCount ?? 0 } }

  /// Bytes that a forward pass reads.
  private var packedBytes: Int { gateUp.byteCount + (down?.byteCount ?? 0) + (hiddenNorm?.byteCount ?? 0) }

  /// The packed weights as they lie in memory.
  var packedWeights: [UnsafeBufferPointer<Float>] { [gateUp.packedWeights] + (down.map { [$0.packedWeights] } ?? []) }

  /// Packs `weights`, whose views are read now and not needed afterwards, for one set of kernels and one arithmetic.
  ///
  /// - Throws: ``LayerError`` where the shapes do not make a layer, or the weights cannot be read or kept.
  /// - Complexity: one read of the sources, one write of the panels; f16 is widened to float32, exactly.
  package init(
    _ weights: LayerWeights, kernels: Kernels = .best(), arithmetic: Arithmetic = .f32, packing: Packing = Packing()
  ) throws(LayerError) {
    try weights.validate()
    let gateBranch = (weights.gateProj, weights.gateBias)
    let upBranch = (weights.upProj, weights.upBias)
    let (a, b) = weights.gate.gateProjectionIsFirstOperand ? (gateBranch, upBranch) : (upBranch, gateBranch)
    self.gateUp = try PackedPanels(
      a: a.0, aBias: a.1, b: b.0, bBias: b.1, arithmetic: arithmetic, packing: packing)
    if let downProj = weights.downProj {
      self.down = try PackedPanels(downProj, bias: weights.downBias, arithmetic: arithmetic, packing: packing)
    } else {
      self.down = nil
    }
    self.hiddenNorm = try weights.hiddenNorm.map { norm throws(LayerError) in try HiddenNorm(norm) }
    self.gate = weights.gate
    self.dIn = weights.gateProj.columns
    self.dFF = weights.gateProj.rows
    self.dOut = weights.downProj?.rows ?? weights.gateProj.rows
    self.storedType = weights.gateProj.type
    self.hasGateBias = weights.gateBias != nil
    self.hasUpBias = weights.upBias != nil
    self.hasDownBias = weights.downBias != nil
    self.kernels = kernels
    self.arithmetic = arithmetic
  }

  /// The transposed weights. The first caller makes them, in about the time of packing; others wait for it.
  ///
  /// - Throws: ``LayerError/outOfMemory(bytes:)``.
  func backwardPanels() throws(LayerError) -> BackwardPanels {
    try backward.withLock { panels throws(LayerError) in
      if let panels { return panels }
      let made = try BackwardPanels(gateUp: gateUp, down: down)
      panels = made
      return made
    }
  }

  /// Applies the layer to a batch of rows.
  ///
  /// - Parameters:
  ///   - input: `[rows, dIn]`, row-major.
  ///   - output: `[rows, dOut]`, row-major; fully overwritten, must not overlap `input`.
  ///   - activations: where the layer's inner values go as well, if anywhere.
  ///   - workspace: scratch of the calling worker; grows only if nobody reserved it before.
  ///   - team: threads that may help where the layer is large enough to gain by it.
  /// - Complexity: `rows·dFF·(2·dIn + dOut)` multiply–adds; no allocation in a reserved workspace.
  package func forward(
    input: UnsafePointer<Float>, rows: Int, output: UnsafeMutablePointer<Float>,
    activations: ActivationOutputs = ActivationOutputs(), workspace: Workspace, team: Team? = nil
  ) {
    workspace.reserve(for: self, rows: rows)
    guard let team else {
      return forward(input, rows, output, activations, workspace, helpers: nil)
    }
    team.engaging(isWorthSplitting(rows: rows)) { helped in
      forward(input, rows, output, activations, workspace, helpers: helped ? team : nil)
    }
  }

  /// Whether splitting gains more than waking a helper costs: from about 20 µs of one core's work on, at 200 GFLOP/s
  /// of arithmetic and 50 GB/s of weights.
  func isWorthSplitting(rows: Int) -> Bool {
    let multiplyAdds = rows * dFF * (2 * dIn + (hasDownProjection ? dOut : 0))
    return max(multiplyAdds / 100, packedBytes / 50) > 20_000
  }

  private func forward(
    _ input: UnsafePointer<Float>, _ rows: Int, _ output: UnsafeMutablePointer<Float>,
    _ activations: ActivationOutputs, _ workspace: Workspace, helpers: Team?
  ) {
    for first in stride(from: 0, to: rows, by: Workspace.chunkRows) {
      forwardChunk(
        input: input + first * dIn, rows: min(Workspace.chunkRows, rows - first), output: output + first * dOut,
        activations: activations.advanced(by: first * dFF), workspace: workspace, helpers: helpers)
    }
  }

  /// Two phases over panels: gate and up with the gate applied, then down. In integer arithmetic the first one
  /// quantises the hidden rows as well, block by block. Between them stands the norm, where there is one, which takes
  /// whole rows.
  private func forwardChunk(
    input: UnsafePointer<Float>, rows: Int, output: UnsafeMutablePointer<Float>, activations: ActivationOutputs,
    workspace: Workspace, helpers: Team?
  ) {
    let totals = workspace.totals!.base
    let functions = kernels.functions(of: arithmetic)
    var first = ffn_gate_up()
    first.panels = gateUp.kernelPanels
    first.gate = gate.kernelGate
    first.x = blocked(input, rows: rows, in: workspace, helpers: helpers)
    first.rounds_hidden = arithmetic == .bf16 ? 1 : 0
    first.a = gate.gateProjectionIsFirstOperand ? activations.gate : activations.up
    first.b = gate.gateProjectionIsFirstOperand ? activations.up : activations.gate
    guard let down else {
      first.hidden = output
      functions.run(first, helpers: helpers, totals: totals)
      activations.hidden?.update(from: output, count: rows * dFF)
      return
    }
    let hidden: ffn_rows
    let blocks = (arithmetic.isInteger ? workspace.hiddenBytes : workspace.hiddenBlocks)!.base
    if let hiddenNorm {
      let values = activations.hidden ?? workspace.hiddenRows!.base
      first.hidden = values
      functions.run(first, helpers: helpers, totals: totals)
      hiddenNorm.apply(to: values, count: rows)
      hidden = block(ffn_blocking(values, rows: rows, terms: dFF, blocks: blocks), helpers: helpers, totals: totals)
    } else {
      first.hidden = activations.hidden
      first.hidden_blocks = UnsafeMutableRawPointer(workspace.hiddenBlocks!.base)
      hidden = ffn_rows(base: blocks, block_step: rows * blockStride, rows: rows)
      if arithmetic.isInteger {
        let blocking = ffn_blocking(
          x: workspace.hiddenBlocks!.base, block_step: rows * FFN_BLOCK_STRIDE, row_step: FFN_BLOCK_STRIDE,
          rows: rows, terms: dFF, blocks: blocks)
        functions.run(
          first, blocking: blocking, progress: workspace.hiddenProgress, helpers: helpers, totals: totals)
      } else {
        functions.run(first, helpers: helpers, totals: totals)
      }
    }

    var second = ffn_project()
    second.panels = down.kernelPanels
    second.x = hidden
    second.y = output
    functions.run(second, helpers: helpers, totals: totals)
  }

  /// The input in row blocks; in float32 arithmetic a single row is already that.
  private func blocked(
    _ input: UnsafePointer<Float>, rows: Int, in workspace: Workspace, helpers: Team?
  ) -> ffn_rows {
    if rows == 1, arithmetic == .f32 {
      // Only ever read: `ffn_rows` also describes the hidden rows, which are written.
      return ffn_rows(base: UnsafeMutablePointer(mutating: input), block_step: FFN_BLOCK_TERMS, rows: 1)
    }
    let blocking = ffn_blocking(input, rows: rows, terms: dIn, blocks: workspace.inputBlocks!.base)
    return block(blocking, helpers: helpers, totals: workspace.totals!.base)
  }

  private func block(
    _ blocking: ffn_blocking, helpers: Team?, totals: UnsafeMutablePointer<Float>
  ) -> ffn_rows {
    let share = arithmetic.isInteger ? Self.quantisingShare : Self.blockingShare
    kernels.functions(of: arithmetic).run(blocking, share: share, helpers: helpers, totals: totals)
    return ffn_rows(base: blocking.blocks, block_step: blocking.rows * blockStride, rows: blocking.rows)
  }

  /// Elements from one row of a block to the next.
  private var blockStride: Int { arithmetic.isInteger ? FFN_BYTE_BLOCK_STRIDE : FFN_BLOCK_STRIDE }

  /// Floats from which on blocking rows is shared: copies are faster than quantising.
  static let blockingShare = 1 << 16
  private static let quantisingShare = 1 << 12
}

/// Where a forward pass writes the layer's inner values, each `[rows, dFF]` row-major, each only if asked for.
package struct ActivationOutputs {
  /// `W_gate·x + b_gate`, before any activation.
  package var gate: UnsafeMutablePointer<Float>?
  /// `W_up·x + b_up`, before any activation.
  package var up: UnsafeMutablePointer<Float>?
  /// What goes into the down projection: after the norm, where there is one.
  package var hidden: UnsafeMutablePointer<Float>?

  package init(
    gate: UnsafeMutablePointer<Float>? = nil, up: UnsafeMutablePointer<Float>? = nil,
    hidden: UnsafeMutablePointer<Float>? = nil
  ) {
    self.gate = gate
    self.up = up
    self.hidden = hidden
  }

  func advanced(by floats: Int) -> ActivationOutputs {
    ActivationOutputs(gate: gate.map { $0 + floats }, up: up.map { $0 + floats }, hidden: hidden.map { $0 + floats })
  }
}

extension LayerWeights {
  /// Whether the shapes make a layer; the gate projection decides what the others must be.
  package func validate() throws(LayerError) {
    let (dFF, dIn) = (gateProj.rows, gateProj.columns)
    guard dFF > 0, dIn > 0 else { throw .empty(.gateProj) }
    guard upProj.rows == dFF, upProj.columns == dIn else {
      throw .shape(.upProj, found: [upProj.rows, upProj.columns], expected: [dFF, dIn])
    }
    try validate(gateBias, .gateBias, count: dFF)
    try validate(upBias, .upBias, count: dFF)
    guard let downProj else {
      guard downBias == nil else { throw .biasWithoutProjection(.downBias) }
      if let hiddenNorm { throw .hiddenNorm(found: hiddenNorm.weight.count, expected: 0) }
      return
    }
    guard downProj.rows > 0 else { throw .empty(.downProj) }
    guard downProj.columns == dFF else {
      throw .shape(.downProj, found: [downProj.rows, downProj.columns], expected: [downProj.rows, dFF])
    }
    try validate(downBias, .downBias, count: downProj.rows)
    if let hiddenNorm, hiddenNorm.weight.count != dFF {
      throw .hiddenNorm(found: hiddenNorm.weight.count, expected: dFF)
    }
  }

  private func validate(_ bias: VectorView?, _ name: LayerTensor, count: Int) throws(LayerError) {
    guard let bias, bias.count != count else { return }
    throw .shape(name, found: [bias.count], expected: [count])
  }
}

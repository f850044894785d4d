internal import CKernels

/// `y = x·Wᵀ + b` alone, in float32 arithmetic whatever the layers beside it multiply in: a router's logits, a shared
/// expert's gate. Each sum has the order that a layer's have, so a row's result does not depend on its batch.
struct Projection: Sendable {
  private let panels: PackedPanels
  private let kernels: Kernels

  var byteCount: Int { panels.byteCount }

  init(_ matrix: MatrixView, bias: VectorView?, kernels: Kernels, packing: Packing) throws(LayerError) {
    panels = try PackedPanels(matrix, bias: bias, arithmetic: .f32, packing: packing)
    self.kernels = kernels
  }

  /// `y = x·W`: the way back through a projection, without its bias.
  ///
  /// - Throws: ``LayerError/outOfMemory(bytes:)``.
  init(transposing projection: Projection) throws(LayerError) {
    panels = try PackedPanels(transposing: projection.panels, operands: 1, packing: Packing(shelf: PanelShelf()))
    kernels = projection.kernels
  }

  /// Makes room for `rows` rows.
  func reserve(in workspace: Workspace, rows: Int) { workspace.reserve(terms: panels.terms, rows: rows) }

  /// - Parameters:
  ///   - input: `[rows, terms]`, row-major.
  ///   - output: `[rows, columns]`, row-major.
  ///   - workspace: scratch, reserved.
  func apply(
    to input: UnsafePointer<Float>, rows: Int, output: UnsafeMutablePointer<Float>, workspace: Workspace
  ) {
    // Unsafe: the kernels take addresses; the workspace has room for the chunk's blocks and sums.
    let functions = kernels.functions(of: .f32)
    let blocks = workspace.inputBlocks!.base
    for first in stride(from: 0, to: rows, by: Workspace.chunkRows) {
      let count = min(Workspace.chunkRows, rows - first)
      var blocking = ffn_blocking(input + first * panels.terms, rows: count, terms: panels.terms, blocks: blocks)
      functions.block_rows(&blocking, 0, count)
      var job = ffn_project()
      job.panels = panels.kernelPanels
      job.x = ffn_rows(base: blocks, block_step: count * FFN_BLOCK_STRIDE, rows: count)
      job.y = output + first * panels.columns
      functions.project(&job, 0, panels.panels, workspace.totals!.base)
    }
  }
}

extension ffn_blocking {
  /// Row-major `[rows, terms]`.
  ///
  /// Unsafe: addresses for the kernels; `blocks` has room for the rows' blocks.
  init(_ rows: UnsafePointer<Float>, rows count: Int, terms: Int, blocks: UnsafeMutableRawPointer) {
    self.init(x: rows, block_step: FFN_BLOCK_TERMS, row_step: terms, rows: count, terms: terms, blocks: blocks)
  }
}

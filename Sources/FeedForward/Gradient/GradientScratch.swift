internal import CKernels

/// What a backward pass keeps of one chunk of rows, beside the forward pass's scratch.
struct GradientScratch {
  /// Rows of `∂L/∂W` that one product gives.
  static let sliceRows = Workspace.chunkRows

  /// The branches before the gate, `[rows, dFF]` each.
  private(set) var a: AlignedFloats?
  private(set) var b: AlignedFloats?
  /// What goes into the down projection, `[rows, dFF]`.
  private(set) var hidden: AlignedFloats?
  /// `∂L/∂hidden`, `[rows, dFF]`.
  private(set) var gradHidden: AlignedFloats?
  /// Row blocks of `grad_output`, `[blocks of dOut][rows][528]`.
  private(set) var gradOutputBlocks: AlignedFloats?
  /// Row blocks of `[∂L/∂a, ∂L/∂b]`, `[blocks of 2·dFF][rows][528]`.
  private(set) var gradBlocks: AlignedFloats?
  /// One operand of a weight's gradient as panels, `[panels][rows][32]`.
  private(set) var panels: AlignedFloats?
  /// `[panels][32]`, all 0.
  private(set) var noBias: AlignedFloats?
  /// A slice of the other, transposed: `[slice rows][528]`.
  private(set) var slice: AlignedFloats?
  /// A slice of a product that is added to what is there, `[slice rows, columns]`.
  private(set) var product: AlignedFloats?

  var byteCount: Int {
    [a, b, hidden, gradHidden, gradOutputBlocks, gradBlocks, panels, noBias, slice, product].reduce(0) {
      $0 + ($1?.byteCount ?? 0)
    }
  }

  /// Makes room for a chunk of `rows` rows.
  mutating func reserve(for layer: FeedForwardLayer, rows: Int) {
    let plane = rows * layer.dFF
    Workspace.grow(&a, to: plane)
    Workspace.grow(&b, to: plane)
    Workspace.grow(&gradBlocks, to: Workspace.blockFloats(rows: rows, terms: 2 * layer.dFF))
    if layer.hasDownProjection {
      Workspace.grow(&gradHidden, to: plane)
      Workspace.grow(&gradOutputBlocks, to: Workspace.blockFloats(rows: rows, terms: layer.dOut))
    }
  }

  /// Makes room for the products of a chunk of `rows` rows that give the weights' gradients.
  mutating func reserveForWeights(of layer: FeedForwardLayer, rows: Int) {
    if layer.hasDownProjection { Workspace.grow(&hidden, to: rows * layer.dFF) }
    reserve(columns: max(layer.dIn, layer.hasDownProjection ? layer.dFF : 0), rows: rows)
  }

  /// Makes room for products of a chunk of `rows` rows that have so many columns.
  mutating func reserve(columns: Int, rows: Int) {
    let panelCount = (columns + FFN_PANEL_COLUMNS - 1) / FFN_PANEL_COLUMNS
    Workspace.grow(&panels, to: panelCount * FFN_PANEL_COLUMNS * rows)
    Workspace.grow(&noBias, to: panelCount * FFN_PANEL_COLUMNS)
    noBias!.base.update(repeating: 0, count: noBias!.count)
    Workspace.grow(&slice, to: Self.sliceRows * FFN_BLOCK_STRIDE)
    Workspace.grow(&product, to: Self.sliceRows * columns)
  }
}

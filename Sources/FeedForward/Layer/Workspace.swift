internal import CKernels

/// The scratch memory of one worker: a forward pass runs in it and allocates nothing.
///
/// Long batches pass through in chunks of ``chunkRows`` rows, so its size is bounded whatever a request brings.
///
/// Not `Sendable`: a workspace belongs to one worker, and to one forward pass at a time.
package final class Workspace {
  /// Rows that one pass over a layer's weights serves at most; at 256 the weights' stream costs next to nothing.
  package static let chunkRows = 256

  /// Row blocks of the input, `[blocks of dIn][rows][528]`; in integer arithmetic in bytes.
  private(set) var inputBlocks: AlignedFloats?
  /// Row blocks of the hidden rows, `[blocks of dFF][rows][528]`.
  private(set) var hiddenBlocks: AlignedFloats?
  /// The same in bytes, in integer arithmetic: `[blocks of dFF][rows][576 bytes]`.
  private(set) var hiddenBytes: AlignedFloats?
  /// How much is done of each of these.
  private(set) var hiddenProgress = BlockProgress(count: 0)
  /// Hidden rows on their way through a norm, `[rows, dFF]`.
  private(set) var hiddenRows: AlignedFloats?
  /// Sums of the panels in work, `[4][rows][32]`.
  private(set) var totals: AlignedFloats?
  /// What a mixture keeps beside its experts' scratch.
  var routes = RouteTable()
  /// What a gradient keeps beside the forward pass's scratch.
  var gradient = GradientScratch()
  /// What a mixture's gradient keeps beside both.
  var mixtureGradient = MixtureGradientScratch()
  /// What a gated convolution keeps.
  var convolution = ConvolutionScratch()

  package init() {}

  /// Bytes held now.
  package var byteCount: Int {
    [inputBlocks, hiddenBlocks, hiddenBytes, hiddenRows, totals].reduce(
      routes.byteCount + gradient.byteCount + mixtureGradient.byteCount + convolution.byteCount
    ) {
      $0 + ($1?.byteCount ?? 0)
    }
  }

  /// Makes room for `rows` rows of `layer`. Does nothing where there is room already; called at start for every layer
  /// and the largest batch, it leaves nothing to allocate later.
  package func reserve(for layer: FeedForwardLayer, rows: Int) {
    reserve(terms: layer.dIn, rows: rows)
    let rows = min(rows, Workspace.chunkRows)
    if layer.hasDownProjection {
      Workspace.grow(&hiddenBlocks, to: Workspace.blockFloats(rows: rows, terms: layer.dFF))
      if layer.arithmetic.isInteger {
        let blocks = Workspace.blocks(ofTerms: layer.dFF)
        Workspace.grow(&hiddenBytes, to: blocks * rows * FFN_BYTE_BLOCK_STRIDE / MemoryLayout<Float>.stride)
        if hiddenProgress.count < blocks { hiddenProgress = BlockProgress(count: blocks) }
      }
    }
    if layer.hasHiddenNorm { Workspace.grow(&hiddenRows, to: rows * layer.dFF) }
  }

  /// Makes room for the products of `rows` rows of `terms` terms.
  func reserve(terms: Int, rows: Int) {
    let rows = min(rows, Workspace.chunkRows)
    Workspace.grow(&inputBlocks, to: Workspace.blockFloats(rows: rows, terms: terms))
    Workspace.grow(&totals, to: Workspace.totalsCount(rows: rows))
  }

  /// Floats that the sums of `rows` rows in a group of panels take.
  static func totalsCount(rows: Int) -> Int { FFN_GROUP_PANELS * FFN_PANEL_COLUMNS * rows }

  /// Floats of `rows` rows in blocks.
  static func blockFloats(rows: Int, terms: Int) -> Int {
    blocks(ofTerms: terms) * rows * FFN_BLOCK_STRIDE
  }

  private static func blocks(ofTerms terms: Int) -> Int { (terms + FFN_BLOCK_TERMS - 1) / FFN_BLOCK_TERMS }

  static func grow(_ memory: inout AlignedFloats?, to count: Int) {
    guard memory.map({ $0.count < count }) ?? true else { return }
    memory = nil  // the old contents are worth nothing: give them back first
    guard let grown = AlignedFloats(count: count) else {
      preconditionFailure("no memory for \(count) floats of scratch")
    }
    memory = grown
  }
}

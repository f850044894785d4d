/// What a worker keeps for gated convolutions.
struct ConvolutionScratch {
  /// Row blocks of a chunk's input, `[blocks of channels][rows][528]`.
  private(set) var blocks: AlignedFloats?
  /// A chunk's outputs, `[rows, channelsOut]`.
  private(set) var hidden: AlignedFloats?
  /// What goes from layer to layer of a stack: two to go on with, and the input of a residual block.
  private(set) var planes: [AlignedFloats?] = [nil, nil, nil]

  var byteCount: Int { ([blocks, hidden] + planes).reduce(0) { $0 + ($1?.byteCount ?? 0) } }

  mutating func reserve(inputRows: Int, channelsIn: Int, outputs: Int) {
    Workspace.grow(&blocks, to: Workspace.blockFloats(rows: inputRows, terms: channelsIn))
    Workspace.grow(&hidden, to: outputs)
  }

  /// - Parameter floats: of each plane.
  mutating func reservePlanes(_ floats: Int) {
    for place in planes.indices { Workspace.grow(&planes[place], to: floats) }
  }
}

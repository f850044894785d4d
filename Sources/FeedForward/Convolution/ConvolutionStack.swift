/// One gated convolution, or a stack of them with the residual blocks of Dauphin et al. 2017 (section 2).
///
/// A residual block is a run of layers that ends where the channels are as many as they were before it, at the first
/// such layer: its input is added to its output, and nothing is applied to the sum. A layer that keeps the number of
/// channels is therefore a block by itself, and a bottleneck (512 → 128 → 128 → 512) is one block of three; a layer
/// from whose channels no later one returns adds nothing. A single layer, and a stack without residuals, is only
/// convolved.
///
/// Sequences are independent: a position has the same bits whatever is computed beside its sequence.
///
/// Unsafe pointers: sequences are read and written where the caller has them; planes between the layers are the
/// workspace's.
package final class ConvolutionStack: Sendable {
  let layers: [ConvolutionLayer]
  package let kernels: Kernels
  /// The residual blocks, by their layers.
  package let blocks: [Range<Int>]

  package var gate: Gate { layers[0].gate }
  package var channelsIn: Int { layers[0].channelsIn }
  package var channelsOut: Int { layers[layers.count - 1].channelsOut }
  /// Taps of each layer's kernel.
  package var widths: [Int] { layers.map(\.width) }

  /// Bytes of the packed weights.
  package var residentBytes: Int { layers.reduce(0) { $0 + $1.byteCount } }

  /// The most channels before, between and behind the layers.
  package var channelsLimit: Int { layers.reduce(channelsIn) { max($0, $1.channelsOut) } }

  package var multiplyAddsOfPosition: Int {
    layers.reduce(0) { $0 + 2 * $1.width * $1.channelsIn * $1.channelsOut }
  }

  /// Packs `weights`, whose views are read now and not needed afterwards.
  ///
  /// - Throws: ``ConvolutionError`` where the shapes do not make a stack or there is no memory.
  package init(
    _ weights: ConvolutionStackWeights, kernels: Kernels = .best(), packing: Packing = Packing()
  ) throws(ConvolutionError) {
    try weights.validate()
    var layers: [ConvolutionLayer] = []
    for layer in weights.layers { layers.append(try ConvolutionLayer(layer, kernels: kernels, packing: packing)) }
    self.layers = layers
    self.kernels = kernels
    blocks = weights.blocks
  }

  /// Applies the stack to sequences.
  ///
  /// - Parameters:
  ///   - workspace: scratch of the calling worker; grows to what the longest sequence needs between two layers.
  ///   - team: threads that may help where a layer is large enough to gain by it.
  package func forward(_ sequences: [ConvolutionSequence], workspace: Workspace, team: Team? = nil) {
    if layers.count == 1 { return layers[0].forward(sequences, workspace: workspace, team: team) }
    // As many sequences as fill a chunk go through all layers together.
    var group: [ConvolutionSequence] = []
    var positions = 0
    for sequence in sequences {
      group.append(sequence)
      positions += sequence.length
      guard positions >= Workspace.chunkRows else { continue }
      pass(group, positions: positions, workspace, team)
      (group, positions) = ([], 0)
    }
    if !group.isEmpty { pass(group, positions: positions, workspace, team) }
  }

  private func pass(_ sequences: [ConvolutionSequence], positions: Int, _ workspace: Workspace, _ team: Team?) {
    workspace.convolution.reservePlanes(positions * channelsLimit)
    let planes = workspace.convolution.planes.map { $0!.base }
    // Where the values are, and where the input of the block is: a plane, or the sequences' own memory.
    var current: Int?
    var kept: Int?
    for (index, layer) in layers.enumerated() {
      if blocks.contains(where: { $0.lowerBound == index }) { kept = current }
      let target = index == layers.count - 1 ? nil : planes.indices.first { $0 != current && $0 != kept }
      var steps: [ConvolutionSequence] = []
      var first = 0
      for sequence in sequences {
        steps.append(
          ConvolutionSequence(
            input: current.map { UnsafePointer(planes[$0] + first * layer.channelsIn) } ?? sequence.input,
            length: sequence.length, output: target.map { planes[$0] + first * layer.channelsOut } ?? sequence.output))
        first += sequence.length
      }
      layer.forward(steps, workspace: workspace, team: team)
      if blocks.contains(where: { $0.upperBound == index + 1 }) {
        first = 0
        for (sequence, step) in zip(sequences, steps) {
          let input = kept.map { UnsafePointer(planes[$0] + first * layer.channelsOut) } ?? sequence.input
          for place in 0..<sequence.length * layer.channelsOut { step.output[place] += input[place] }
          first += sequence.length
        }
        kept = nil
      }
      current = target
    }
  }
}

/// One sequence on its way through a convolution.
///
/// Unsafe pointers: the caller owns the memory; the output must not overlap the input.
package struct ConvolutionSequence {
  /// `[length, channelsIn]`, row-major.
  package let input: UnsafePointer<Float>
  package let length: Int
  /// `[length, channelsOut]`, row-major; fully overwritten.
  package let output: UnsafeMutablePointer<Float>

  package init(input: UnsafePointer<Float>, length: Int, output: UnsafeMutablePointer<Float>) {
    self.input = input
    self.length = length
    self.output = output
  }
}

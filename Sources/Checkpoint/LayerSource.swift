package import FeedForward

/// One feed-forward layer or mixture of a checkpoint: its weights in place, and what is known about them.
package struct LayerSource: Sendable {
  /// What a bare layer is called, whose tensors have no prefix.
  package static let bareName = "ffn"

  /// The tensors' prefix without the last dot: `model.layers.0.mlp`.
  package let name: String
  /// The layer's place among those that are loaded, from 0.
  package let index: Int
  /// Views into the mapped file; valid while this value lives.
  package let weights: BlockWeights
  /// Inputs of the layer.
  package let dModel: Int
  /// Width between the projections, in a mixture of each routed expert.
  package let dFF: Int
  /// The stored types of the layer's tensors, `BF16`, or `BF16+F32` where they differ.
  package let storedType: String
  /// Bytes of the layer's tensors in the file.
  package let storedBytes: Int
  /// What the layer computes, in the tensors' own names.
  package let rule: String
  /// The weights of a layer that is no mixture.
  package var dense: LayerWeights? {
    if case .layer(let weights) = weights { weights } else { nil }
  }
  /// The weights of a mixture.
  package var mixture: MixtureWeights? {
    if case .mixture(let weights) = weights { weights } else { nil }
  }
  /// Keeps the mappings behind the views alive.
  let files: [MappedFile]

  /// Checks, before the weights are read and again before what was made of them is believed, that their files have not
  /// been cut short since they were opened: what is cut off reads as zeros.
  ///
  /// - Throws: as ``MappedFile/confirmWhole()``.
  package func confirmFiles() throws(CheckpointError) {
    for file in files { try file.confirmWhole() }
  }
}

/// A published model's feed-forward layers, found, checked and mapped; nothing of the weights has been read yet.
///
/// ```swift
/// let checkpoint = try Checkpoint.open("/models/llama", layers: LayerSelection(parsing: "0-3"))
/// for source in checkpoint.layers {
///   try source.confirmFiles()
///   if let weights = source.dense { layers.append(try FeedForwardLayer(weights, kernels: .best())) }
/// }
/// ```
package struct Checkpoint: Sendable {
  /// The family of a file whose tensors have no prefix.
  package static let bareFamily = "bare"

  /// The family of a file with a gated convolution, or a stack of them.
  package static let convolutionFamily = "gated_conv"

  /// The path as it was given.
  package let path: String
  /// The `model_type` that decided, or ``bareFamily``.
  package let family: String
  /// What the layers compute, in their tensors' own names; where they differ, as dense layers among mixtures do, each
  /// rule once, in the order of the layers.
  package let rule: String
  /// In the order of the model, an encoder's before a decoder's; never empty.
  package let layers: [LayerSource]
  /// What a reader of the start line should know, and that is no error.
  package let notes: [String]

  /// Opens a directory with `config.json` and weights, a safetensors file, or the index of a sharded one.
  ///
  /// A file whose tensors are named `gate_proj.weight`, `up_proj.weight` and `down_proj.weight`, without a prefix, is
  /// one bare layer; one with `conv.weight` or `layers.N.conv.weight` is a gated convolution or a stack of them.
  /// Everything else needs the `config.json` beside it.
  ///
  /// - Parameters:
  ///   - selection: the layers to load; all of them without it.
  ///   - experts: the experts to load of each mixture; all of them without it.
  /// - Throws: ``CheckpointError``, which says what was found and what would be needed.
  package static func open(
    _ path: String, layers selection: LayerSelection? = nil, experts: ExpertSelection? = nil
  ) throws(CheckpointError) -> Checkpoint {
    let location = try WeightLocation(path)
    let files: WeightFiles
    switch location.weights {
    case .file(let file): files = try WeightFiles(file: file)
    case .index(let index): files = try WeightFiles(index: index)
    }
    if BareLayer.isIn(files), !location.isDirectory || location.configuration == nil {
      let bare = try BareLayer(files, path: path)
      return try Checkpoint(
        bare.source, family: Self.bareFamily, path: path, selection, location.notes + files.notes + bare.notes)
    }
    if BareConvolution.isIn(files), !location.isDirectory || location.configuration == nil {
      let convolution = try BareConvolution(files, path: path)
      return try Checkpoint(
        convolution.source, family: Self.convolutionFamily, path: path, selection,
        location.notes + files.notes + convolution.notes)
    }
    guard let configuration = location.configuration else {
      throw .noConfiguration(path: path, found: Array(files.tensors.keys.sorted().prefix(4)))
    }
    let model = try FamilyModel(try ModelConfiguration(configuration), files)
    return try Checkpoint(model, path: path, selection, experts, location.notes + files.notes)
  }

  /// A file with the tensors of one layer and no configuration.
  private init(
    _ layer: LayerSource, family: String, path: String, _ selection: LayerSelection?, _ notes: [String]
  ) throws(CheckpointError) {
    _ = try selection?.indices(of: 1)
    self.path = path
    self.family = family
    layers = [layer]
    rule = layer.rule
    self.notes = notes
  }

  private init(
    _ model: FamilyModel, path: String, _ selection: LayerSelection?, _ experts: ExpertSelection?, _ notes: [String]
  ) throws(CheckpointError) {
    let prefixes = model.prefixes
    let numbers = try selection?.indices(of: prefixes.count) ?? Array(prefixes.indices)
    var layers: [LayerSource] = []
    for number in numbers {
      layers.append(try model.layer(prefixes[number], index: layers.count, experts: experts))
    }
    self.path = path
    family = model.modelType
    self.layers = layers
    var rules: [String] = []
    for layer in layers where !rules.contains(layer.rule) { rules.append(layer.rule) }
    rule = rules.joined(separator: " | ")
    self.notes = notes + model.notes
  }
}

import FeedForward

/// A gated convolution in a file of its own: `conv.weight` `[2·channels_out, channels_in, k]` and `conv.bias`, the
/// value's outputs first, or a stack of them, `layers.0.conv.weight`, `layers.1.conv.weight` and so on.
///
/// Weight norm stands as `weight_g` `[2·channels_out, 1, 1]` and `weight_v`, or as `parametrizations.weight.original0`
/// and `original1` in their place (`torch.nn.utils.weight_norm`, old and new, over all but the first dimension).
///
/// The gate is the metadata's `variant`, `glu` or `gtu`; `residual` is `blocks` or `none`, and says whether a stack's
/// residual blocks add their input (``ConvolutionStack``). Without them it is `glu`, with residual blocks.
struct BareConvolution {
  private static let stackPrefix = "layers."
  private static let single = "conv."

  let source: LayerSource
  let notes: [String]

  /// How a kernel is stored: the names of its tensors behind the convolution's prefix.
  private struct Storage {
    let kernel: String
    let magnitude: String?

    static let all = [
      Storage(kernel: "weight", magnitude: nil),
      Storage(kernel: "weight_v", magnitude: "weight_g"),
      Storage(kernel: "parametrizations.weight.original1", magnitude: "parametrizations.weight.original0"),
    ]
  }

  /// Whether the files have tensors of that kind.
  static func isIn(_ files: WeightFiles) -> Bool {
    Storage.all.contains { storage in
      [single, layerPrefix(0)].contains { files.tensors[$0 + storage.kernel] != nil }
    }
  }

  private static func layerPrefix(_ number: Int) -> String { "\(stackPrefix)\(number).\(single)" }

  /// - Parameter path: for errors.
  /// - Throws: ``CheckpointError`` with the tensor that is missing or misshapen, the metadata that says something else,
  ///   or what keeps the tensors from being a convolution.
  init(_ files: WeightFiles, path: String) throws(CheckpointError) {
    let named = files.metadata["variant"]
    let variant = named ?? Gate.glu.wireName
    guard let gate = Gate(wireName: variant) else { throw .unknownVariant(path: path, found: variant) }
    let residual = files.metadata["residual"] ?? "blocks"
    guard residual == "blocks" || residual == "none" else {
      throw .variantParameter(path: path, variant: variant, parameter: "residual", found: residual)
    }
    let isStack = Self.storage(Self.layerPrefix(0), in: files) != nil
    var assembly = LayerAssembly(tensors: files.tensors, prefix: isStack ? Self.stackPrefix : Self.single)
    var layers: [ConvolutionWeights] = []
    if isStack {
      // Every layer up to the last one that has a tensor, so that a gap is an error and no shorter stack.
      let template = LayerTemplate(Self.stackPrefix + "#")
      let count = 1 + (files.tensors.keys.compactMap(template.number).max() ?? 0)
      for number in 0..<count {
        layers.append(try Self.weights(&assembly, Self.layerPrefix(number), gate: gate, files))
      }
    } else {
      layers.append(try Self.weights(&assembly, Self.single, gate: gate, files))
    }
    let stack = ConvolutionStackWeights(layers: layers, hasResiduals: residual == "blocks")
    do { try stack.validate() } catch { throw .convolution(name: path, error) }
    source = assembly.source(
      .convolution(stack), index: 0, dModel: layers[0].channelsIn, dFF: layers[layers.count - 1].channelsOut,
      rule: Self.rule(stack))
    notes = named == nil ? ["the metadata names no variant: \(variant)"] : []
  }

  private static func storage(_ prefix: String, in files: WeightFiles) -> Storage? {
    Storage.all.first { files.tensors[prefix + $0.kernel] != nil }
  }

  private static func weights(
    _ assembly: inout LayerAssembly, _ prefix: String, gate: Gate, _ files: WeightFiles
  ) throws(CheckpointError) -> ConvolutionWeights {
    let storage = storage(prefix, in: files) ?? Storage.all[0]
    let (base, type, shape) = try assembly.tensor(
      prefix + storage.kernel, [.any("2·channels_out"), .any("channels_in"), .any("k")])
    var weights = ConvolutionWeights(
      gate: gate,
      kernel: KernelView(base: base, type: type, outputs: shape[0], channelsIn: shape[1], width: shape[2]))
    if let name = storage.magnitude {
      let (base, type, _) = try assembly.tensor(prefix + name, [.exactly(shape[0]), .exactly(1), .exactly(1)])
      weights.magnitude = VectorView(base: base, type: type, count: shape[0])
    }
    if files.tensors[prefix + "bias"] != nil {
      weights.bias = try assembly.vector(prefix + "bias", count: shape[0])
    }
    return weights
  }

  /// What the stack computes, in words.
  private static func rule(_ stack: ConvolutionStackWeights) -> String {
    let value = stack.layers[0].gate == .gtu ? "tanh(conv[first half] x)" : "conv[first half] x"
    let layer = "\(value)·σ(conv[second half] x), causal"
    guard stack.layers.count > 1 else { return layer }
    let blocks = stack.blocks
    let added = blocks.count == 1 ? "1 residual block" : "\(blocks.count) residual blocks"
    return "\(stack.layers.count) layers of \(layer); \(blocks.isEmpty ? "no residuals" : added)"
  }
}

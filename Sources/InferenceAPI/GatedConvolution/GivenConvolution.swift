internal import FeedForward
internal import TensorCoding

/// A gated convolution, or a stack of them, whose weights came with the request that it is for.
struct GivenConvolution: Sendable {
  /// Views into `tensors`.
  private let weights: ConvolutionStackWeights
  /// Keeps the views' memory.
  private let tensors: Tensors

  private var layers: [ConvolutionWeights] { weights.layers }
  var gate: Gate { layers[0].gate }
  var channelsIn: Int { layers[0].channelsIn }
  var channelsOut: Int { layers[layers.count - 1].channelsOut }
  /// The most channels before, between and behind the layers.
  var channelsLimit: Int { layers.reduce(channelsIn) { max($0, $1.channelsOut) } }
  /// The widest kernel's taps.
  var width: Int { layers.reduce(1) { max($0, $1.kernel.width) } }

  var multiplyAddsOfPosition: Int {
    layers.reduce(0) { $0 + 2 * $1.kernel.width * $1.channelsIn * $1.channelsOut }
  }

  /// Whether a stack's residual blocks add their input to their output; the words of a checkpoint.
  enum Residual: String, Sendable {
    case blocks, none
  }

  /// `{"conv": [[[…]]], "bias": […]}`
  struct Layer: Sendable {
    let conv: Tensor
    let bias: Tensor?

    /// - Parameter remaining: elements that may still come; less those of both.
    fileprivate init(reading reader: inout JSONReader, _ remaining: inout Int) throws(JSONError) {
      var keys = KeySet()
      var conv: Tensor?
      var bias: Tensor?
      try reader.readObject { reader, key throws(JSONError) in
        try keys.insert(key)
        guard key == "conv" || key == "bias" else { throw .here(.unknownMember) }
        let tensor = try reader.readTensor(limit: TensorLimits(maxElements: remaining)).tensor
        remaining -= tensor.shape.count
        if key == "conv" { conv = tensor } else { bias = tensor }
      }
      guard let conv else { throw .here(.missingMember("conv")) }
      (self.conv, self.bias) = (conv, bias)
    }
  }

  /// One layer's object, or an array of them, the first one's input first.
  struct Tensors: Sendable {
    fileprivate var layers: [Layer] = []
    fileprivate let isStack: Bool

    /// - Parameter elements: of all together.
    init(reading reader: inout JSONReader, elements: Int) throws(JSONError) {
      var remaining = elements
      isStack = try reader.peek() == .array
      guard isStack else {
        layers.append(try Layer(reading: &reader, &remaining))
        return
      }
      try reader.readArray { reader, _ throws(JSONError) in layers.append(try Layer(reading: &reader, &remaining)) }
      if layers.isEmpty { throw .here(.missingMember("0")) }
    }

    /// The pointer to a layer's object.
    fileprivate func pointer(_ layer: Int) -> String { isStack ? "/weights/\(layer)" : "/weights" }
  }

  /// - Throws: `.memberRank` where a kernel has not three dimensions or a bias not one, `.convolution` where the shapes
  ///   do not make gated convolutions, or one does not take what the one before it gives.
  init(gate: Gate, _ tensors: Tensors, residual: Residual) throws(APIError) {
    var layers: [ConvolutionWeights] = []
    for (place, layer) in tensors.layers.enumerated() {
      layers.append(try Self.weights(gate, layer, pointer: tensors.pointer(place)))
    }
    weights = ConvolutionStackWeights(layers: layers, hasResiduals: residual == .blocks)
    self.tensors = tensors
    do { try weights.validate() } catch {
      var layer = 0
      if case .channels(let later, _, _) = error { layer = later }
      throw .convolution(error, pointer: tensors.pointer(layer))
    }
  }

  private static func weights(
    _ gate: Gate, _ layer: Layer, pointer: String
  ) throws(APIError) -> ConvolutionWeights {
    let (conv, bias) = (layer.conv, layer.bias)
    guard conv.shape.rank == 3 else { throw .memberRank("\(pointer)/conv", found: conv.shape, expected: 3) }
    if let bias, bias.shape.rank != 1 { throw .memberRank("\(pointer)/bias", found: bias.shape, expected: 1) }
    // Unsafe: the tensors outlive the views; they are this value's, which is packed before it goes.
    let weights = ConvolutionWeights(
      gate: gate,
      kernel: KernelView(
        base: UnsafeRawPointer(conv.storage.baseAddress), type: .f32, outputs: conv.shape[0],
        channelsIn: conv.shape[1], width: conv.shape[2]),
      bias: bias.map {
        VectorView(base: UnsafeRawPointer($0.storage.baseAddress), type: .f32, count: $0.shape.count)
      })
    do { try weights.validate() } catch { throw .convolution(error, pointer: pointer) }
    return weights
  }

  /// The packed stack. Takes as long as copying the weights: a worker's affair.
  func packed(kernels: Kernels) throws(ConvolutionError) -> ConvolutionStack {
    defer { withExtendedLifetime(tensors) {} }
    return try ConvolutionStack(weights, kernels: kernels)
  }
}

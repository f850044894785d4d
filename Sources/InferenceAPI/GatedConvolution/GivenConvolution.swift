internal import FeedForward
internal import TensorCoding

/// A gated convolution whose weights came with the request that it is for.
struct GivenConvolution: Sendable {
  /// Views into `tensors`.
  private let weights: ConvolutionWeights
  /// Keeps the views' memory.
  private let tensors: Tensors

  var gate: Gate { weights.gate }
  var channelsIn: Int { weights.channelsIn }
  var channelsOut: Int { weights.channelsOut }
  var width: Int { weights.kernel.width }

  /// `{"conv": [[[…]]], "bias": […]}`
  struct Tensors: Sendable {
    let conv: Tensor
    let bias: Tensor?

    /// - Parameter elements: of both together.
    init(reading reader: inout JSONReader, elements: Int) throws(JSONError) {
      var keys = KeySet()
      var remaining = elements
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

  /// - Throws: `.memberRank` where the kernel has not three dimensions or the bias not one, `.convolution` where the
  ///   shapes do not make a gated convolution.
  init(gate: Gate, _ tensors: Tensors) throws(APIError) {
    let (conv, bias) = (tensors.conv, tensors.bias)
    guard conv.shape.rank == 3 else { throw .memberRank("/weights/conv", found: conv.shape, expected: 3) }
    if let bias, bias.shape.rank != 1 { throw .memberRank("/weights/bias", found: bias.shape, expected: 1) }
    // Unsafe: the tensors outlive the views; they are this value's, which is packed before it goes.
    weights = ConvolutionWeights(
      gate: gate,
      kernel: KernelView(
        base: UnsafeRawPointer(conv.storage.baseAddress), type: .f32, outputs: conv.shape[0],
        channelsIn: conv.shape[1], width: conv.shape[2]),
      bias: bias.map {
        VectorView(base: UnsafeRawPointer($0.storage.baseAddress), type: .f32, count: $0.shape.count)
      })
    self.tensors = tensors
    do { try weights.validate() } catch { throw .convolution(error) }
  }

  /// The packed convolution. Takes as long as copying the weights: a worker's affair.
  func packed(kernels: Kernels) throws(ConvolutionError) -> ConvolutionStack {
    defer { withExtendedLifetime(tensors) {} }
    return try ConvolutionStack(ConvolutionStackWeights(layers: [weights], hasResiduals: false), kernels: kernels)
  }
}

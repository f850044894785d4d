internal import FeedForward
internal import TensorCoding

/// A layer whose weights came with the request that it is for.
struct GivenLayer: Sendable {
  /// Views into `tensors`.
  private let weights: LayerWeights
  /// Keeps the views' memory.
  private let tensors: [LayerTensor: Tensor]

  var gate: Gate { weights.gate }
  var dIn: Int { weights.gateProj.columns }
  var dFF: Int { weights.gateProj.rows }
  var dOut: Int { weights.downProj?.rows ?? dFF }
  var hasDownProjection: Bool { weights.downProj != nil }

  /// In the order of ``LayerTensor``.
  var tensorShapes: [(name: LayerTensor, shape: Shape)] {
    LayerTensor.allCases.compactMap { name in tensors[name].map { (name: name, shape: $0.shape) } }
  }

  /// - Throws: `.missingWeights` without one of the two projections that every layer has, `.weightsRank` where a
  ///   projection is no matrix or a bias no vector, `.weights` where the shapes do not make a layer.
  init(gate: Gate, tensors: [LayerTensor: Tensor]) throws(APIError) {
    guard let gateProj = try Self.matrix(.gateProj, tensors) else { throw .missingWeights(.gateProj) }
    guard let upProj = try Self.matrix(.upProj, tensors) else { throw .missingWeights(.upProj) }
    weights = LayerWeights(
      gate: gate, gateProj: gateProj, upProj: upProj, downProj: try Self.matrix(.downProj, tensors),
      gateBias: try Self.vector(.gateBias, tensors), upBias: try Self.vector(.upBias, tensors),
      downBias: try Self.vector(.downBias, tensors))
    self.tensors = tensors
    do { try weights.validate() } catch { throw .weights(error) }
  }

  /// The packed layer. Takes as long as copying the weights: a worker's affair.
  func packed(kernels: Kernels) throws(LayerError) -> FeedForwardLayer {
    defer { withExtendedLifetime(tensors) {} }
    return try FeedForwardLayer(weights, kernels: kernels)
  }

  private static func matrix(
    _ name: LayerTensor, _ tensors: [LayerTensor: Tensor]
  ) throws(APIError) -> MatrixView? {
    guard let tensor = tensors[name] else { return nil }
    guard tensor.shape.rank == 2 else { throw .weightsRank(name, found: tensor.shape, expected: 2) }
    // Unsafe: the tensors outlive the views; they are this layer's, which is packed before it goes.
    return MatrixView(
      base: UnsafeRawPointer(tensor.storage.baseAddress), type: .f32, rows: tensor.shape[0], columns: tensor.shape[1])
  }

  private static func vector(
    _ name: LayerTensor, _ tensors: [LayerTensor: Tensor]
  ) throws(APIError) -> VectorView? {
    guard let tensor = tensors[name] else { return nil }
    guard tensor.shape.rank == 1 else { throw .weightsRank(name, found: tensor.shape, expected: 1) }
    return VectorView(base: UnsafeRawPointer(tensor.storage.baseAddress), type: .f32, count: tensor.shape[0])
  }
}

internal import FeedForward
internal import TensorCoding

/// Memory for the gradients that a request asked for.
struct GradientStorage: Sendable {
  /// Of the question, as it came.
  private let gradOutput: Tensor
  private let inputShape: Shape
  let input: FloatStorage
  private let weights: [(name: LayerTensor, shape: Shape, storage: FloatStorage)]

  init(of subject: ForwardRequest.Subject, _ question: GradientQuestion, input shape: Shape) {
    gradOutput = question.gradOutput
    inputShape = shape
    input = FloatStorage(capacity: shape.count)
    let tensors = question.wantsWeights ? subject.tensorShapes ?? [] : []
    weights = tensors.map { ($0.name, $0.shape, FloatStorage(capacity: $0.shape.count)) }
  }

  /// Where the engine reads and writes.
  var planes: GradientPlanes {
    func address(_ name: LayerTensor) -> UnsafeMutablePointer<Float>? {
      weights.first { $0.name == name }?.storage.mutableAddress
    }
    var outputs: WeightGradientOutputs?
    if let gateProj = address(.gateProj), let upProj = address(.upProj) {
      outputs = WeightGradientOutputs(
        gateProj: gateProj, upProj: upProj, downProj: address(.downProj), gateBias: address(.gateBias),
        upBias: address(.upBias), downBias: address(.downBias))
    }
    return GradientPlanes(
      gradOutput: gradOutput.storage.baseAddress, gradInput: input.mutableAddress, weights: outputs)
  }

  /// The result, once the engine has filled the memory.
  func result() -> GradientResult {
    func tensor(_ storage: FloatStorage, _ shape: Shape) -> Tensor {
      storage.setCount(shape.count)
      return Tensor(shape: shape, storage: storage)
    }
    return GradientResult(
      input: tensor(input, inputShape), weights: weights.map { ($0.name, tensor($0.storage, $0.shape)) })
  }
}

/// Where a backward pass reads and writes.
///
/// Unsafe: addresses of memory that whoever made the value keeps while it is in use.
struct GradientPlanes {
  let gradOutput: UnsafePointer<Float>
  let gradInput: UnsafeMutablePointer<Float>
  /// Only of one request.
  let weights: WeightGradientOutputs?
}

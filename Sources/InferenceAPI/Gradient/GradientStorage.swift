internal import FeedForward
internal import TensorCoding

/// Memory for the gradients that a request asked for.
struct GradientStorage: Sendable {
  /// Of the question, as it came.
  private let gradOutput: Tensor
  private let inputShape: Shape
  let input: FloatStorage
  private let expertsShape: Shape?
  /// By what weights the experts that the request chose.
  let expertWeights: FloatStorage?
  private let subject: ForwardRequest.Subject
  private let weights: [(name: String, shape: Shape, storage: FloatStorage)]

  init(of request: ForwardRequest, _ question: GradientQuestion) {
    gradOutput = question.gradOutput
    subject = request.subject
    inputShape = request.input.shape
    input = FloatStorage(capacity: inputShape.count)
    expertsShape = request.experts?.weights.shape
    expertWeights = expertsShape.map { FloatStorage(capacity: $0.count) }
    let tensors =
      question.wantsWeights ? GradientTensors(of: subject, isRouted: request.experts == nil)?.all ?? [] : []
    weights = tensors.map { ($0.name, $0.shape, FloatStorage(capacity: $0.shape.count)) }
  }

  /// Where the engine reads and writes.
  var planes: GradientPlanes {
    GradientPlanes(
      gradOutput: gradOutput.storage.baseAddress, gradInput: input.mutableAddress,
      gradExpertWeights: expertWeights?.mutableAddress, weights: weightPlanes)
  }

  private var weightPlanes: GradientPlanes.Weights? {
    if weights.isEmpty { return nil }
    let addresses = Dictionary(uniqueKeysWithValues: weights.map { ($0.name, $0.storage.mutableAddress) })
    func layer(_ prefix: String) -> WeightGradientOutputs? {
      func address(_ tensor: LayerTensor) -> UnsafeMutablePointer<Float>? { addresses[prefix + tensor.rawValue] }
      guard let gateProj = address(.gateProj), let upProj = address(.upProj) else { return nil }
      return WeightGradientOutputs(
        gateProj: gateProj, upProj: upProj, downProj: address(.downProj), gateBias: address(.gateBias),
        upBias: address(.upBias), downBias: address(.downBias))
    }
    guard case .packed(.mixture(let mixture)) = subject else { return layer("").map { .layer($0) } }
    return .mixture(
      MixtureGradientOutputs(
        experts: mixture.held.compactMap { layer("experts.\($0).") }, shared: layer("shared."),
        router: addresses["router"], routerBias: addresses["router_bias"], sharedGate: addresses["shared_gate"],
        outputBias: addresses["output_bias"]))
  }

  /// The result, once the engine has filled the memory.
  func result() -> GradientResult {
    func tensor(_ storage: FloatStorage, _ shape: Shape) -> Tensor {
      storage.setCount(shape.count)
      return Tensor(shape: shape, storage: storage)
    }
    var ofExperts: Tensor?
    if let expertWeights, let expertsShape { ofExperts = tensor(expertWeights, expertsShape) }
    return GradientResult(
      input: tensor(input, inputShape), expertWeights: ofExperts,
      weights: weights.map { ($0.name, tensor($0.storage, $0.shape)) })
  }
}

/// Where a backward pass reads and writes.
///
/// Unsafe: addresses of memory that whoever made the value keeps while it is in use.
struct GradientPlanes {
  enum Weights {
    case layer(WeightGradientOutputs)
    case mixture(MixtureGradientOutputs)
  }

  let gradOutput: UnsafePointer<Float>
  let gradInput: UnsafeMutablePointer<Float>
  /// Only for experts that requests chose.
  let gradExpertWeights: UnsafeMutablePointer<Float>?
  /// Only of one request.
  let weights: Weights?
}

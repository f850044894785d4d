internal import Batching
internal import FeedForward
internal import TensorCoding

// POST /v1/gated-conv: as POST /v1/ffn, with whole sequences in place of rows.

extension InferenceAPI {
  func computeGatedConvolution(_ call: Call) {
    guard let catalog else { return call.fail(.notReady) }
    call.watchForCancellation()
    decode(call, BodySize(text: call.bodyBytes)) { [self] place in
      submitConvolution(call, catalog, at: place)
    }
  }

  private func submitConvolution(_ call: Call, _ catalog: ModelCatalog, at place: DecodingPlace) {
    let started = MonotonicClock.now()
    do {
      let request = try GatedConvolutionRequest(
        decoding: call.takeBody(), limits: requestLimits, crew: place.crew)
      let subject = try catalog.resolve(request.subject)
      call.isAbout(subject.label, rows: request.input.tensor.shape.leading)
      try subject.check(request.input.tensor.shape, configuration)
      let forward = ForwardRequest(
        subject: subject.convolution, input: request.input.tensor, experts: nil, activations: [],
        deadline: call.deadline(after: request.timeout))
      try compute(call, forward, decodedSince: started, at: place) { result in
        GatedConvolutionReply(request: request, subject: subject, result: result)
      }
    } catch {
      call.fail(error, timing: RequestTiming(decode: MonotonicClock.now() - started, queue: place.waited))
    }
  }
}

/// The convolution of a request, found.
struct ConvolutionSubject: Sendable {
  let convolution: ForwardRequest.Subject
  /// Nil for weights given in the request.
  let label: LayerLabel?
  let gate: Gate
  private let channelsIn: Int
  private let channelsLimit: Int
  /// The widest kernel's taps.
  private let width: Int
  private let multiplyAddsOfPosition: Int

  init(_ stack: ConvolutionStack, label: LayerLabel) {
    convolution = .packed(.convolution(stack))
    self.label = label
    gate = stack.gate
    (channelsIn, channelsLimit) = (stack.channelsIn, stack.channelsLimit)
    width = stack.widths.max() ?? 1
    multiplyAddsOfPosition = stack.multiplyAddsOfPosition
  }

  init(_ given: GivenConvolution) {
    convolution = .givenConvolution(given)
    label = nil
    gate = given.gate
    (channelsIn, channelsLimit) = (given.channelsIn, given.channelsLimit)
    width = given.width
    multiplyAddsOfPosition = given.multiplyAddsOfPosition
  }

  /// Checks what neither the body nor the convolution can say alone.
  ///
  /// - Throws: `.sequenceShape`, `.tooManyPositions`.
  func check(_ shape: Shape, _ configuration: APIConfiguration) throws(APIError) {
    guard shape.rank == 2 || shape.rank == 3, shape.last == channelsIn else {
      throw .sequenceShape(found: shape, channels: channelsIn)
    }
    // The reply, and what stands between the layers of a stack, have so many channels a position at most.
    let bySize = configuration.resultElementsLimit / channelsLimit
    // Sequences side by side are computed with the history between them.
    let sequences = shape.rank == 3 ? shape[0] : 1
    let byTime = configuration.multiplyAddsLimit / multiplyAddsOfPosition - (sequences - 1) * (width - 1)
    let limit = max(0, min(bySize, byTime))
    if shape.leading > limit { throw .tooManyPositions(found: shape.leading, limit: limit) }
  }
}

extension ModelCatalog {
  /// - Throws: `.noModel`, `.unknownModel`, `.unknownLayer`, `.layerNotReady`, `.notConvolution`.
  fileprivate func resolve(_ subject: GatedConvolutionRequest.Subject) throws(APIError) -> ConvolutionSubject {
    switch subject {
    case .given(let given): return ConvolutionSubject(given)
    case .served(let model, let layer):
      let (block, label) = try block(model, layer)
      guard case .convolution(let stack) = block else { throw .notConvolution }
      return ConvolutionSubject(stack, label: label)
    }
  }
}

/// The answer of `POST /v1/gated-conv`, before it is printed.
struct GatedConvolutionReply: ComputedReply {
  let request: GatedConvolutionRequest
  let subject: ConvolutionSubject
  let result: ForwardResult

  var tensors: [(name: String, tensor: Tensor)] { [(name: "output", tensor: result.output)] }
  var encoding: TensorEncoding { request.encoding }
  var datatype: Datatype { request.input.datatype }

  func write(to writer: inout JSONWriter) {
    writeHead(id: request.id, subject.label, subject.gate, to: &writer)
    write(result.output, as: "output", to: &writer)
  }
}

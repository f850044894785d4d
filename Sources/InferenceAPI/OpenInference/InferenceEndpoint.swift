internal import Batching
internal import FeedForward
internal import HTTP1
internal import TensorCoding

// POST /v2/models/{model}/infer, on the same way as POST /v1/ffn.

extension InferenceAPI {
  func infer(_ call: Call) {
    guard let catalog else { return call.fail(.notReady) }
    do {
      let served = try catalog.served(call.parameters)
      let header = try InferenceHeader(call.head.fields, bodyBytes: call.bodyBytes)
      call.watchForCancellation()
      decode(call, BodySize(text: header.jsonBytes, total: call.bodyBytes)) { [self] place in
        submitInference(call, served, header, at: place)
      }
    } catch {
      call.fail(error)
    }
  }

  private func submitInference(_ call: Call, _ named: ServedName, _ header: InferenceHeader, at place: DecodingPlace) {
    let started = MonotonicClock.now()
    do {
      let request: InferenceRequest
      switch header {
      case .json(let bytes):
        request = try InferenceRequest(
          decoding: call.takeBody(), jsonBytes: bytes,
          limits: TensorLimits(maxElements: configuration.bodyBytesLimit), crew: place.crew)
      case .raw:
        request = try InferenceRequest(raw: call.takeBody(), width: named.subject.dIn)
      }
      let served = try named.selecting(request.parameters.layer)
      let subject = served.subject
      call.isAbout(served.label, rows: request.input.shape.leading)
      try subject.check(
        request.input.shape, request.activations, request.experts, missing: request.missing, configuration)
      let forward = ForwardRequest(
        subject: subject.layer, input: request.input, experts: request.experts, missing: request.missing ?? .refuse,
        activations: request.activations,
        deadline: call.deadline(after: request.parameters.timeout),
        priority: request.parameters.priority)
      try compute(call, forward, decodedSince: started, at: place) { [name = served.text] result in
        InferenceReply(request: request, modelName: name, result: result)
      }
    } catch {
      call.fail(error, timing: RequestTiming(decode: MonotonicClock.now() - started, queue: place.waited))
    }
  }
}

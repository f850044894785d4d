internal import Batching
internal import FeedForward
internal import TensorCoding

// POST /v1/glu: I/O queue (decode) → worker (gate) → I/O queue (encode), as POST /v1/ffn; but nothing is joined with
// anything, so a request is a job of the pool's and no entry of its line. A large body is decoded by that same job.

extension InferenceAPI {
  func computeGate(_ call: Call) {
    guard catalog != nil else { return call.fail(.notReady) }
    call.watchForCancellation()
    let bytes = call.bodyBytes
    if BodySize(text: bytes).fits(configuration.inline) {
      guard let (request, timing) = decodeGate(call, at: .ioQueue()) else { return }
      inference.run(bytes: bytes) { [self] turn in
        var timing = timing
        timing.queue = turn.waited
        applyGate(call, request, timing)
      }
      return
    }
    // Chunked content has declared no length before.
    do { try inference.admit(bodyBytes: bytes) } catch { return call.fail(error) }
    inference.run(bytes: bytes) { [self] turn in
      if call.isOver { return }
      if let (request, timing) = decodeGate(call, at: .worker(turn)) { applyGate(call, request, timing) }
    }
  }

  /// Reads and checks the body; nil where the call has been answered with what is wrong.
  private func decodeGate(_ call: Call, at place: DecodingPlace) -> (GateRequest, RequestTiming)? {
    let started = MonotonicClock.now()
    var timing = RequestTiming(read: call.readTime, queue: place.waited)
    do {
      let request = try GateRequest(
        decoding: call.takeBody(), inputElements: configuration.bodyBytesLimit, crew: place.crew)
      call.isAbout(nil, rows: request.operands.shape.leading)
      try request.check(resultElements: configuration.resultElementsLimit)
      timing.decode = MonotonicClock.now() - started
      return (request, timing)
    } catch {
      timing.decode = MonotonicClock.now() - started
      call.fail(error, timing: timing)
      return nil
    }
  }

  /// Runs on a worker.
  private func applyGate(_ call: Call, _ request: GateRequest, _ timing: RequestTiming) {
    if call.isOver { return }
    let started = MonotonicClock.now()
    if let deadline = call.deadline(after: request.timeout), started >= deadline {
      return call.fail(.deadlineExceeded, timing: timing)
    }
    let result = request.result(kernels: configuration.kernels)
    var timing = timing
    timing.compute = MonotonicClock.now() - started
    timing.batchRows = result.output.shape.leading
    timing.batchRequests = 1
    answer(call, GateReply(request: request, result: result), timing)
  }
}

/// The answer of `POST /v1/glu`, before it is printed.
struct GateReply: ComputedReply {
  let request: GateRequest
  let result: GateResult

  var tensors: [(name: String, tensor: Tensor)] {
    [(name: "output", tensor: result.output)]
      + (result.derivative.map { [(name: "derivative.a", tensor: $0.a), (name: "derivative.b", tensor: $0.b)] } ?? [])
  }

  var encoding: TensorEncoding { request.encoding }
  var datatype: Datatype { request.datatype }

  func write(to writer: inout JSONWriter) {
    if let id = request.id { writer.string(id, as: "id") }
    writer.string(request.gate.wireName, as: "variant")
    write(result.output, as: "output", to: &writer)
    if let derivative = result.derivative {
      writer.member("derivative")
      writer.object { writer in
        write(derivative.a, as: "a", to: &writer)
        write(derivative.b, as: "b", to: &writer)
      }
    }
  }
}

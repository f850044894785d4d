internal import Batching
internal import TensorCoding

// The way of a request that asks for a forward pass, whatever its body and its reply look like: I/O queue (decode) →
// worker (forward) → I/O queue (encode). What takes longer than an I/O queue may be held is decoded or encoded on a
// worker instead, by the same code.

/// Where a body is decoded.
enum DecodingPlace: Sendable {
  case ioQueue(crew: Crew? = nil)
  case worker(JobTurn)

  /// Time that it waited for the worker.
  var waited: Nanoseconds {
    switch self {
    case .ioQueue: 0
    case .worker(let turn): turn.waited
    }
  }

  /// Who helps.
  var crew: Crew? {
    switch self {
    case .ioQueue(let crew): crew
    case .worker(let turn): turn.crew
    }
  }
}

extension InferenceAPI {
  /// Lets a body be decoded: at once where that is brief or nobody else is served, or by a worker in its turn.
  ///
  /// - Parameter body: gets where it is decoded.
  func decode(_ call: Call, _ size: BodySize, _ body: @escaping @Sendable (DecodingPlace) -> Void) {
    if size.fits(configuration.inline) { return body(.ioQueue()) }
    if call.isSettled, size.fits(configuration.inline.alone), inference.isAlone {
      return body(.ioQueue(crew: inference.helpAtRest(bytes: size.text)))
    }
    // Chunked content has declared no length before.
    do { try inference.admit(bodyBytes: call.bodyBytes) } catch { return call.fail(error) }
    inference.run(bytes: call.bodyBytes) { turn in
      if !call.isOver { body(.worker(turn)) }
    }
  }

  /// Puts a checked request in the line, and answers the call with what `reply` makes of its result.
  ///
  /// - Parameters:
  ///   - started: when its decoding began.
  ///   - place: where it was decoded.
  func compute<Reply: ResultReply>(
    _ call: Call, _ request: ForwardRequest, decodedSince started: Nanoseconds, at place: DecodingPlace,
    reply: @escaping @Sendable (ForwardResult) -> Reply
  ) throws(APIError) {
    let submitted = MonotonicClock.now()
    let timing = RequestTiming(read: call.readTime, decode: submitted - started, queue: place.waited)
    let withdraw = try inference.submit(request, id: call.id, from: place, isSettled: call.isSettled) { [self] result in
      var timing = timing
      switch result {
      case .success(let result):
        if call.isOver { return }
        timing.add(result)
        answer(call, reply(result), timing)
      case .failure(let error):
        timing.queue += MonotonicClock.now() - submitted
        call.fail(error, timing: timing)
      }
    }
    call.setWithdrawal(withdraw)
  }
}

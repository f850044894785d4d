internal import Batching
internal import FeedForward
internal import HTTP1
internal import TensorCoding

/// A reply made of computed tensors, before its bytes are.
protocol ResultReply: Sendable {
  /// Looks for a number that the reply cannot hold.
  ///
  /// - Throws: `.nonFinite` with the index of the first one.
  func checkFinite() throws(APIError)

  /// Whether its bytes may be made on an I/O queue.
  func fits(_ limits: InlineLimits) -> Bool

  /// A guess at the reply's length.
  var likelyBytes: Int { get }

  /// Makes the reply's bytes and completes its timing.
  ///
  /// - Parameters:
  ///   - timing: all but `encode` and `total`.
  ///   - crew: helps where it is large.
  func response(_ timing: RequestTiming, receivedAt: Nanoseconds, crew: Crew?) -> (Response, RequestTiming)
}

/// A reply that is one JSON object, whose last member is its timing.
protocol ComputedReply: ResultReply {
  /// Every tensor of the reply, by the name that a problem gives it, in the order in which they are printed.
  var tensors: [(name: String, tensor: Tensor)] { get }
  var encoding: TensorEncoding { get }
  /// What the elements are rounded to in base64: the input's datatype. Numbers in JSON are float32.
  var datatype: Datatype { get }

  /// Prints all members but `timing`.
  func write(to writer: inout JSONWriter)
}

extension ComputedReply {
  /// Numbers to print.
  private var elements: Int { tensors.reduce(0) { $0 + $1.tensor.shape.count } }

  func fits(_ limits: InlineLimits) -> Bool { elements <= limits.replyNumbers }

  /// A number has nine digits, a sign, a point and a comma, and an exponent where it is
  /// rare.
  var likelyBytes: Int { 512 + elements * (encoding == .base64 ? 6 : 12) }

  func checkFinite() throws(APIError) {
    for (name, tensor) in tensors {
      if let place = tensor.firstNonFinite(as: encoding == .base64 ? datatype : .fp32) {
        throw .nonFinite(tensor: name, index: tensor.shape.index(of: place))
      }
    }
  }

  /// Prints what a reply says first: the request's id, which layer answered, and its gate.
  func writeHead(id: String?, _ label: LayerLabel?, _ gate: Gate, to writer: inout JSONWriter) {
    if let id { writer.string(id, as: "id") }
    if let label {
      writer.string(label.model, as: "model")
      writer.string(label.layer, as: "layer")
    }
    writer.string(gate.wireName, as: "variant")
  }

  /// Prints a tensor as the reply's value of the member `name`.
  func write(_ tensor: Tensor, as name: String, to writer: inout JSONWriter) {
    writer.member(named: name)
    writer.tensor(tensor, encoding: encoding, datatype: datatype)
  }

  /// The timing is printed last, so that it knows how long the rest took.
  func response(_ timing: RequestTiming, receivedAt: Nanoseconds, crew: Crew?) -> (Response, RequestTiming) {
    let started = MonotonicClock.now()
    var timing = timing
    var writer = JSONWriter(reserving: likelyBytes, crew: crew)
    writer.object { writer in
      write(to: &writer)
      let now = MonotonicClock.now()
      timing.encode = now - started
      timing.total = now - receivedAt
      writer.member("timing")
      writer.timing(timing)
    }
    var response = Response.json(writer)
    response.fields.append(.serverTiming, timing.serverTiming)
    return (response, timing)
  }
}

extension InferenceAPI {
  /// Answers with what was computed: a small reply is made on the I/O queue, and a larger one where nobody else is
  /// served; what is larger still is made by a worker in its turn.
  ///
  /// To be called by what runs in the pool: whoever ran it looks at the line next.
  ///
  /// - Parameter timing: all but `encode` and `total`.
  func answer(_ call: Call, _ reply: some ResultReply, _ timing: RequestTiming) {
    do {
      try reply.checkFinite()
    } catch {
      return call.fail(error, timing: timing)
    }
    if reply.fits(configuration.inline) || reply.fits(configuration.inline.alone) && inference.isAlone {
      return call.answerOnIOQueue { [inference] in
        reply.response(
          timing, receivedAt: call.receivedAt, crew: inference.helpAtRest(bytes: reply.likelyBytes))
      }
    }
    inference.run(bytes: reply.likelyBytes, from: .worker) { turn in
      if call.isOver { return }
      var timing = timing
      timing.queue += turn.waited
      let (response, finalTiming) = reply.response(timing, receivedAt: call.receivedAt, crew: turn.crew)
      call.answer(response, timing: finalTiming)
    }
  }
}

extension Shape {
  /// The index in each dimension of the row-major element `place`.
  func index(of place: Int) -> [Int] {
    var rest = place
    var index: [Int] = []
    for size in dims.reversed() {
      index.append(rest % size)
      rest /= size
    }
    return index.reversed()
  }
}

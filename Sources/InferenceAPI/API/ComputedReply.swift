internal import Batching
internal import HTTP1
internal import TensorCoding

/// A reply made of computed tensors, before it is printed.
protocol ComputedReply: Sendable {
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
  var elements: Int { tensors.reduce(0) { $0 + $1.tensor.shape.count } }

  /// A guess at the reply's length: a number has nine digits, a sign, a point and a comma, and an exponent where it is
  /// rare.
  var likelyBytes: Int { 512 + elements * (encoding == .base64 ? 6 : 12) }

  /// Looks for a number that JSON, or the reply's datatype, cannot hold.
  ///
  /// - Throws: `.nonFinite` with the index of the first one.
  func checkFinite() throws(APIError) {
    for (name, tensor) in tensors {
      if let place = tensor.firstNonFinite(as: encoding == .base64 ? datatype : .fp32) {
        throw .nonFinite(tensor: name, index: tensor.shape.index(of: place))
      }
    }
  }

  /// Prints a tensor as the reply's value of the member `name`.
  func write(_ tensor: Tensor, as name: String, to writer: inout JSONWriter) {
    writer.member(name)
    writer.tensor(tensor, encoding: encoding, datatype: datatype)
  }

  /// Prints the reply and completes its timing; the timing is printed last, so that it knows how long the rest took.
  ///
  /// - Parameter timing: all but `encode` and `total`.
  fileprivate func response(_ timing: RequestTiming, receivedAt: Nanoseconds) -> (Response, RequestTiming) {
    let started = MonotonicClock.now()
    var timing = timing
    var writer = JSONWriter(reserving: likelyBytes)
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
  /// Answers with what was computed: a small reply is printed on the I/O queue, a large one by a worker in its turn.
  ///
  /// - Parameter timing: all but `encode` and `total`.
  func answer(_ call: Call, _ reply: some ComputedReply, _ timing: RequestTiming) {
    do {
      try reply.checkFinite()
    } catch {
      return call.fail(error, timing: timing)
    }
    if reply.elements <= configuration.inlineReplyElements {
      call.answerOnIOQueue { reply.response(timing, receivedAt: call.receivedAt) }
      return
    }
    inference.run(bytes: reply.likelyBytes) { waited in
      if call.isOver { return }
      var timing = timing
      timing.queue += waited
      let (response, finalTiming) = reply.response(timing, receivedAt: call.receivedAt)
      call.answer(response, timing: finalTiming)
    }
  }
}

extension Shape {
  /// The index in each dimension of the row-major element `place`.
  fileprivate func index(of place: Int) -> [Int] {
    var rest = place
    var index: [Int] = []
    for size in dims.reversed() {
      index.append(rest % size)
      rest /= size
    }
    return index.reversed()
  }
}

package import HTTP1
internal import Batching
internal import Metrics
internal import Synchronization

/// A request as the transport hands it over, whole.
package struct APIRequest: Sendable {
  package let head: RequestHead
  package let body: [UInt8]
  /// When its first byte was read.
  package let receivedAt: Nanoseconds
  /// When its last byte was read.
  package let completedAt: Nanoseconds
  /// What the verdict on its head has found.
  package let admitted: AdmittedRequest
  /// Whether the transport calls ``InferenceAPI/settle()`` at the end of its turn, before it waits for anything.
  package let isSettled: Bool

  package init(
    head: RequestHead, body: [UInt8], receivedAt: Nanoseconds, completedAt: Nanoseconds, admitted: AdmittedRequest,
    isSettled: Bool = false
  ) {
    self.isSettled = isSettled
    self.head = head
    self.body = body
    self.receivedAt = receivedAt
    self.completedAt = completedAt
    self.admitted = admitted
  }
}

/// Where a request's answer goes: the transport's exchange, as three closures. One of the first two is called, once.
package struct ReplySink: Sendable {
  /// Sends a response that is ready. From any thread.
  package var respond: @Sendable (Response) -> Void
  /// Sends what the closure makes, which runs on the connection's I/O queue: for replies that are printed sooner than
  /// they are handed over. Never called where the client has gone.
  package var respondOnIOQueue: @Sendable (@escaping @Sendable () -> Response) -> Void
  /// Calls the closure when nobody waits for the answer any more; at once if it is so already.
  package var onCancel: @Sendable (@escaping @Sendable (Cancellation) -> Void) -> Void

  /// Why nobody waits for the answer.
  package enum Cancellation: Sendable {
    case clientGone
    /// The transport gives another answer in its place, and asks for it with a ``TransportFailure``.
    case answeredByTransport
  }

  package init(
    respond: @escaping @Sendable (Response) -> Void,
    respondOnIOQueue: @escaping @Sendable (@escaping @Sendable () -> Response) -> Void,
    onCancel: @escaping @Sendable (@escaping @Sendable (Cancellation) -> Void) -> Void
  ) {
    self.respond = respond
    self.respondOnIOQueue = respondOnIOQueue
    self.onCancel = onCancel
  }
}

/// One request from its hand-over to its end: it is answered at most once, and recorded once. (What the transport
/// answers in its place is recorded with that answer.)
final class Call: Sendable {
  let head: RequestHead
  let receivedAt: Nanoseconds
  /// Time between the first byte and the last.
  let readTime: Nanoseconds
  let bodyBytes: Int
  /// Whether the I/O queue's turn is settled at its end.
  let isSettled: Bool
  /// The decoded segments that the route's pattern leaves open, from left to right.
  let parameters: [String]
  private let admitted: AdmittedRequest
  private let sink: ReplySink
  private let inFlight: Gauge
  private let record: @Sendable (RequestOutcome) -> Void
  private let state: Mutex<State>

  private struct State {
    var isOver = false
    /// Whether an answer waits for its turn on the I/O queue.
    var isDeferred = false
    var body: [UInt8]
    var layer: LayerLabel?
    var rows = 0
    /// Takes the request out of the line in which it waits.
    var withdraw: (@Sendable () -> Void)?
  }

  init(
    _ request: APIRequest, parameters: [String], sink: ReplySink, inFlight: Gauge,
    record: @escaping @Sendable (RequestOutcome) -> Void
  ) {
    admitted = request.admitted
    head = request.head
    receivedAt = request.receivedAt
    readTime = request.completedAt - request.receivedAt
    bodyBytes = request.body.count
    isSettled = request.isSettled
    state = Mutex(State(body: request.body))
    self.parameters = parameters
    self.sink = sink
    self.inFlight = inFlight
    self.record = record
    inFlight.add(1)
  }

  deinit {
    inFlight.add(-1)
    // An answer that is let go unmade was nobody's any more.
    if state.withLock({ $0.isDeferred }) { end(.clientGone, timing: timed(RequestTiming()), responseBytes: 0) }
  }

  var id: RequestID { admitted.id }

  var fields: Fields { head.fields }

  /// Whether nobody waits for the answer any more.
  var isOver: Bool { state.withLock { $0.isOver } }

  /// When the request stops being worth an answer.
  ///
  /// - Parameter timeout: from its first byte on; nil for no deadline.
  func deadline(after timeout: Nanoseconds?) -> Nanoseconds? { timeout.map { receivedAt + $0 } }

  /// The body, given away: its memory goes with whoever decodes it.
  func takeBody() -> [UInt8] {
    state.withLock { state in
      defer { state.body = [] }
      return state.body
    }
  }

  /// What the request turned out to be about, for its outcome.
  func isAbout(_ layer: LayerLabel?, rows: Int) {
    state.withLock {
      $0.layer = layer
      $0.rows = rows
    }
  }

  /// Ends the call when nobody waits for its answer. To be called where the answer takes longer than the I/O queue's
  /// turn.
  func watchForCancellation() {
    sink.onCancel { [weak self] cancellation in self?.cancel(cancellation) }
  }

  /// What to do when the call is cancelled; done at once if it has been.
  func setWithdrawal(_ withdraw: @escaping @Sendable () -> Void) {
    let isTooLate = state.withLock { state in
      if !state.isOver { state.withdraw = withdraw }
      return state.isOver
    }
    if isTooLate { withdraw() }
  }

  private func cancel(_ cancellation: ReplySink.Cancellation) {
    let withdraw = state.withLock { $0.withdraw }
    switch cancellation {
    case .clientGone: end(.clientGone, timing: timed(RequestTiming()), responseBytes: 0)
    case .answeredByTransport: _ = close()
    }
    withdraw?()
  }

  // MARK: Answers

  /// Sends what was asked for.
  func answer(_ response: Response, timing: RequestTiming? = nil) {
    var response = response
    admitted.sign(&response)
    end(.answered(response.status), timing: timing ?? timed(RequestTiming()), responseBytes: response.body.count)
    sink.respond(response)
  }

  /// Sends what was asked for, made on the connection's I/O queue.
  func answerOnIOQueue(_ make: @escaping @Sendable () -> (Response, RequestTiming)) {
    state.withLock { $0.isDeferred = true }
    sink.respondOnIOQueue {
      var (response, timing) = make()
      self.admitted.sign(&response)
      self.end(.answered(response.status), timing: timing, responseBytes: response.body.count)
      return response
    }
  }

  /// Sends a problem in place of what was asked for.
  ///
  /// - Parameter timing: the phases that the request has been through, beside its reading.
  func fail(_ error: APIError, timing: RequestTiming = RequestTiming()) {
    let problem = Problem(error)
    let response = problem.response(to: admitted, form: ErrorForm(path: head.path))
    end(.problem(problem.type), timing: timed(timing), responseBytes: response.body.count)
    sink.respond(response)
  }

  /// The phases with what every call has: its reading, and its whole time until now.
  private func timed(_ phases: RequestTiming) -> RequestTiming {
    var timing = phases
    timing.read = readTime
    timing.total = MonotonicClock.now() - receivedAt
    return timing
  }

  private func end(_ ending: RequestOutcome.Ending, timing: RequestTiming, responseBytes: Int) {
    guard let last = close() else { return }
    record(
      RequestOutcome(
        admitted, ending, layer: last.layer, rows: last.rows, timing: timing, requestBytes: bodyBytes,
        responseBytes: responseBytes))
  }

  /// - Returns: what is known of the request, where it was not over before.
  private func close() -> (layer: LayerLabel?, rows: Int)? {
    state.withLock { state in
      if state.isOver { return nil }
      state.isOver = true
      state.withdraw = nil
      admitted.permit?.end()
      return (state.layer, state.rows)
    }
  }
}

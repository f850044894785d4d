internal import HTTP1

/// One connection: its wire, its side of HTTP, and the requests that a handler has.
///
/// It belongs to its shard's loop. Events of the socket come in by `becameReady`, answers by `take`; what they have to
/// say to the client goes out by `flush`, at the end of the turn, so that all answers of a turn share one write. An
/// idle connection holds no buffer: bytes are received through the loop's scratch memory, and sent from buffers of its
/// pool.
final class Connection {
  private enum Phase {
    case serving
    /// All answers are given out; once they are sent, the connection ends.
    case closing(lingers: Bool)
    /// Our side has ended; what the client still sends is dropped (RFC 9112, 9.6).
    case lingering
    case closed
  }

  /// Why what was received isn't interpreted further for now.
  enum Pause {
    /// Answers have to go out first.
    case answers
    /// Content that came is still being decoded.
    case inflating
  }

  /// A request that a handler has and hasn't answered.
  private struct OpenExchange {
    let id: ExchangeID
    let head: RequestHead
    let receivedAt: UInt64
    let context: (any RequestContext)?
    weak var exchange: Exchange?
  }

  let id: ConnectionID
  let loop: ShardLoop
  let wire: Wire
  var info: ConnectionInfo
  /// Whether the loop has it on its list of those to flush, and of those to go on with.
  var isTouched = false
  var isUnfinished = false

  var state: ConnectionState
  var deadlines: ConnectionDeadlines
  var input = InputBuffer()
  var hasInputEnded = false
  var pause: Pause?
  /// The request whose content is coming.
  var incoming: IncomingRequest?
  /// Requests whose answers haven't been given out.
  var requestsBegun = 0

  private var phase = Phase.serving
  /// Whether answers may be ready that wait for the client to take those before them.
  private var isHoldingBack = false
  private var openExchanges: [OpenExchange] = []

  init(id: ConnectionID, wire: Wire, info: ConnectionInfo, loop: ShardLoop) {
    self.id = id
    self.wire = wire
    self.info = info
    self.loop = loop
    state = ConnectionState(limits: loop.configuration.limits)
    deadlines = ConnectionDeadlines(acceptedAt: monotonicNanoseconds(), isShakingHands: wire.isSecure)
  }

  var isServing: Bool {
    if case .serving = phase { true } else { false }
  }

  var isLingering: Bool {
    if case .lingering = phase { true } else { false }
  }

  var isClosed: Bool {
    if case .closed = phase { true } else { false }
  }

  /// Whether the client has so many answer bytes to take that nothing more is read of it.
  var isBackedUp: Bool { wire.unsentBytes > loop.configuration.capacity.unsentBytes }

  /// Whether it is between requests: then closing takes nothing from the client but the next one's way.
  private var isIdle: Bool {
    isServing && state.expectation == .request && requestsBegun == 0 && wire.unsentBytes == 0
  }
}

// MARK: - Events

extension Connection {
  /// The connection is in the loop's table and its socket is watched.
  func begin() {
    if loop.isDraining { drain() } else { updateDeadline() }
  }

  func becameReady(_ readiness: PollSet.Readiness) {
    if readiness.isHungUp { return abort() }
    if readiness.isPeerFinished { wire.isPeerFinished = true }
    if readiness.isWritable, !wire.isWritable {
      wire.isWritable = true
      loop.touch(self)
    }
    if readiness.isReadable {
      wire.isReadable = true
      read()
    }
  }

  /// Takes a handler's answer.
  func take(_ answer: Answer, forRequest id: ExchangeID) {
    let place = openExchanges.firstIndex { $0.id == id }
    let open = place.map { openExchanges.remove(at: $0) }
    switch answer {
    case .ready(let response): state.respond(to: id, with: response)
    case .deferred(let make):
      guard let response = make() else { return }
      state.respond(to: id, with: response)
    case .missing: state.respond(to: id, with: self.answer(to: .unanswered, failed(open)))
    }
    loop.touch(self)
  }

  /// The server is going: no further request is read, but what has begun is finished.
  func drain() {
    // What a client sent before it could know is served.
    read()
    if isIdle { beginClosing(lingers: false) }
    state.drain()
    loop.touch(self)
  }

  func deadlinePassed(now: UInt64) {
    guard let next = nextDeadline, next.time <= now else { return updateDeadline() }
    switch next.cause {
    case .linger, .write, .handshake: return abort()
    case .idle: beginClosing(lingers: false)
    case .head, .body:
      if let id = state.refuseInput() {
        if next.cause == .head { requestsBegun += 1 }
        refuse(.requestTimeout, id)
      }
    case .total:
      guard let oldest = openExchanges.first else { break }
      openExchanges.removeFirst()
      oldest.exchange?.cancel(.answerTimeout)
      refuse(.answerTimeout, oldest.id, failed(oldest))
    case .hangUpProbe: probe(now)
    }
    loop.touch(self)
  }

  /// Finds out whether a client that has ended its side still reads.
  ///
  /// One that has closed looks the same until something is sent to it: then it resets. An unasked-for 100 (Continue)
  /// may be sent to any client of HTTP/1.1, and is discarded by it (RFC 9110, 15.2).
  private func probe(_ now: UInt64) {
    deadlines.hangUpProbed(at: now)
    guard let oldest = openExchanges.first, oldest.head.version == .http11, wire.unsentBytes == 0 else { return }
    deadlines.writeBegan(at: now)
    wire.append(from: &loop.pool) { ResponseEncoder.appendContinue(to: &$0) }
  }

  /// Ends the connection at once, whatever it was doing.
  func abort() {
    guard !isClosed else { return }
    phase = .closed
    input.removeAll()
    wire.removeAll(returningTo: &loop.pool)
    cancelAll()
    loop.remove(self)
  }
}

// MARK: - Requests

extension Connection {
  /// Hands a complete request to the handler.
  func handle(_ request: Request, _ id: ExchangeID) {
    let place = Exchange.Place(connection: self.id, request: id)
    let exchange = Exchange(place: place, mailbox: loop.mailbox, coding: loop.replyCoding, fields: request.head.fields)
    loop.handle(request, exchange)
    // An answer that was given at once needs no looking after.
    guard exchange.isOpen else { return }
    openExchanges.append(
      OpenExchange(
        id: id, head: request.head, receivedAt: request.receivedAt, context: request.context, exchange: exchange))
  }

  /// Answers in the handler's place.
  ///
  /// - Parameter request: what is known of it, where it is no longer on its way.
  func refuse(_ failure: ServerFailure, _ id: ExchangeID, _ request: FailedRequest? = nil) {
    var request = request
    if incoming?.id == id {
      if let incoming = incoming.take() { request = failed(incoming.head, incoming.context, incoming.receivedAt) }
      if pause == .inflating { pause = nil }
    }
    state.respond(to: id, with: answer(to: failure, request ?? failed(nil, nil, deadlines.requestReceivedAt)))
    loop.touch(self)
  }

  private func failed(_ open: OpenExchange?) -> FailedRequest { failed(open?.head, open?.context, open?.receivedAt) }

  func failed(_ head: RequestHead?, _ context: (any RequestContext)?, _ receivedAt: UInt64?) -> FailedRequest {
    FailedRequest(head: head, context: context, peer: info.peer, receivedAt: receivedAt)
  }

  func answer(to failure: ServerFailure, _ request: FailedRequest) -> Response {
    var response = loop.handler.failure(failure, request)
    // RFC 9110, 12.5.3: what the client may try instead.
    if failure == .undecodable(.unsupported) { response.fields.set(.acceptEncoding, ContentCoding.accepted) }
    return response
  }

  func cancelAll() {
    incoming = nil
    let waiting = openExchanges
    openExchanges = []
    for open in waiting { open.exchange?.cancel(.clientGone) }
  }
}

// MARK: - Out

extension Connection {
  /// Sends what the client is owed, and reads on where answers made room.
  func flush() {
    guard !isClosed else { return }
    var sending: OutputQueue.Sending
    repeat {
      giveOut()
      sending = send()
      if sending == .failed { return abort() }
      // Answers that were held back while the client had too much to take.
    } while isHoldingBack && !isBackedUp && sending != .budgetSpent
    if sending == .budgetSpent { loop.revisit(self) }
    if sending == .emptied, case .closing(let lingers) = phase { return end(lingers: lingers) }
    if pause == .answers, !isBackedUp {
      pause = nil
      // In the next turn: requests sent in advance wait for those of others.
      loop.revisit(self)
    }
    updateDeadline()
  }

  /// Encodes the answers whose turn has come, as long as the client takes them.
  private func giveOut() {
    isHoldingBack = false
    while isServing {
      if isBackedUp {
        isHoldingBack = true
        return
      }
      guard let next = state.nextOutput() else { return }
      if wire.unsentBytes == 0 { deadlines.writeBegan(at: monotonicNanoseconds()) }
      switch next {
      case .continue: wire.append(from: &loop.pool) { ResponseEncoder.appendContinue(to: &$0) }
      case .response(let response, let framing, _):
        requestsBegun -= 1
        encode(response, framing)
      case .close(let lingers): beginClosing(lingers: lingers)
      }
    }
  }

  private func encode(_ response: Response, _ framing: ResponseEncoder.Framing) {
    let date = loop.date
    guard response.body.count > Self.joinedBodyBytes else {
      return wire.append(from: &loop.pool) { ResponseEncoder.append(response, framing, date: date, to: &$0) }
    }
    var hasBody = false
    wire.append(from: &loop.pool) { hasBody = ResponseEncoder.appendHead(response, framing, date: date, to: &$0) }
    if hasBody { wire.append(response.body) }
  }

  /// Up to here a body is copied behind its head: cheaper than a second part in the syscall.
  private static let joinedBodyBytes = 16 << 10

  private func send() -> OutputQueue.Sending {
    let before = wire.unsentBytes
    let sending = wire.send(returningTo: &loop.pool)
    if before > 0 {
      let now = monotonicNanoseconds()
      deadlines.written(max(0, before - wire.unsentBytes), at: now)
      if sending == .emptied { deadlines.becameIdle(at: now) }
    }
    return sending
  }

  func beginClosing(lingers: Bool) {
    phase = .closing(lingers: lingers)
    wire.finish()
  }

  private func end(lingers: Bool) {
    guard lingers, !hasInputEnded else { return abort() }
    Socket.endSending(wire.socket.number)
    phase = .lingering
    deadlines.lingeringBegan(at: monotonicNanoseconds())
    pause = nil
    input.removeAll()
    read()
  }

  private var nextDeadline: (time: UInt64, cause: ConnectionDeadlines.Cause)? {
    deadlines.next(
      loop.timeouts, expectation: state.expectation, isReading: pause == nil, isWriting: wire.unsentBytes > 0,
      oldestUnanswered: openExchanges.first?.receivedAt)
  }

  func updateDeadline() {
    guard !isClosed else { return }
    loop.setDeadline(nextDeadline?.time, of: id)
  }
}

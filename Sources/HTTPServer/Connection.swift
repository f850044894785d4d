internal import HTTP1

/// One connection: its socket, its side of HTTP, and what lies between them.
///
/// It belongs to its shard's loop. Events of the socket come in by `becameReady`, answers by `take`; what they have to
/// say to the client goes out by `flush`, at the end of the turn, so that all answers of a turn share one write. An
/// idle connection holds no buffer: bytes are received through the loop's scratch memory, and sent from buffers of its pool.
final class Connection {
  private enum Phase {
    case serving
    /// All answers are given out; once they are sent, the connection ends.
    case closing(lingers: Bool)
    /// Our side has ended; what the client still sends is dropped (RFC 9112, 9.6).
    case lingering
    case closed
  }

  /// A request that a handler has and hasn't answered.
  private struct OpenExchange {
    let id: ExchangeID
    let receivedAt: UInt64
    weak var exchange: Exchange?
  }

  let id: ConnectionID
  let info: ConnectionInfo
  let descriptor: Descriptor
  unowned let loop: ShardLoop
  /// Whether the loop has it on its list of those to flush, and of those to read on.
  var isTouched = false
  var isUnfinished = false

  var state: ConnectionState
  var deadlines: ConnectionDeadlines
  var input = InputBuffer()
  /// The request whose content is coming.
  var incoming: IncomingRequest?
  /// Requests whose answers haven't been given out.
  var requestsBegun = 0
  /// Whether the socket may have something to read, by what its edges told.
  var isReadable = false
  /// Whether the peer's end of stream is on its way or here.
  var isPeerFinished = false
  var hasInputEnded = false
  /// Whether reading waits for answers to go out, and not for the client.
  var isPaused = false

  private var phase = Phase.serving
  private var output = OutputQueue()
  private var isWritable = true
  /// Whether answers may be ready that wait for the client to take those before them.
  private var isHoldingBack = false
  private var openExchanges: [OpenExchange] = []

  init(id: ConnectionID, descriptor: consuming Descriptor, info: ConnectionInfo, loop: ShardLoop) {
    self.id = id
    self.descriptor = descriptor
    self.info = info
    self.loop = loop
    state = ConnectionState(limits: loop.configuration.limits)
    deadlines = ConnectionDeadlines(acceptedAt: monotonicNanoseconds(), isShakingHands: false)
  }

  var isServing: Bool {
    if case .serving = phase { true } else { false }
  }

  var isLingering: Bool {
    if case .lingering = phase { true } else { false }
  }

  /// Whether it is between requests: then closing takes nothing from the client but the next one's way.
  private var isIdle: Bool {
    isServing && state.expectation == .request && requestsBegun == 0 && output.isEmpty
  }

  var isClosed: Bool {
    if case .closed = phase { true } else { false }
  }

  /// Whether the client has so many answer bytes to take that nothing more is read of it.
  var isBackedUp: Bool { output.count > loop.configuration.capacity.unsentBytes }
}

// MARK: - Events

extension Connection {
  /// The connection is in the loop's table and its socket is watched.
  func begin() {
    if loop.isDraining {
      drain()
    } else {
      updateDeadline()
    }
  }

  func becameReady(_ readiness: PollSet.Readiness) {
    if readiness.isHungUp { return abort() }
    if readiness.isPeerFinished { isPeerFinished = true }
    if readiness.isWritable, !isWritable {
      isWritable = true
      loop.touch(self)
    }
    if readiness.isReadable {
      isReadable = true
      read()
    }
  }

  /// Takes a handler's answer.
  func take(_ answer: Answer, forRequest id: ExchangeID) {
    openExchanges.removeAll { $0.id == id }
    let response: Response
    switch answer {
    case .ready(let ready): response = ready
    case .deferred(let make): response = make()
    case .missing: response = loop.handler.failure(.unanswered)
    }
    state.respond(to: id, with: response)
    loop.touch(self)
  }

  /// The server is going: no further request is read, but what has begun is finished.
  func drain() {
    // What a client sent before it could know is served.
    read()
    if isIdle { return abort() }
    state.drain()
    loop.touch(self)
  }

  func deadlinePassed(now: UInt64) {
    guard let next = nextDeadline, next.time <= now else { return updateDeadline() }
    switch next.cause {
    case .idle, .linger, .write, .handshake: return abort()
    case .head, .body:
      if let id = state.refuseInput() {
        if next.cause == .head { requestsBegun += 1 }
        incoming = nil
        state.respond(to: id, with: loop.handler.failure(.requestTimeout))
      }
    case .total:
      guard let oldest = openExchanges.first else { break }
      openExchanges.removeFirst()
      oldest.exchange?.cancel()
      state.respond(to: oldest.id, with: loop.handler.failure(.answerTimeout))
    }
    loop.touch(self)
  }

  /// Ends the connection at once, whatever it was doing.
  func abort() {
    guard !isClosed else { return }
    phase = .closed
    incoming = nil
    input.removeAll()
    output.removeAll(returningTo: &loop.pool)
    let waiting = openExchanges
    openExchanges = []
    for open in waiting { open.exchange?.cancel() }
    loop.remove(self)
  }

  /// Hands a complete request to the handler.
  func handle(_ request: Request, _ id: ExchangeID) {
    let exchange = Exchange(place: Exchange.Place(connection: self.id, request: id), mailbox: loop.mailbox)
    loop.handler.handle(request, exchange)
    // An answer that was given at once needs no looking after.
    guard exchange.isOpen else { return }
    openExchanges.append(OpenExchange(id: id, receivedAt: request.receivedAt, exchange: exchange))
  }
}

// MARK: - Out

extension Connection {
  /// Sends what the client is owed, and reads on where answers made room.
  func flush() {
    guard !isClosed else { return }
    repeat {
      giveOut()
      guard sendOutput() else { return abort() }
      // Answers that were held back while the client had too much to take.
    } while isHoldingBack && !isBackedUp
    if output.isEmpty, case .closing(let lingers) = phase { return end(lingers: lingers) }
    if isPaused, !isBackedUp {
      isPaused = false
      read()
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
      if output.isEmpty { deadlines.writeBegan(at: monotonicNanoseconds()) }
      switch next {
      case .continue: output.append(from: &loop.pool) { ResponseEncoder.appendContinue(to: &$0) }
      case .response(let response, let framing, _):
        requestsBegun -= 1
        encode(response, framing)
      case .close(let lingers): phase = .closing(lingers: lingers)
      }
    }
  }

  private func encode(_ response: Response, _ framing: ResponseEncoder.Framing) {
    let date = loop.date
    guard response.body.count > OutputQueue.joinedBodyBytes else {
      return output.append(from: &loop.pool) { ResponseEncoder.append(response, framing, date: date, to: &$0) }
    }
    var hasBody = false
    output.append(from: &loop.pool) { hasBody = ResponseEncoder.appendHead(response, framing, date: date, to: &$0) }
    if hasBody { output.append(response.body) }
  }

  /// - Returns: false where the connection is broken.
  private func sendOutput() -> Bool {
    guard isWritable, !output.isEmpty else { return true }
    let before = output.count
    switch output.send(to: descriptor.number, returningTo: &loop.pool) {
    case .moved: break
    case .wouldBlock: isWritable = false
    case .failed: return false
    }
    let now = monotonicNanoseconds()
    deadlines.written(before - output.count, at: now)
    if output.isEmpty { deadlines.becameIdle(at: now) }
    return true
  }

  private func end(lingers: Bool) {
    guard lingers, !hasInputEnded else { return abort() }
    Socket.endSending(descriptor.number)
    phase = .lingering
    deadlines.lingeringBegan(at: monotonicNanoseconds())
    read()
    updateDeadline()
  }

  private var nextDeadline: (time: UInt64, cause: ConnectionDeadlines.Cause)? {
    deadlines.next(
      loop.timeouts, expectation: state.expectation, isReading: !isPaused, isWriting: !output.isEmpty,
      oldestUnanswered: openExchanges.first?.receivedAt)
  }

  func updateDeadline() {
    guard !isClosed else { return }
    loop.setDeadline(nextDeadline?.time, of: id)
  }
}

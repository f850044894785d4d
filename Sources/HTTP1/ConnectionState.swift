/// Names one request of a connection and its answer; they count up from 0.
package typealias ExchangeID = UInt64

/// One connection's side of HTTP/1.1, without its socket: what came in goes in, what to do comes out.
///
/// It decides when a request may be read, in which order answers go out, which of them says `Connection: close`, when
/// 100 (Continue) is due and when the connection ends. Its caller receives, computes, writes and keeps the time:
///
/// - Octets came: call `receive` until it wants more input, is paused or is closed. Answer each `head` with `admit` or
///   `respond`, each `failed` with `respond`.
/// - An answer is there, from whichever request: call `respond`.
/// - The client sends no more: call `inputEnded`, then `receive` as before.
/// - After each: call `nextOutput` until it is `nil` and write what it gives; then, if `receive` was paused, call it
///   again.
///
/// Every request whose `head` or `failed` was seen is answered exactly once, in the order of the requests, unless
/// `abandoned` takes it back. Once the input is closed, by an error of the client, `Connection: close` or
/// the server's wish, nothing that follows on the connection is ever interpreted (RFC 9112 §9.6).
package struct ConnectionState: Sendable {
  /// What came in.
  package enum Input: Sendable {
    /// Everything has been read; receive more.
    case needsMoreInput
    /// As many requests as may wait do so; leave the input where it is until an answer has gone out.
    case paused
    /// A request begins: `admit` it or `respond` at once.
    case head(RequestHead, ExchangeID)
    /// Content of an admitted request, at these positions of the input.
    case content(Range<Int>, ExchangeID)
    /// The request is complete.
    case complete(ExchangeID)
    /// The request can't be read, or its content is too large: `respond` with the error, nothing else will come.
    case failed(ProtocolError, ExchangeID)
    /// The client ended its side within the content of this request, which gets no answer.
    case abandoned(ExchangeID)
    /// Nothing will ever be read again; what was received has been dropped.
    case closed
  }

  /// What is to go out.
  package enum Output: Sendable {
    /// Write 100 (Continue).
    case `continue`
    /// Write this answer.
    case response(Response, ResponseEncoder.Framing, ExchangeID)
    /// Everything has been given out: once it is written, end the connection.
    ///
    /// `lingers` if the client may still be sending: then shut down the writing side, read and drop until the client
    /// closes or a deadline passes, and close only then, or a reset could overtake the answer (RFC 9112 §9.6).
    case close(lingers: Bool)
  }

  /// Which part of a request the connection waits for: each has its own deadline.
  package enum Expectation: Hashable, Sendable {
    /// The first octet of a request.
    case request
    /// The rest of a head.
    case head
    /// The rest of a request's content.
    case content
    /// Nothing.
    case nothing
  }

  private enum Reading: Sendable {
    case head
    /// The head was given out; `admit` or `respond` decides about the content.
    case undecided(RequestHead)
    case content(isPersistent: Bool)
    /// The request has been answered; what remains of its content is dropped.
    case discarding(remaining: Int)
    case closed
  }

  /// A request that waits for its answer to go out.
  private struct Exchange: Sendable {
    var isHead: Bool
    var version: HTTPVersion
    var isContinueDue = false
    var response: Response?
  }

  private let limits: Limits
  private var reader: RequestReader
  private var reading = Reading.head
  /// The requests that wait, oldest first; only the newest can still be in reading.
  private var exchanges: [Exchange] = []
  private var oldest: ExchangeID = 0
  private var isDraining = false
  private var hasInputEnded = false
  private var hasSaidClose = false

  package init(limits: Limits = Limits()) {
    self.limits = limits
    reader = RequestReader(limits: limits)
  }

  private var newest: ExchangeID { oldest + UInt64(exchanges.count) - 1 }
}

// MARK: - In

extension ConnectionState {
  /// Reads on from `offset`, which it moves behind what it has read.
  ///
  /// - Precondition: the request of the last `head` has been admitted or answered.
  package mutating func receive(_ input: RawSpan, offset: inout Int) -> Input {
    while true {
      switch reading {
      case .closed:
        offset = input.byteCount
        return .closed
      case .head:
        if exchanges.count >= limits.pipelinedRequests { return .paused }
        if let event = receiveHead(reader.next(input, offset: &offset)) { return event }
      case .undecided:
        preconditionFailure("a request was neither admitted nor answered before its content was read")
      case .content(let isPersistent):
        if let event = receiveContent(reader.next(input, offset: &offset), isPersistent) { return event }
      case .discarding(let remaining):
        if discard(reader.next(input, offset: &offset), remaining) { return .needsMoreInput }
      }
    }
  }

  private mutating func receiveHead(_ step: RequestReader.Step) -> Input? {
    switch step {
    case .needsMoreInput: return needsMoreInput()
    case .head(let head, _):
      exchanges.append(Exchange(isHead: head.method == .head, version: head.version))
      reading = .undecided(head)
      return .head(head, newest)
    case .failed(let error):
      exchanges.append(Exchange(isHead: reader.method == .head, version: .http11))
      reading = .closed
      return .failed(error, newest)
    case .content, .end: return nil
    }
  }

  /// Without more to come, the octets of a head that is not complete are dropped (RFC 9112 §8).
  private mutating func needsMoreInput() -> Input? {
    guard hasInputEnded else { return .needsMoreInput }
    reading = .closed
    return nil
  }

  private mutating func receiveContent(_ step: RequestReader.Step, _ isPersistent: Bool) -> Input? {
    switch step {
    case .needsMoreInput:
      guard hasInputEnded else { return .needsMoreInput }
      let id = newest
      exchanges.removeLast()
      reading = .closed
      return .abandoned(id)
    case .content(let range):
      exchanges[exchanges.count - 1].isContinueDue = false
      return .content(range, newest)
    case .end:
      exchanges[exchanges.count - 1].isContinueDue = false
      reading = isPersistent && !isDraining ? .head : .closed
      return .complete(newest)
    case .failed(let error):
      exchanges[exchanges.count - 1].isContinueDue = false
      reading = .closed
      return .failed(error, newest)
    case .head: return nil
    }
  }

  /// - Returns: whether more input is needed.
  private mutating func discard(_ step: RequestReader.Step, _ remaining: Int) -> Bool {
    switch step {
    case .needsMoreInput:
      guard hasInputEnded else { return true }
      reading = .closed
    case .content(let range):
      reading = range.count <= remaining ? .discarding(remaining: remaining - range.count) : .closed
    case .end: reading = isDraining ? .closed : .head
    case .failed: reading = .closed
    case .head: break
    }
    return false
  }

  /// Lets the content of the request come whose head has just been given out.
  ///
  /// - Parameter contentLimit: octets of content; if more are declared or come, the next event is `failed`.
  /// - Precondition: the last event was `head`.
  package mutating func admit(contentLimit: Int) {
    guard case .undecided(let head) = reading else { preconditionFailure("there is no request to admit") }
    reader.limitContent(to: contentLimit)
    let isTooLarge = if case .length(let count) = head.framing { count > contentLimit } else { false }
    reading = .content(isPersistent: head.isPersistent && !isTooLarge)
    exchanges[exchanges.count - 1].isContinueDue = head.expectsContinue && !isTooLarge
  }

  /// How many octets the caller may receive straight into the body of the admitted request.
  package var contentRemaining: Int {
    if case .content = reading { reader.contentRemaining } else { 0 }
  }

  /// Notes that the next `count` octets of content went straight into the body.
  package mutating func passOverContent(_ count: Int) {
    precondition(count >= 0 && count <= contentRemaining)
    if count > 0 { exchanges[exchanges.count - 1].isContinueDue = false }
    reader.passOverContent(count)
  }

  /// What the connection waits for from its client.
  package var expectation: Expectation {
    switch reading {
    case .head: reader.isIdle ? .request : .head
    case .undecided, .content, .discarding: .content
    case .closed: .nothing
    }
  }
}

// MARK: - Out

extension ConnectionState {
  /// Takes the answer to a request; it goes out when those before it have.
  ///
  /// An answer before its request's content has come keeps the connection only where the rest is short and the client
  /// sends it without being asked to; else the connection closes after it (RFC 9110 §10.1.1). A second answer, and one
  /// to a request that was taken back, is dropped.
  package mutating func respond(to id: ExchangeID, with response: Response) {
    guard id >= oldest, id - oldest < UInt64(exchanges.count) else { return }
    let index = Int(id - oldest)
    guard exchanges[index].response == nil else { return }
    exchanges[index].response = response
    guard id == newest else { return }
    switch reading {
    case .undecided(let head):
      decideAboutContent(
        isPersistent: head.isPersistent, isAwaited: head.expectsContinue, framing: head.framing)
    case .content(let isPersistent):
      decideAboutContent(
        isPersistent: isPersistent, isAwaited: exchanges[index].isContinueDue, framing: nil)
    case .head, .discarding, .closed: break
    }
    exchanges[index].isContinueDue = false
  }

  private mutating func decideAboutContent(isPersistent: Bool, isAwaited: Bool, framing: BodyFraming?) {
    let remaining = framing.map { if case .length(let count) = $0 { count } else { 0 } } ?? reader.contentRemaining
    let keeps = isPersistent && !isDraining && !isAwaited && remaining <= limits.discardedContentBytes
    reading = keeps ? .discarding(remaining: limits.discardedContentBytes) : .closed
    if keeps { reader.limitContent(to: .max) }
  }

  /// What to write next; `nil` until another answer is there.
  package mutating func nextOutput() -> Output? {
    guard let exchange = exchanges.first else {
      guard case .closed = reading, !hasSaidClose else { return nil }
      hasSaidClose = true
      return .close(lingers: !hasInputEnded)
    }
    if exchange.isContinueDue {
      exchanges[0].isContinueDue = false
      return .continue
    }
    guard let response = exchange.response else { return nil }
    let id = oldest
    exchanges.removeFirst()
    oldest += 1
    var connection = exchange.version == .http10 ? ResponseEncoder.Framing.Connection.keepAlive : .persistent
    if case .closed = reading, exchanges.isEmpty { connection = .close }
    return .response(response, ResponseEncoder.Framing(connection: connection, omitsContent: exchange.isHead), id)
  }
}

// MARK: - Ends

extension ConnectionState {
  /// Takes note that the client sends no more. What has been received is still read and answered: call `receive` again.
  package mutating func inputEnded() { hasInputEnded = true }

  /// Stops reading: a deadline passed, or the server has had enough.
  ///
  /// - Returns: the request that is being read, its head or its content, to be answered by `respond` as the last one;
  ///   `nil` between requests.
  package mutating func refuseInput() -> ExchangeID? {
    defer { reading = .closed }
    switch reading {
    case .head:
      if reader.isIdle { return nil }
      exchanges.append(Exchange(isHead: reader.method == .head, version: .http11))
      return newest
    case .undecided, .content:
      exchanges[exchanges.count - 1].isContinueDue = false
      return newest
    case .discarding, .closed: return nil
    }
  }

  /// Lets the connection end as soon as the requests that have begun are answered.
  package mutating func drain() {
    isDraining = true
    switch reading {
    case .head where reader.isIdle: reading = .closed
    case .discarding: reading = .closed
    case .head, .undecided, .content, .closed: break
    }
  }
}

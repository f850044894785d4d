internal import HTTP1

// What comes in: from the wire through HTTP's state to the handler.
extension Connection {
  /// Bytes that one connection may have read of it before the others have their turn.
  private static let bytesPerVisit = 1 << 20
  /// From here on it pays to receive a body where it belongs.
  private static let directBodyBytes = 8 << 10

  /// Receives and interprets until the socket is empty, or something keeps it from going on.
  func read() {
    let now = monotonicNanoseconds()
    guard goOn(now) else { return }
    var budget = Self.bytesPerVisit
    while wire.isReadable, pause == nil, !hasInputEnded, !isClosed {
      guard budget > 0 else {
        loop.revisit(self)
        break
      }
      budget -= receive(now)
    }
    updateDeadline()
  }

  /// Takes up what an earlier visit had to leave.
  ///
  /// - Returns: whether there may be more to read.
  private func goOn(_ now: UInt64) -> Bool {
    guard isServing else { return !isClosed }
    // The content that was decoded may have been the last, with nothing behind it that would say so.
    var mayBeComplete = false
    if pause == .inflating {
      guard inflateOn() else { return false }
      pause = nil
      mayBeComplete = true
    }
    if isBackedUp, pause == nil { pause = .answers }
    if pause == nil, mayBeComplete || hasInputEnded || !input.isEmpty { interpretLeftovers(now) }
    return true
  }

  /// - Returns: how many bytes came.
  private func receive(_ now: UInt64) -> Int {
    let isDirect =
      state.contentRemaining >= Self.directBodyBytes && input.isEmpty && isServing && !wire.isSecure
      && incoming?.takesContentAsItIs == true
    switch isDirect ? receiveIntoBody(now) : receiveIntoScratch(now) {
    case .moved(0):
      endInput(now)
      return 0
    case .moved(let count): return count
    case .wouldBlock: return 0
    case .failed:
      abort()
      return 0
    }
  }

  private func receiveIntoScratch(_ now: UInt64) -> Transfer {
    let transfer = loop.receive(from: wire)
    // While it ends, what comes is dropped unseen.
    guard case .moved(let count) = transfer, count > 0, isServing else { return transfer }
    let received = loop.scratch
    if wire.isSecure { unseal(received.span.bytes, now) } else { accept(received.span.bytes, now) }
    return transfer
  }

  private func receiveIntoBody(_ now: UInt64) -> Transfer {
    let received = incoming?.receive(remaining: state.contentRemaining) { wire.receive(into: &$0, atMost: $1) }
    guard let (transfer, failure) = received else { return .wouldBlock }
    if case .moved(let count) = transfer, count > 0 {
      deadlines.bodyReceived(count, at: now)
      state.passOverContent(count)
      if let failure { refuseIncoming(failure) }
      if state.contentRemaining == 0 { _ = interpret(RawSpan(), now) }
    }
    return transfer
  }

  private func unseal(_ received: RawSpan, _ now: UInt64) {
    loop.plaintext.removeAll(keepingCapacity: true)
    do throws(TLSSessionError) {
      try wire.unseal(received, into: &loop.plaintext, from: &loop.pool)
    } catch {
      return tlsFailed(error)
    }
    if info.tls == nil, let peer = wire.tlsPeer {
      info.tls = peer
      deadlines.handshakeCompleted(at: now)
    }
    if wire.unsentBytes > 0 { loop.touch(self) }
    let plaintext = loop.plaintext
    if !plaintext.isEmpty { accept(plaintext.span.bytes, now) }
    if wire.isClosedByPeer, isServing { endInput(now) }
  }

  private func accept(_ received: RawSpan, _ now: UInt64) {
    if input.isEmpty, pause == nil {
      let done = interpret(received, now)
      if done < received.byteCount { input.append(received.extracting(done..<received.byteCount)) }
    } else {
      input.append(received)
      if pause == nil { interpretLeftovers(now) }
    }
  }

  private func interpretLeftovers(_ now: UInt64) {
    let (bytes, start) = input.take()
    let done = interpret(bytes.span.bytes.extracting(start..<bytes.count), now)
    input.giveBack(bytes, from: start + done)
  }

  /// - Returns: how many of the bytes need not be seen again.
  private func interpret(_ bytes: RawSpan, _ now: UInt64) -> Int {
    var offset = 0
    if state.expectation == .request { deadlines.requestBegan(at: now) }
    while !isClosed {
      switch state.receive(bytes, offset: &offset) {
      case .needsMoreInput: return offset
      case .paused:
        pause = .answers
        return offset
      case .closed: return bytes.byteCount
      case .head(let head, let id): decide(head, id, now)
      case .content(let range, _):
        deadlines.bodyReceived(range.count, at: now)
        takeContent(bytes.extracting(range))
        if pause != nil { return offset }
      case .complete(let id):
        complete(id, now)
        deadlines.requestBegan(at: now)
      case .abandoned:
        requestsBegun -= 1
        incoming = nil
      case .failed(let error, let id):
        // Either its head, which then was not announced, or its content.
        if incoming?.id != id { requestsBegun += 1 }
        refuse(.malformed(error), id)
      }
    }
    return bytes.byteCount
  }

  private func decide(_ head: RequestHead, _ id: ExchangeID, _ now: UInt64) {
    requestsBegun += 1
    let receivedAt = deadlines.requestReceivedAt
    switch loop.handler.admit(head, info, receivedAt) {
    case .reject(let response):
      state.respond(to: id, with: response)
      loop.touch(self)
    case .accept(let limit, let context):
      do throws(ServerFailure) {
        incoming = try IncomingRequest(
          id: id, head: head, receivedAt: receivedAt, context: context, contentLimit: limit, ledger: loop.bodies)
        state.admit(contentLimit: limit)
        deadlines.bodyBegan(at: now)
        if head.expectsContinue { loop.touch(self) }
      } catch {
        refuse(error, id, failed(head, context, receivedAt))
      }
    }
  }

  private func takeContent(_ content: RawSpan) {
    do throws(ServerFailure) {
      guard let isTaken = try incoming?.take(content), !isTaken else { return }
      pause = .inflating
      loop.revisit(self)
    } catch {
      refuseIncoming(error)
    }
  }

  /// - Returns: whether all that has come is decoded.
  private func inflateOn() -> Bool {
    do throws(ServerFailure) {
      if try incoming?.inflate() == false {
        loop.revisit(self)
        return false
      }
    } catch {
      refuseIncoming(error)
    }
    return true
  }

  private func complete(_ id: ExchangeID, _ now: UInt64) {
    guard let incoming = incoming.take() else { return }
    let request = failed(incoming.head, incoming.context, incoming.receivedAt)
    do throws(ServerFailure) {
      handle(try incoming.complete(at: now, info), id)
    } catch {
      refuse(error, id, request)
    }
  }

  private func refuseIncoming(_ failure: ServerFailure) {
    guard let id = incoming?.id else { return }
    refuse(failure, id)
  }

  /// The client sends no more. It may still read: what it has asked for is answered (RFC 9112, 9.6); half a request
  /// isn't.
  private func endInput(_ now: UInt64) {
    hasInputEnded = true
    deadlines.hangUpProbed(at: now)
    if isLingering { return abort() }
    state.inputEnded()
    if pause == nil { interpretLeftovers(now) }
    loop.touch(self)
  }

  /// Ends a connection on which TLS can't go on. Its alert is sent still; a client that speaks HTTP in clear is told so
  /// in clear.
  private func tlsFailed(_ error: TLSSessionError) {
    var farewell: [UInt8] = []
    if error == .plainHTTP {
      let framing = ResponseEncoder.Framing(connection: .close, omitsContent: false)
      ResponseEncoder.append(
        answer(to: .plainHTTPOnTLSPort, failed(nil, nil, nil)), framing, date: loop.date, to: &farewell)
    }
    wire.breakOff(farewell, returningTo: &loop.pool)
    cancelAll()
    beginClosing(lingers: true)
    loop.touch(self)
  }
}

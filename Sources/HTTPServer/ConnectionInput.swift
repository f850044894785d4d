internal import HTTP1

/// A request whose content is on its way.
struct IncomingRequest {
  let id: ExchangeID
  let head: RequestHead
  let receivedAt: UInt64
  var body: [UInt8] = []

  /// Bytes that a body's buffer is given for a mere declaration; after that it doubles as bytes come.
  private static let declaredBytesTrusted = 256 << 10

  /// Makes room for the next of `remaining` bytes.
  ///
  /// - Returns: how many fit.
  mutating func makeRoom(remaining: Int) -> Int {
    if body.capacity - body.count < min(remaining, 16 << 10) {
      body.reserveCapacity(body.count + min(remaining, max(body.count, Self.declaredBytesTrusted)))
    }
    return min(remaining, body.capacity - body.count)
  }
}

/// Bytes of a connection that were received and can't be interpreted yet: the beginning of a head, or requests beyond
/// those that may wait.
struct InputBuffer {
  private var bytes: [UInt8] = []
  private var start = 0

  var isEmpty: Bool { start == bytes.count }

  mutating func append(_ received: UnsafeRawBufferPointer) {
    if start > 0 {
      bytes.removeFirst(start)
      start = 0
    }
    bytes.append(contentsOf: received)
  }

  /// Lends the bytes out whole, from an offset on; `giveBack` returns them.
  mutating func take() -> (bytes: [UInt8], start: Int) {
    defer { removeAll() }
    return (bytes, start)
  }

  /// Takes back what `take` lent, done with up to `start`.
  mutating func giveBack(_ lent: consuming [UInt8], from start: Int) {
    guard start < lent.count else { return }
    bytes = lent
    self.start = start
  }

  mutating func removeAll() {
    bytes = []
    start = 0
  }
}

// MARK: - In

extension Connection {
  /// Bytes that one connection may have read of it before the others have their turn.
  private static let bytesPerVisit = 1 << 20
  /// From here on it pays to receive a body where it belongs.
  private static let directBodyBytes = 8 << 10

  /// Receives and interprets until the socket is empty, or something keeps it from going on.
  func read() {
    let now = monotonicNanoseconds()
    if isBackedUp { isPaused = true }
    if !isPaused, hasInputEnded || !input.isEmpty { interpretLeftovers(now) }
    var budget = Self.bytesPerVisit
    while isReadable, !isPaused, !hasInputEnded, !isClosed {
      guard budget > 0 else { return loop.revisit(self) }
      budget -= receive(now)
    }
    updateDeadline()
  }

  /// - Returns: how many bytes came.
  private func receive(_ now: UInt64) -> Int {
    let isDirect = state.contentRemaining >= Self.directBodyBytes && input.isEmpty && isServing
    let (transfer, capacity) = isDirect ? receiveIntoBody(now) : receiveIntoScratch(now)
    switch transfer {
    case .moved(0):
      endInput()
      return 0
    case .moved(let count):
      // Less than there was room for: the socket is empty, and its next edge will tell, unless the end is behind it.
      if count < capacity, !isPeerFinished { isReadable = false }
      return count
    case .wouldBlock:
      isReadable = false
      return 0
    case .failed:
      abort()
      return 0
    }
  }

  private func receiveIntoScratch(_ now: UInt64) -> (Transfer, capacity: Int) {
    let transfer = Socket.receive(descriptor.number, into: loop.scratch)
    if case .moved(let count) = transfer, count > 0, !isLingering {
      let received = UnsafeRawBufferPointer(rebasing: loop.scratch[..<count])
      if input.isEmpty {
        let done = interpret(received, now)
        if done < count { input.append(UnsafeRawBufferPointer(rebasing: received[done...])) }
      } else {
        input.append(received)
        interpretLeftovers(now)
      }
    }
    return (transfer, loop.scratch.count)
  }

  private func receiveIntoBody(_ now: UInt64) -> (Transfer, capacity: Int) {
    guard let room = incoming?.makeRoom(remaining: state.contentRemaining) else { return (.wouldBlock, 0) }
    var transfer = Transfer.wouldBlock
    incoming?.body.append(addingCapacity: room) { span in
      span.withUnsafeMutableBufferPointer { buffer, initialized in
        transfer = Socket.receive(
          descriptor.number, into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: room))
        if case .moved(let count) = transfer { initialized += count }
      }
    }
    if case .moved(let count) = transfer, count > 0 {
      deadlines.bodyReceived(count, at: now)
      state.passOverContent(count)
      if state.contentRemaining == 0 { _ = interpret(UnsafeRawBufferPointer(start: nil, count: 0), now) }
    }
    return (transfer, room)
  }

  private func interpretLeftovers(_ now: UInt64) {
    let (bytes, start) = input.take()
    let done = bytes.withUnsafeBytes { interpret(UnsafeRawBufferPointer(rebasing: $0[start...]), now) }
    input.giveBack(bytes, from: start + done)
  }

  /// - Returns: how many of the bytes need not be seen again.
  private func interpret(_ bytes: UnsafeRawBufferPointer, _ now: UInt64) -> Int {
    var offset = 0
    if state.expectation == .request { deadlines.requestBegan(at: now) }
    while !isClosed {
      switch state.receive(bytes.bytes, offset: &offset) {
      case .needsMoreInput: return offset
      case .paused:
        isPaused = true
        return offset
      case .closed: return bytes.count
      case .head(let head, let id): decide(head, id, now)
      case .content(let range, _):
        deadlines.bodyReceived(range.count, at: now)
        incoming?.body.append(contentsOf: bytes[range])
      case .complete(let id):
        complete(id, now)
        deadlines.requestBegan(at: now)
      case .abandoned:
        requestsBegun -= 1
        incoming = nil
      case .failed(let error, let id):
        // Either its head, which then was not announced, or its content.
        if incoming?.id != id { requestsBegun += 1 }
        incoming = nil
        state.respond(to: id, with: loop.handler.failure(.malformed(error)))
        loop.touch(self)
      }
    }
    return bytes.count
  }

  private func decide(_ head: RequestHead, _ id: ExchangeID, _ now: UInt64) {
    requestsBegun += 1
    switch loop.handler.admit(head, info) {
    case .accept(let limit):
      state.admit(contentLimit: limit)
      incoming = IncomingRequest(id: id, head: head, receivedAt: deadlines.requestReceivedAt)
      deadlines.bodyBegan(at: now)
      if head.expectsContinue { loop.touch(self) }
    case .reject(let response):
      state.respond(to: id, with: response)
      loop.touch(self)
    }
  }

  private func complete(_ id: ExchangeID, _ now: UInt64) {
    guard let incoming, incoming.id == id else { return }
    self.incoming = nil
    let request = Request(
      head: incoming.head, body: incoming.body, receivedAt: incoming.receivedAt, completedAt: now, connection: info)
    handle(request, id)
  }

  /// The client sends no more. It may still read: what it has asked for is answered (RFC 9112, 9.6); half a request
  /// isn't.
  private func endInput() {
    hasInputEnded = true
    isReadable = false
    if isLingering { return abort() }
    state.inputEnded()
    if !isPaused { interpretLeftovers(monotonicNanoseconds()) }
    loop.touch(self)
  }
}

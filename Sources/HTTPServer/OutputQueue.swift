/// Bytes on their way out, in order: heads and small bodies joined in buffers lent by the shard, large bodies as they
/// were given, so that neither is copied again and an idle connection holds none.
struct OutputQueue {
  /// What became of an attempt to empty the queue.
  enum Sending: Equatable {
    case emptied
    /// The socket wants no more for now; its next edge will tell.
    case socketFull
    /// The budget is spent, and the socket may want more.
    case budgetSpent
    case failed
  }

  private struct Part {
    var bytes: [UInt8]
    var sent = 0
    /// Lent by the pool, and open to more bytes.
    let isLent: Bool

    var unsent: Int { bytes.count - sent }
  }

  private var parts: [Part] = []
  private var firstPart = 0
  /// Bytes not yet sent.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Lets `body` append to the end of the queue.
  mutating func append<Failure: Error>(
    from pool: inout BufferPool, _ body: (inout [UInt8]) throws(Failure) -> Void
  ) throws(Failure) {
    if parts.isEmpty || !parts[parts.count - 1].isLent { parts.append(Part(bytes: pool.take(), isLent: true)) }
    let last = parts.count - 1
    let before = parts[last].bytes.count
    defer {
      count += parts[last].bytes.count - before
      if isEmpty { removeAll(returningTo: &pool) }
    }
    try body(&parts[last].bytes)
  }

  /// Puts bytes at the end without copying them.
  mutating func append(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    parts.append(Part(bytes: bytes, isLent: false))
    count += bytes.count
  }

  /// Sends as much as the socket takes, but no more than `budget`.
  mutating func send(to socket: Int32, budget: inout Int, returningTo pool: inout BufferPool) -> Sending {
    while count > 0 {
      guard budget > 0 else { return .budgetSpent }
      let offered = min(budget, offerable)
      switch offer(offered, to: socket) {
      case .moved(let sent):
        budget -= sent
        advance(by: sent, returningTo: &pool)
        if sent < offered { return .socketFull }
      case .wouldBlock: return .socketFull
      case .failed: return .failed
      }
    }
    return .emptied
  }

  /// Takes up to `limit` bytes off the front, which `body` gets in one piece.
  mutating func takeFirst<Failure: Error>(
    atMost limit: Int, returningTo pool: inout BufferPool, _ body: (RawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    let start = parts[firstPart].sent
    let taken = min(limit, parts[firstPart].unsent)
    do {
      let bytes = parts[firstPart].bytes
      try body(bytes.span.bytes.extracting(start..<start + taken))
    }
    advance(by: taken, returningTo: &pool)
  }

  /// Lets go of everything.
  mutating func removeAll(returningTo pool: inout BufferPool) {
    while firstPart < parts.count { retireFirstPart(to: &pool) }
    parts.removeAll(keepingCapacity: true)
    firstPart = 0
    count = 0
  }

  /// Bytes of the first two parts, a head and its body: what one syscall is given.
  private var offerable: Int {
    parts[firstPart].unsent + (firstPart + 1 < parts.count ? parts[firstPart + 1].unsent : 0)
  }

  private func offer(_ count: Int, to socket: Int32) -> Transfer {
    let first = parts[firstPart].bytes
    let start = parts[firstPart].sent
    guard first.count - start < count else {
      return Socket.send(socket, first.span.bytes.extracting(start..<start + count))
    }
    let second = parts[firstPart + 1].bytes
    return Socket.send(
      socket, first.span.bytes.extracting(start..<first.count),
      second.span.bytes.extracting(0..<count - (first.count - start)))
  }

  private mutating func advance(by sent: Int, returningTo pool: inout BufferPool) {
    var left = sent
    count -= sent
    while firstPart < parts.count, left >= parts[firstPart].unsent {
      left -= parts[firstPart].unsent
      retireFirstPart(to: &pool)
    }
    if left > 0 { parts[firstPart].sent += left }
  }

  private mutating func retireFirstPart(to pool: inout BufferPool) {
    var bytes: [UInt8] = []
    swap(&bytes, &parts[firstPart].bytes)
    parts[firstPart].sent = 0
    if parts[firstPart].isLent { pool.give(back: bytes) }
    firstPart += 1
    if firstPart == parts.count {
      parts.removeAll(keepingCapacity: true)
      firstPart = 0
    }
  }
}

/// A shard's spare buffers: as many as were ever in use at once, up to a bound, none of them large.
struct BufferPool {
  private var spare: [[UInt8]] = []
  private static let countLimit = 64
  private static let capacityLimit = 64 << 10

  mutating func take() -> [UInt8] {
    spare.popLast() ?? []
  }

  mutating func give(back buffer: consuming [UInt8]) {
    guard spare.count < Self.countLimit, buffer.capacity <= Self.capacityLimit else { return }
    buffer.removeAll(keepingCapacity: true)
    spare.append(buffer)
  }
}

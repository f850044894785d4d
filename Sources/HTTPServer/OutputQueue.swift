internal import Glibc

/// Bytes on their way to a client, in order: heads and small bodies joined in buffers lent by the shard, large bodies
/// as they were given, so that neither is copied again and an idle connection holds none.
struct OutputQueue {
  /// Below this a body is copied behind its head: cheaper than a second part in the syscall.
  static let joinedBodyBytes = 16 << 10

  private struct Part {
    var bytes: [UInt8]
    var sent = 0
    /// Lent by the pool, and open to more bytes.
    let isLent: Bool
  }

  private var parts: [Part] = []
  private var firstPart = 0
  /// Bytes not yet sent.
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  /// Lets `body` append to the end of the queue.
  mutating func append(from pool: inout BufferPool, _ body: (inout [UInt8]) -> Void) {
    if parts.isEmpty || !parts[parts.count - 1].isLent { parts.append(Part(bytes: pool.take(), isLent: true)) }
    let last = parts.count - 1
    let before = parts[last].bytes.count
    body(&parts[last].bytes)
    count += parts[last].bytes.count - before
  }

  /// Puts bytes at the end without copying them.
  mutating func append(_ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    parts.append(Part(bytes: bytes, isLent: false))
    count += bytes.count
  }

  /// Sends as much as the socket takes.
  ///
  /// - Returns: `.moved` with what was sent where the queue is empty afterwards; `.wouldBlock` where the socket has
  ///   taken some or nothing and wants no more.
  mutating func send(to socket: Int32, returningTo pool: inout BufferPool) -> Transfer {
    var total = 0
    while count > 0 {
      switch sendOnce(to: socket) {
      case .moved(let sent):
        let isShort = advance(by: sent, returningTo: &pool)
        total += sent
        if isShort { return .wouldBlock }
      case let stopped: return stopped
      }
    }
    return .moved(total)
  }

  /// Lets go of everything.
  mutating func removeAll(returningTo pool: inout BufferPool) {
    while firstPart < parts.count { retireFirstPart(to: &pool) }
    parts = []
    firstPart = 0
    count = 0
  }

  /// One syscall for the first two parts: a head and its body.
  private func sendOnce(to socket: Int32) -> Transfer {
    parts[firstPart].bytes.withUnsafeBytes { first in
      let first = UnsafeRawBufferPointer(rebasing: first[parts[firstPart].sent...])
      guard firstPart + 1 < parts.count else { return Socket.send(socket, first) }
      return parts[firstPart + 1].bytes.withUnsafeBytes { second in
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { gathered in
          gathered.initializeElement(at: 0, to: iovec(first))
          gathered.initializeElement(at: 1, to: iovec(second))
          return Socket.send(socket, gathering: gathered)
        }
      }
    }
  }

  /// - Returns: whether the socket took less than it was given, and so has no more room.
  private mutating func advance(by sent: Int, returningTo pool: inout BufferPool) -> Bool {
    let offered = firstPart + 1 < parts.count ? 2 : 1
    var left = sent
    count -= sent
    for _ in 0..<offered {
      let rest = parts[firstPart].bytes.count - parts[firstPart].sent
      if left < rest {
        parts[firstPart].sent += left
        return true
      }
      left -= rest
      retireFirstPart(to: &pool)
    }
    return false
  }

  private mutating func retireFirstPart(to pool: inout BufferPool) {
    var bytes: [UInt8] = []
    swap(&bytes, &parts[firstPart].bytes)
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

extension iovec {
  /// The kernel only reads from it.
  fileprivate init(_ bytes: UnsafeRawBufferPointer) {
    self.init(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
  }
}

/// A connection's bytes in and out: its socket, TLS over it where there is any, and what waits to be sent.
///
/// Answers are encrypted as the socket takes them, a few records ahead: neither is a large one held twice, nor does its
/// encryption keep other connections waiting.
final class Wire {
  /// Bytes that may be sent for one connection before the others have their turn: with hundreds of clients that take
  /// long answers, each waits for as much from every other one.
  private static let bytesPerVisit = 128 << 10
  /// How far encryption runs ahead of the socket.
  private static let sealedBytesAhead = 128 << 10
  /// What is encrypted in one go: four full records.
  private static let sealedAtOnce = 64 << 10

  let socket: Descriptor
  /// Whether the socket may have something to read, and room to write: both may be so until an attempt or an edge
  /// tells otherwise.
  var isReadable = true
  var isWritable = true
  /// Whether the peer's end of stream is on its way or here.
  var isPeerFinished = false

  private var session: TLSSession?
  /// Under TLS, what is still to be encrypted.
  private var open = OutputQueue()
  /// What goes to the socket as it is.
  private var outgoing = OutputQueue()
  private var isFinishing = false
  private let traffic: Traffic
  private var handshake = Handshake.awaited

  /// As it is counted.
  private enum Handshake {
    /// Nothing has come.
    case awaited
    case begun
    case over
  }

  init(_ socket: consuming Descriptor, _ context: TLSContext?, _ traffic: Traffic) {
    self.socket = socket
    self.traffic = traffic
    session = context.map { TLSSession($0) }
  }

  deinit {
    if case .begun = handshake { traffic.handshakeFailed() }
  }

  var isSecure: Bool { session != nil }

  /// What the handshake has settled; nil before, and without TLS.
  var tlsPeer: TLSPeer? { session?.peer }

  /// Whether the peer has said in TLS that it sends no more.
  var isClosedByPeer: Bool { session?.hasReceivedCloseNotify ?? false }

  var unsentBytes: Int { open.count + outgoing.count }

  /// Appends what comes as it comes.
  ///
  /// - Parameter limit: no more than `buffer` has room for.
  func receive(into buffer: inout OutputSpan<UInt8>, atMost limit: Int) -> Transfer {
    let transfer = Socket.receive(socket.number, into: &buffer, atMost: limit)
    switch transfer {
    // Less than there was room for: the socket is empty, and its next edge will tell, unless the end is behind it.
    case .moved(let count):
      traffic.received(count)
      if count < limit, !isPeerFinished || count == 0 { isReadable = false }
    case .wouldBlock, .failed: isReadable = false
    }
    return transfer
  }

  /// Decrypts what was received, and appends the plaintext; what TLS has to say for itself is put behind what waits.
  func unseal(
    _ received: RawSpan, into plaintext: inout [UInt8], from pool: inout BufferPool
  ) throws(TLSSessionError) {
    if case .awaited = handshake { handshake = .begun }
    try outgoing.append(from: &pool) { (outbound) throws(TLSSessionError) in
      try session?.receive(received, plaintext: &plaintext, outbound: &outbound)
    }
    if case .begun = handshake, tlsPeer != nil {
      handshake = .over
      traffic.handshakeCompleted()
    }
  }

  /// Gives TLS up: nothing of the session is sent but what it has put out already, then `farewell` as it is.
  func breakOff(_ farewell: [UInt8], returningTo pool: inout BufferPool) {
    session = nil
    open.removeAll(returningTo: &pool)
    outgoing.append(farewell)
  }

  /// Lets `body` append what is to be sent.
  func append(from pool: inout BufferPool, _ body: (inout [UInt8]) -> Void) {
    if isSecure { open.append(from: &pool, body) } else { outgoing.append(from: &pool, body) }
  }

  /// Puts bytes at the end without copying them.
  func append(_ bytes: [UInt8]) {
    if isSecure { open.append(bytes) } else { outgoing.append(bytes) }
  }

  /// Nothing more will be appended: TLS says so to the peer after the last byte.
  func finish() { isFinishing = true }

  /// Sends what the socket takes, within one visit's budget.
  func send(returningTo pool: inout BufferPool) -> OutputQueue.Sending {
    var budget = Self.bytesPerVisit
    defer { if budget < Self.bytesPerVisit { traffic.sent(Self.bytesPerVisit - budget) } }
    while isWritable {
      guard seal(&pool) else { return .failed }
      let sending = outgoing.send(to: socket.number, budget: &budget, returningTo: &pool)
      switch sending {
      case .emptied: if open.isEmpty { return .emptied }
      case .socketFull: isWritable = false
      case .budgetSpent, .failed: return sending
      }
    }
    return unsentBytes == 0 ? .emptied : .socketFull
  }

  func removeAll(returningTo pool: inout BufferPool) {
    open.removeAll(returningTo: &pool)
    outgoing.removeAll(returningTo: &pool)
  }

  /// Encrypts ahead of the socket.
  ///
  /// - Returns: false where the session can't go on.
  private func seal(_ pool: inout BufferPool) -> Bool {
    guard isSecure else { return true }
    do throws(TLSSessionError) {
      while !open.isEmpty, outgoing.count < Self.sealedBytesAhead {
        // A buffer of its own: the one that is read from belongs to the pool too.
        var sealed = pool.take()
        try open.takeFirst(atMost: Self.sealedAtOnce, returningTo: &pool) { (plaintext) throws(TLSSessionError) in
          try session?.send(plaintext, outbound: &sealed)
        }
        outgoing.append(from: &pool) { tail in if tail.isEmpty { swap(&tail, &sealed) } else { tail += sealed } }
        pool.give(back: sealed)
      }
      if isFinishing, open.isEmpty {
        outgoing.append(from: &pool) { session?.close(outbound: &$0) }
        isFinishing = false
      }
      return true
    } catch {
      return false
    }
  }
}

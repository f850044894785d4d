package import HTTP1

/// How long one connection may take: marks set as things happen, and the deadline that follows from them.
///
/// Pure: times are nanoseconds of a monotonic clock, passed in.
package struct ConnectionDeadlines {
  /// Which timeout has passed.
  package enum Cause: Hashable {
    case handshake, head, body, idle, write, total, linger, hangUpProbe
  }

  /// `ServerConfiguration.Timeouts` in nanoseconds.
  package struct Timeouts {
    let head, body, idle, write, total, handshake, linger, hangUpProbe: UInt64

    package init(_ timeouts: ServerConfiguration.Timeouts) {
      head = timeouts.head.nanoseconds
      body = timeouts.body.nanoseconds
      idle = timeouts.idle.nanoseconds
      write = timeouts.write.nanoseconds
      total = timeouts.total.nanoseconds
      handshake = timeouts.handshake.nanoseconds
      linger = timeouts.linger.nanoseconds
      hangUpProbe = timeouts.hangUpProbe.nanoseconds
    }
  }

  /// Bytes that buy a slow client another `body` or `write` timeout; a byte now and then buys nothing.
  static let bytesPerExtension = 64 << 10

  /// When the client could begin its first request.
  private var acceptedAt: UInt64
  /// Nil as long as no request has come.
  private var idleSince: UInt64?
  private var requestStartedAt: UInt64 = 0
  private var body = Progress()
  private var write = Progress()
  private var lingeringSince: UInt64?
  private var isShakingHands: Bool
  /// When a client that has ended its side was last known to wait.
  private var probedAt: UInt64?

  /// Since when the present 64 KiB are on their way.
  private struct Progress {
    var since: UInt64 = 0
    var bytes = 0

    mutating func begin(at now: UInt64) { self = Progress(since: now) }

    mutating func advance(by count: Int, at now: UInt64) {
      bytes += count
      if bytes >= ConnectionDeadlines.bytesPerExtension { begin(at: now) }
    }
  }

  package init(acceptedAt: UInt64, isShakingHands: Bool) {
    self.acceptedAt = acceptedAt
    self.isShakingHands = isShakingHands
  }

  /// The time at which the request in reading began.
  package var requestReceivedAt: UInt64 { requestStartedAt }

  package mutating func handshakeCompleted(at now: UInt64) {
    isShakingHands = false
    acceptedAt = now
  }

  package mutating func requestBegan(at now: UInt64) { requestStartedAt = now }
  package mutating func bodyBegan(at now: UInt64) { body.begin(at: now) }
  package mutating func bodyReceived(_ count: Int, at now: UInt64) { body.advance(by: count, at: now) }
  package mutating func becameIdle(at now: UInt64) { idleSince = now }
  package mutating func writeBegan(at now: UInt64) { write.begin(at: now) }
  package mutating func written(_ count: Int, at now: UInt64) { write.advance(by: count, at: now) }
  package mutating func hangUpProbed(at now: UInt64) { probedAt = now }
  package mutating func lingeringBegan(at now: UInt64) { lingeringSince = now }

  /// What comes first.
  ///
  /// - Parameters:
  ///   - expectation: what the client is to send.
  ///   - isReading: false while the server itself keeps the client from sending: then nothing of that kind passes.
  ///   - isWriting: whether answer bytes wait for the client to take them.
  ///   - oldestUnanswered: when the oldest request began that waits for its answer.
  package func next(
    _ timeouts: Timeouts, expectation: ConnectionState.Expectation, isReading: Bool, isWriting: Bool,
    oldestUnanswered: UInt64?
  ) -> (time: UInt64, cause: Cause)? {
    if let lingeringSince { return (Self.sum(lingeringSince, timeouts.linger), .linger) }
    if isShakingHands { return (Self.sum(acceptedAt, timeouts.handshake), .handshake) }
    var first: (time: UInt64, cause: Cause)?
    func consider(_ since: UInt64, _ timeout: UInt64, _ cause: Cause) {
      let time = Self.sum(since, timeout)
      if time < first?.time ?? .max { first = (time, cause) }
    }
    if isWriting { consider(write.since, timeouts.write, .write) }
    if let oldestUnanswered {
      consider(oldestUnanswered, timeouts.total, .total)
      if let probedAt { consider(probedAt, timeouts.hangUpProbe, .hangUpProbe) }
    }
    guard isReading else { return first }
    switch expectation {
    case .request where isWriting || oldestUnanswered != nil: break
    case .request:
      if let idleSince { consider(idleSince, timeouts.idle, .idle) } else { consider(acceptedAt, timeouts.head, .idle) }
    case .head: consider(requestStartedAt, timeouts.head, .head)
    case .content:
      consider(body.since, timeouts.body, .body)
      consider(requestStartedAt, timeouts.total, .body)
    case .nothing: break
    }
    return first
  }

  private static func sum(_ one: UInt64, _ other: UInt64) -> UInt64 {
    let (sum, overflow) = one.addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}

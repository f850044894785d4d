import Batching
import Glibc
import HTTPServer

/// Why a server is not ready, as far as a client can tell.
enum ProbeError: Error {
  case connection(ClientError)
  case tls(TLSSessionError)
  case timeout
  case noAnswer
  case notHTTP
  /// The status line was another one.
  case notReady(String)
}

extension ProbeError: CustomStringConvertible {
  /// The alert `certificate_required` (RFC 8446, 6).
  private static let certificateRequired: UInt8 = 116

  var description: String {
    switch self {
    case .connection(let error): "\(error)"
    case .tls(.peerAlert(Self.certificateRequired)):
      "the server demands a client's certificate; ask at its --admin-address or a Unix socket"
    case .tls(let error): "TLS: \(error)"
    case .timeout: "no answer in time"
    case .noAnswer: "the connection closed without an answer"
    case .notHTTP: "the answer is not HTTP"
    case .notReady(let line): line
    }
  }
}

/// One connection for one question, under one deadline.
struct ProbeConnection: ~Copyable {
  /// Where a server may be, and how it is spoken to.
  struct Place {
    let address: ServerAddress
    /// nil for HTTP in clear.
    let context: TLSContext?
  }

  /// Octets of an answer that are looked at; a status line has fewer.
  private static let answerLimit = 256

  private let socket: ClientSocket
  private let deadline: UInt64
  private var session: TLSSession?

  /// Connects to the first of the places that lets it.
  init(toAnyOf places: [Place], timeout: TimeSpan) throws(ProbeError) {
    deadline = MonotonicClock.now() + timeout.nanoseconds
    var failure = ProbeError.timeout
    for place in places {
      do throws(ProbeError) {
        socket = try Self.connect(to: place.address, deadline: deadline)
        session = place.context.map { TLSSession($0) }
        return
      } catch {
        failure = error
      }
    }
    throw failure
  }

  /// Sends a request and reads up to the end of the first line of the answer, which is cut at 256 octets.
  mutating func statusLine(asking request: String) throws(ProbeError) -> String {
    try shakeHands()
    try ask(Array(request.utf8))
    var answer: [UInt8] = []
    while answer.count < Self.answerLimit, !answer.contains(UInt8(ascii: "\n")), try receive(&answer) {}
    if answer.isEmpty { throw .noAnswer }
    let line = answer.prefix(Self.answerLimit).prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }
    return String(decoding: line, as: UTF8.self)
  }

  /// Completes the handshake, where there is one.
  private mutating func shakeHands() throws(ProbeError) {
    guard session != nil else { return }
    var (outbound, early) = ([UInt8](), [UInt8]())
    do throws(TLSSessionError) { try session?.begin(outbound: &outbound) } catch { throw .tls(error) }
    try send(outbound)
    while session?.isEstablished == false {
      guard try receive(&early) else { throw .noAnswer }
    }
  }

  private mutating func ask(_ request: [UInt8]) throws(ProbeError) {
    guard session != nil else { return try send(request) }
    var outbound: [UInt8] = []
    do throws(TLSSessionError) {
      try session?.send(request.span.bytes, outbound: &outbound)
    } catch {
      throw .tls(error)
    }
    try send(outbound)
  }

  /// Appends what comes next of the answer, which under TLS may be nothing yet.
  ///
  /// - Returns: whether the stream goes on.
  private mutating func receive(_ answer: inout [UInt8]) throws(ProbeError) -> Bool {
    var chunk = [UInt8](repeating: 0, count: 1 << 12)
    try Self.wait(socket.descriptor, for: POLLIN, deadline: deadline)
    switch socket.receive(into: &chunk) {
    case .moved(0): return false
    case .wouldBlock: return true
    case .failed(let error): throw .connection(error)
    case .moved(let count):
      guard session != nil else {
        answer += chunk[..<count]
        return true
      }
      var (outbound, failure) = ([UInt8](), TLSSessionError?.none)
      do throws(TLSSessionError) {
        try session?.receive(chunk.span.bytes.extracting(..<count), plaintext: &answer, outbound: &outbound)
      } catch {
        failure = error
      }
      try send(outbound)
      if let failure { throw .tls(failure) }
      return true
    }
  }

  private func send(_ octets: [UInt8]) throws(ProbeError) {
    var rest = octets[...]
    while !rest.isEmpty {
      try Self.wait(socket.descriptor, for: POLLOUT, deadline: deadline)
      switch socket.send(rest) {
      case .moved(let count): rest = rest.dropFirst(count)
      case .wouldBlock: break
      case .failed(let error): throw .connection(error)
      }
    }
  }

  private static func connect(to address: ServerAddress, deadline: UInt64) throws(ProbeError) -> ClientSocket {
    let socket: ClientSocket
    do throws(ClientError) { socket = try ClientSocket(connectingTo: address) } catch { throw .connection(error) }
    try wait(socket.descriptor, for: POLLOUT, deadline: deadline)
    if let error = socket.connectingFailure() { throw .connection(error) }
    return socket
  }

  private static func wait(_ descriptor: Int32, for event: Int32, deadline: UInt64) throws(ProbeError) {
    while true {
      let now = MonotonicClock.now()
      guard now < deadline else { throw .timeout }
      var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      let milliseconds = Int32(clamping: (deadline - now + 999_999) / 1_000_000)
      let count = poll(&entry, 1, milliseconds)
      if count > 0 { return }
      if count < 0, errno != EINTR { throw .connection(.system(operation: "poll", code: errno)) }
    }
  }
}

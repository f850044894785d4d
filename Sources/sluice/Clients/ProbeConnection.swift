import Batching
import Glibc

/// Why a server is not ready, as far as a client can tell.
enum ProbeError: Error {
  case connection(ClientError)
  case timeout
  case noAnswer
  case notHTTP
  /// The status line was another one.
  case notReady(String)
}

extension ProbeError: CustomStringConvertible {
  var description: String {
    switch self {
    case .connection(let error): "\(error)"
    case .timeout: "no answer in time"
    case .noAnswer: "the connection closed without an answer"
    case .notHTTP: "the answer is not HTTP"
    case .notReady(let line): line
    }
  }
}

/// One connection for one question, under one deadline.
struct ProbeConnection: ~Copyable {
  private let socket: ClientSocket
  private let deadline: UInt64

  /// Connects to the first of the addresses that lets it.
  init(toAnyOf addresses: [ServerAddress], timeout: TimeSpan) throws(ProbeError) {
    deadline = MonotonicClock.now() + timeout.nanoseconds
    var failure = ProbeError.timeout
    for address in addresses {
      do throws(ProbeError) {
        socket = try Self.connect(to: address, deadline: deadline)
        return
      } catch {
        failure = error
      }
    }
    throw failure
  }

  /// Sends a request and reads up to the end of the first line of the answer, which is cut at 256 octets.
  func statusLine(asking request: String) throws(ProbeError) -> String {
    var rest = Array(request.utf8)[...]
    while !rest.isEmpty {
      try Self.wait(socket.descriptor, for: POLLOUT, deadline: deadline)
      switch socket.send(rest) {
      case .moved(let count): rest = rest.dropFirst(count)
      case .wouldBlock: break
      case .failed(let error): throw .connection(error)
      }
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 256)
    receiving: while answer.count < chunk.count, !answer.contains(UInt8(ascii: "\n")) {
      try Self.wait(socket.descriptor, for: POLLIN, deadline: deadline)
      switch socket.receive(into: &chunk) {
      case .moved(0): break receiving
      case .moved(let count): answer += chunk[..<count]
      case .wouldBlock: break
      case .failed(let error): throw .connection(error)
      }
    }
    if answer.isEmpty { throw .noAnswer }
    return String(decoding: answer.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }, as: UTF8.self)
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

import Glibc

/// One connection of a load test, with one request under way at most.
final class LoadConnection {
  enum Progress {
    /// For the socket to be readable or writable, as `events` says.
    case waiting
    case answered(status: Int)
    /// Nothing could be sent on a new connection.
    case refused
    case broken
    /// Broken before an answer began, on a connection that has answered before: the server closed it while it was
    /// idle, and the request may be sent again on another one (RFC 9112 §9.3.1).
    case stale
  }

  /// When the request under way was due, in nanoseconds of the monotonic clock.
  private(set) var due: UInt64 = 0
  /// What it waits for, as `poll` names it.
  private(set) var events = POLLOUT
  /// Whether another request may follow.
  private(set) var isReusable = true
  private let socket: ClientSocket
  private var answers = 0
  private var sent = 0
  private var received = 0
  private var reply = ReplyReader()

  init(to address: ServerAddress) throws(ClientError) {
    socket = try ClientSocket(connectingTo: address)
  }

  var descriptor: Int32 { socket.descriptor }

  func begin(due: UInt64) {
    self.due = due
    sent = 0
    received = 0
    reply = ReplyReader()
  }

  /// Sends, or receives once all is sent, as far as it can without waiting.
  func advance(_ message: [UInt8], receivingThrough buffer: inout [UInt8]) -> Progress {
    if sent < message.count { return send(message) }
    while true {
      switch socket.receive(into: &buffer) {
      case .moved(0), .failed: return broken
      case .wouldBlock: return .waiting
      case .moved(let count):
        received += count
        switch reply.take(buffer[..<count]) {
        case .incomplete: break
        case .complete:
          answers += 1
          isReusable = !reply.closesConnection
          return .answered(status: reply.status)
        case .unreadable: return .broken
        }
      }
    }
  }

  private func send(_ message: [UInt8]) -> Progress {
    while sent < message.count {
      switch socket.send(message[sent...]) {
      case .moved(let count): sent += count
      case .wouldBlock:
        events = POLLOUT
        return .waiting
      case .failed: return broken
      }
    }
    events = POLLIN
    return .waiting
  }

  private var broken: Progress {
    if answers > 0, received == 0 { return .stale }
    return answers == 0 && sent == 0 ? .refused : .broken
  }
}

import HTTPServer

/// One connection of a load test, with one request under way at most.
final class LoadConnection {
  enum Progress {
    /// For the socket to become readable or writable.
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
  /// Whether a request is under way.
  private(set) var isUnderWay = false
  /// Whether another request may follow.
  private(set) var isReusable = true
  /// Its place in the generator's poll set.
  let id: ConnectionID
  private let socket: ClientSocket
  private var answers = 0
  private var sent = 0
  private var received = 0
  private var reply = ReplyReader()

  init(_ id: ConnectionID, to address: ServerAddress) throws(ClientError) {
    self.id = id
    socket = try ClientSocket(connectingTo: address)
  }

  var descriptor: Int32 { socket.descriptor }

  /// Sends a message as far as it goes without waiting; nothing can have come for it yet.
  func begin(_ message: [UInt8], due: UInt64) -> Progress {
    self.due = due
    isUnderWay = true
    sent = 0
    received = 0
    reply = ReplyReader()
    return ended(send(message) ?? .waiting)
  }

  /// Sends the rest, and receives what has come once all is sent: until it would have to wait, since a poll set tells
  /// of it once.
  func advance(_ message: [UInt8], receivingThrough buffer: inout [UInt8]) -> Progress {
    ended(send(message) ?? receive(through: &buffer))
  }

  /// The server has ended the connection between two requests.
  func endIdle() { isReusable = false }

  private func ended(_ progress: Progress) -> Progress {
    if case .waiting = progress { return progress }
    isUnderWay = false
    return progress
  }

  /// - Returns: nil once all is sent.
  private func send(_ message: [UInt8]) -> Progress? {
    while sent < message.count {
      switch socket.send(message[sent...]) {
      case .moved(let count): sent += count
      case .wouldBlock: return .waiting
      case .failed: return broken
      }
    }
    return nil
  }

  private func receive(through buffer: inout [UInt8]) -> Progress {
    while true {
      switch socket.receive(into: &buffer) {
      case .moved(0), .failed: return broken
      case .wouldBlock: return .waiting
      case .moved(let count):
        received += count
        switch reply.take(buffer.span.extracting(..<count)) {
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

  private var broken: Progress {
    if answers > 0, received == 0 { return .stale }
    return answers == 0 && sent == 0 ? .refused : .broken
  }
}

internal import Synchronization

/// What other threads tell a shard; the shard reads it once a turn.
///
/// A message wakes the shard only where it sleeps: answers given on the I/O queue itself, and those that come while the
/// shard is at work, cost a lock and no syscall. It also means that a handler which answers at once never re-enters the
/// connection that called it.
final class Mailbox: Sendable {
  enum Message: Sendable {
    case answer(Exchange.Place, Answer)
    /// A connected socket, owned by the message until it is taken.
    case adopt(socket: Int32, peer: SocketAddress)
    /// There is room again for connections that had to wait in the backlog.
    case roomToAccept
    /// Secure new connections with this.
    case secure(TLSContext)
    /// Stop accepting, and tell every shard to drain: to the shard that accepts.
    case stop(deadline: UInt64)
    /// Finish what is in flight by a time of the monotonic clock. Nothing is adopted after it.
    case drain(deadline: UInt64)
  }

  private struct State {
    var messages: [Message] = []
    var isShardAwake = false
  }

  private let state = Mutex(State())
  let wakeup: Wakeup

  init() throws(Errno) { wakeup = try Wakeup() }

  func post(_ message: Message) {
    let mustWake = state.withLock { state in
      state.messages.append(message)
      defer { state.isShardAwake = true }
      return !state.isShardAwake
    }
    if mustWake { wakeup.signal() }
  }

  /// The shard has woken: until `sleep` succeeds it looks here by itself.
  func wake() { state.withLock { $0.isShardAwake = true } }

  /// Exchanges `empty` for the messages that came, in order.
  func take(into empty: inout [Message]) {
    state.withLock { swap(&$0.messages, &empty) }
  }

  /// - Returns: false where messages have come meanwhile; the shard stays awake.
  func sleep() -> Bool {
    state.withLock { state in
      state.isShardAwake = !state.messages.isEmpty
      return !state.isShardAwake
    }
  }
}

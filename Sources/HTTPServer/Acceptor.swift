internal import CSystem
internal import Glibc
internal import HTTP1

/// Takes connections from the listeners and deals them out to the shards in turn.
///
/// It lives in one shard's loop: what accepting costs is little beside one request, and the caps and the pauses are in
/// one place.
final class Acceptor {
  /// What one try to accept came to.
  private enum Attempt {
    case connection(Int32, SocketAddress)
    case noneWaits
    /// The process or the kernel is out of descriptors or memory.
    case exhausted
  }

  private let listeners: [Listener]
  private let ledger: ConnectionLedger
  private let shards: [Mailbox]
  private let refusal: (@Sendable (ServerFailure, FailedRequest) -> Response)?
  private var nextShard = 0
  private(set) var isPaused = false

  /// A turn leaves further connections for the next one, so that a flood doesn't keep requests waiting.
  private static let connectionsPerTurn = 64

  /// - Parameter refusal: the answer for a client whose address has too many connections; nil where it must not be in
  ///   clear.
  init(
    listeners: [Listener], ledger: ConnectionLedger, shards: [Mailbox],
    refusal: (@Sendable (ServerFailure, FailedRequest) -> Response)?
  ) {
    self.listeners = listeners
    self.ledger = ledger
    self.shards = shards
    self.refusal = refusal
  }

  func begin(in pollSet: borrowing PollSet) throws(Errno) {
    for (index, listener) in listeners.enumerated() {
      try pollSet.add(listener: listener.descriptor.number, index: index)
    }
  }

  /// Accepts what waits at a listener.
  ///
  /// - Returns: false where accepting has to pause for want of descriptors.
  func accept(at index: Int, atMost limit: Int = connectionsPerTurn) -> Bool {
    for _ in 0..<limit {
      guard !isPaused, ledger.hasRoom() else { return false }
      switch attempt(listeners[index].descriptor.number) {
      case .connection(let socket, let peer): deal(socket, peer)
      case .noneWaits: return true
      case .exhausted: return false
      }
    }
    return true
  }

  func pause(in pollSet: borrowing PollSet) { setPaused(true, in: pollSet) }

  func resume(in pollSet: borrowing PollSet) { setPaused(false, in: pollSet) }

  /// Accepts everything that has come before the listeners close.
  func acceptLast() {
    guard !isPaused else { return }
    for index in listeners.indices { _ = accept(at: index, atMost: .max) }
  }

  private func setPaused(_ paused: Bool, in pollSet: borrowing PollSet) {
    guard paused != isPaused else { return }
    isPaused = paused
    for (index, listener) in listeners.enumerated() {
      pollSet.set(listener: listener.descriptor.number, index: index, isWatched: !paused)
    }
  }

  private func deal(_ socket: Int32, _ peer: SocketAddress) {
    guard ledger.enter(peer) else { return refuse(socket, peer) }
    shards[nextShard].post(.adopt(socket: socket, peer: peer))
    nextShard = (nextShard + 1) % shards.count
  }

  /// Best effort, without a place in any table: the flood that this guards against must cost nothing.
  private func refuse(_ socket: Int32, _ peer: SocketAddress) {
    if let refusal {
      var bytes: [UInt8] = []
      let refused = refusal(.tooManyConnections, FailedRequest(peer: peer, receivedAt: nil))
      let framing = ResponseEncoder.Framing(connection: .close, omitsContent: false)
      ResponseEncoder.append(refused, framing, date: [], to: &bytes)
      _ = Socket.send(socket, bytes.span.bytes)
      Socket.endSending(socket)
    }
    close(socket)
  }

  private func attempt(_ listener: Int32) -> Attempt {
    while true {
      do throws(Errno) {
        let (socket, peer) = try Socket.accept(listener)
        return .connection(socket, peer)
      } catch {
        switch error.code {
        case EAGAIN, EWOULDBLOCK: return .noneWaits
        // Errors of a connection that died in the backlog, and of the network that it came by: on to the next.
        case ECONNABORTED, EPROTO, EPERM, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH: continue
        // EMFILE, ENFILE, ENOBUFS, ENOMEM.
        default: return .exhausted
        }
      }
    }
  }
}

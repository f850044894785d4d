internal import Synchronization

/// What a server counts of its connections, to be read at any time from any thread.
package final class Traffic: Sendable {
  private let open = Atomic<Int>(0)
  private let accepted = Atomic<Int>(0)
  private let received = Atomic<Int>(0)
  private let sent = Atomic<Int>(0)
  private let completed = Atomic<Int>(0)
  private let failed = Atomic<Int>(0)
  /// Bytes received and sent when `hasMoved` was last true.
  private let noted = Atomic<Int>(0)

  package init() {}

  /// Connections that are open at the moment.
  package var openConnections: Int { open.load(ordering: .relaxed) }
  /// Connections that were accepted and not turned away at once.
  package var acceptedConnections: Int { accepted.load(ordering: .relaxed) }
  /// Bytes that came from sockets, TLS and what HTTP spends on its framing included.
  package var receivedBytes: Int { received.load(ordering: .relaxed) }
  /// Bytes that sockets have taken.
  package var sentBytes: Int { sent.load(ordering: .relaxed) }
  package var completedHandshakes: Int { completed.load(ordering: .relaxed) }
  /// Handshakes that began and came to nothing: refused, given up by the client, or past their deadline.
  package var failedHandshakes: Int { failed.load(ordering: .relaxed) }

  func opened() {
    open.wrappingAdd(1, ordering: .relaxed)
    accepted.wrappingAdd(1, ordering: .relaxed)
  }

  func closed() { open.wrappingSubtract(1, ordering: .relaxed) }
  package func received(_ bytes: Int) { received.wrappingAdd(bytes, ordering: .relaxed) }
  package func sent(_ bytes: Int) { sent.wrappingAdd(bytes, ordering: .relaxed) }
  /// Whether so many bytes were received and sent since this was last true; of several callers it is to one.
  package func hasMoved(_ bytes: Int) -> Bool {
    let (before, moved) = (noted.load(ordering: .relaxed), receivedBytes + sentBytes)
    guard moved - before >= bytes else { return false }
    return noted.compareExchange(expected: before, desired: moved, ordering: .relaxed).exchanged
  }

  func handshakeCompleted() { completed.wrappingAdd(1, ordering: .relaxed) }
  func handshakeFailed() { failed.wrappingAdd(1, ordering: .relaxed) }
}

internal import Synchronization

/// Counts the open connections of all shards, in all and by client.
final class ConnectionLedger: Sendable {
  private struct Counts {
    var total = 0
    var byHost: [SocketAddress.Host: Int] = [:]
    var isSomebodyRefused = false
  }

  private let limit: Int
  private let limitPerHost: Int
  private let counts = Mutex(Counts())

  init(limit: Int, limitPerHost: Int) {
    self.limit = limit
    self.limitPerHost = limitPerHost
  }

  /// Whether one more may be accepted at all; where not, the next `remove` returns true.
  func hasRoom() -> Bool {
    counts.withLock { counts in
      counts.isSomebodyRefused = counts.total >= limit
      return !counts.isSomebodyRefused
    }
  }

  /// Enters a connection of `peer`, unless its host has as many as it may.
  ///
  /// Connections over a Unix socket have no address to tell them apart by, and so only count in all.
  func enter(_ peer: SocketAddress) -> Bool {
    counts.withLock { counts in
      if limitPerHost < .max, !peer.isUnix {
        let count = counts.byHost[peer.host, default: 0]
        guard count < limitPerHost else { return false }
        counts.byHost[peer.host] = count + 1
      }
      counts.total += 1
      return true
    }
  }

  /// - Returns: whether `hasRoom` said no before, and there is room now.
  func remove(_ peer: SocketAddress) -> Bool {
    counts.withLock { counts in
      if limitPerHost < .max, !peer.isUnix, let count = counts.byHost[peer.host] {
        counts.byHost[peer.host] = count > 1 ? count - 1 : nil
      }
      counts.total -= 1
      defer { counts.isSomebodyRefused = false }
      return counts.isSomebodyRefused
    }
  }
}

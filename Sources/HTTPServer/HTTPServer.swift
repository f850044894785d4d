internal import Synchronization

/// An HTTP/1.1 server: sockets in, requests to a handler, answers out.
///
/// ```swift
/// let server = try HTTPServer(configuration: configuration, handler: handler)
/// server.start()
/// …
/// server.shutdown { exit(0) }
/// ```
///
/// It leaves the process's signals alone: no write of it can raise SIGPIPE.
package final class HTTPServer: Sendable {
  private enum Phase {
    case created
    case serving(shardsLeft: Int)
    case stopping(shardsLeft: Int, completions: [@Sendable () -> Void])
    case stopped
  }

  /// The addresses it listens at, with the ports that the kernel chose; clients may connect from here on, and are
  /// served from `start` on.
  package let boundAddresses: [SocketAddress]

  private let shards: [Shard]
  private let drainTimeout: Duration
  private let phase = Mutex(Phase.created)

  /// Opens the listeners.
  ///
  /// - Throws: `ListenError` for an address that can't be had; none is then kept.
  package init(configuration: ServerConfiguration, handler: RequestHandler) throws(ListenError) {
    var listeners: [Listener] = []
    for address in configuration.addresses {
      try Listener.open(address, backlog: configuration.backlog) { listeners.append($0) }
    }
    guard !listeners.isEmpty else { throw .noAddress }
    boundAddresses = listeners.map(\.address)
    drainTimeout = configuration.timeouts.drain
    do throws(Errno) {
      shards = try Self.makeShards(configuration, handler, listeners)
    } catch {
      throw .resources(error)
    }
  }

  private static func makeShards(
    _ configuration: ServerConfiguration, _ handler: RequestHandler, _ listeners: [Listener]
  ) throws(Errno) -> [Shard] {
    let ledger = ConnectionLedger(
      limit: configuration.capacity.connections, limitPerHost: configuration.capacity.connectionsPerAddress)
    let bodies = BodyLedger(limit: configuration.capacity.bodyBytes)
    var mailboxes: [Mailbox] = []
    for _ in 0..<max(1, configuration.shards) { mailboxes.append(try Mailbox()) }
    var shards: [Shard] = []
    for (index, mailbox) in mailboxes.enumerated() {
      shards.append(
        try Shard(
          name: "sluice.io.\(index)", configuration: configuration, handler: handler, ledger: ledger,
          bodies: bodies, listeners: index == 0 ? listeners : [], shards: mailboxes, mailbox: mailbox))
    }
    return shards
  }

  /// Begins to serve. To be called once.
  package func start() {
    let isFirst = phase.withLock { phase in
      guard case .created = phase else { return false }
      phase = .serving(shardsLeft: shards.count)
      return true
    }
    precondition(isFirst, "A server starts once.")
    for shard in shards { shard.start { self.shardFinished() } }
  }

  /// Secures the connections to come with another context, made of renewed files; those that are open keep theirs.
  package func reload(_ context: TLSContext) {
    for shard in shards { shard.mailbox.post(.secure(context)) }
  }

  /// Stops accepting, closes idle connections, lets requests in flight be answered with `Connection: close`, and calls
  /// `completion` when all is done, on an I/O queue. What isn't done after the drain timeout is cut off.
  package func shutdown(_ completion: @escaping @Sendable () -> Void) {
    enum Next { case drain, wait, done }
    let next = phase.withLock { phase -> Next in
      switch phase {
      case .created:
        phase = .stopped
        return .done
      case .serving(let left):
        phase = .stopping(shardsLeft: left, completions: [completion])
        return .drain
      case .stopping(let left, let completions):
        phase = .stopping(shardsLeft: left, completions: completions + [completion])
        return .wait
      case .stopped: return .done
      }
    }
    switch next {
    case .drain: shards[0].mailbox.post(.stop(deadline: monotonicNanoseconds() &+ drainTimeout.nanoseconds))
    case .wait: break
    case .done: completion()
    }
  }

  private func shardFinished() {
    let completions = phase.withLock { phase -> [@Sendable () -> Void] in
      guard case .stopping(let left, let completions) = phase else { return [] }
      if left > 1 {
        phase = .stopping(shardsLeft: left - 1, completions: completions)
        return []
      }
      phase = .stopped
      return completions
    }
    for completion in completions { completion() }
  }
}

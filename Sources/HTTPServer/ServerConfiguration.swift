package import HTTP1

/// What a server listens at, and how much of anything it gives to a client.
package struct ServerConfiguration: Sendable {
  package var addresses: [ListenAddress]
  /// I/O queues, each with an epoll set and a share of the connections. One serves some 100,000 small requests a
  /// second; more pay where the I/O itself, TLS above all, needs more than a core.
  package var shards = 1
  /// Connections that may wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
  package var backlog: Int32 = 4096
  /// Lengths of a message's parts.
  package var limits = Limits()
  package var capacity = Capacity()
  package var timeouts = Timeouts()

  /// What connections are secured with, but those over Unix sockets; nil for HTTP in clear.
  package var tls: TLSContext?
  /// Replies of text from this size on are sent in gzip or deflate to clients that ask for it; nil for never. Below a
  /// segment of TCP nothing is won.
  package var gzipRepliesFromBytes: Int? = 1400

  /// Where the server counts its connections and their bytes; several servers may share one.
  package var traffic = Traffic()

  package var rest = Rest()

  package init(addresses: [ListenAddress]) { self.addresses = addresses }

  /// What an I/O queue does when it has had nothing to do for 50 ms: freed memory goes back to the system.
  package struct Rest: Sendable {
    /// Only where so much has gone through the server since one of them last did: beside that, paging the memory in anew
    /// is nothing.
    package var bytes = 64 << 20
    package var action: @Sendable () -> Void = { ProcessMemory.giveBackFreed() }
  }

  /// Caps on what is held at a time.
  package struct Capacity: Sendable {
    /// Open connections; beyond it, new ones wait in the backlog until one closes.
    package var connections = 20_000
    /// Open connections of one client address, but for Unix sockets; one more is answered
    /// `ServerFailure.tooManyConnections` and closed.
    package var connectionsPerAddress = Int.max
    /// Answer bytes that a client has not taken yet; over it, nothing more is read of its connection.
    package var unsentBytes = 1 << 20

    /// Bytes of bodies that are on their way, of all connections together; over it, requests with content are answered
    /// `ServerFailure.overCapacity`.
    package var bodyBytes = 1 << 30

    package init() {}
  }

  /// How long a client may take. The cost of a connection without one is a store a request.
  package struct Timeouts: Sendable {
    /// From the first byte of a head to its end; from accepting to the first byte too.
    package var head = Duration.seconds(10)
    /// For each 64 KiB of a body: a slower client is cut off however it spreads its bytes.
    package var body = Duration.seconds(20)
    /// Between an answer and the next request.
    package var idle = Duration.seconds(75)
    /// For each 64 KiB of answers that the client takes.
    package var write = Duration.seconds(20)
    /// From the first byte of a request to the last byte of its answer.
    package var total = Duration.seconds(300)
    /// From accepting to the end of the TLS handshake.
    package var handshake = Duration.seconds(10)
    /// How long a closing connection goes on reading, so that the client gets to read the last answer
    /// (RFC 9112, 9.6).
    package var linger = Duration.seconds(2)
    /// How often a client that has ended its side is asked whether it still waits for its answer; one that has gone
    /// has its requests cancelled.
    package var hangUpProbe = Duration.milliseconds(500)
    /// How long `shutdown` waits for requests in flight.
    package var drain = Duration.seconds(30)

    package init() {}
  }
}

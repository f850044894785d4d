package import HTTP1

/// What the server does with requests: closures, called on the I/O queue of the connection's shard. None may
/// block, or the shard's other connections wait.
package struct RequestHandler: Sendable {
  /// Decides on the head, before any of the body is read; gets the monotonic nanoseconds at which the request's first
  /// byte was read.
  package var admit: @Sendable (RequestHead, ConnectionInfo, _ receivedAt: UInt64) -> Admission
  /// Takes a request whose body is complete. The exchange is answered from any thread, now or later.
  package var handle: @Sendable (Request, Exchange) -> Void
  /// Ends a turn of an I/O queue in which requests were handled, before it waits for anything. What is answered here
  /// leaves with the other answers of the turn.
  package var settle: @Sendable () -> Void
  /// Words what the server itself has to answer, and to what.
  package var failure: @Sendable (ServerFailure, FailedRequest) -> Response

  package init(
    admit: @escaping @Sendable (RequestHead, ConnectionInfo, _ receivedAt: UInt64) -> Admission,
    handle: @escaping @Sendable (Request, Exchange) -> Void,
    settle: @escaping @Sendable () -> Void = {},
    failure: @escaping @Sendable (ServerFailure, FailedRequest) -> Response
  ) {
    self.admit = admit
    self.handle = handle
    self.settle = settle
    self.failure = failure
  }
}

/// The verdict on a request's head.
package enum Admission: Sendable {
  /// The body may come, up to so many bytes. What the handler has made of the head comes back with the request, or with
  /// what failed of it, and is let go of when the request is answered or has failed.
  case accept(bodyBytesLimit: Int, (any RequestContext)? = nil)
  /// The answer is this one. A body that is still to come isn't read: the connection closes after the answer.
  case reject(Response)
}

/// What a handler keeps with a request.
package typealias RequestContext = AnyObject & Sendable

/// What is known of a request that the server answers by itself.
package struct FailedRequest: Sendable {
  /// Where it was understood.
  package let head: RequestHead?
  /// Where it was admitted.
  package let context: (any RequestContext)?
  /// Nil for a client that was turned away unheard.
  package let peer: SocketAddress?
  /// Monotonic nanoseconds at which its first byte was read; nil where there was none.
  package let receivedAt: UInt64?

  package init(
    head: RequestHead? = nil, context: (any RequestContext)? = nil, peer: SocketAddress?, receivedAt: UInt64?
  ) {
    self.head = head
    self.context = context
    self.peer = peer
    self.receivedAt = receivedAt
  }
}

/// A whole request.
package struct Request: Sendable {
  package let head: RequestHead
  /// The content, decoded: whatever Content-Encoding the head names has been undone.
  package var body: [UInt8]
  /// Monotonic nanoseconds at which its first byte was read.
  package let receivedAt: UInt64
  /// Monotonic nanoseconds at which its last byte was read.
  package let completedAt: UInt64
  package let connection: ConnectionInfo
  package let context: (any RequestContext)?
}

/// Who is at the other end of a connection.
package struct ConnectionInfo: Sendable {
  package let peer: SocketAddress
  /// What the TLS handshake has settled; nil on a connection without TLS.
  package internal(set) var tls: TLSPeer?
}

/// Why the server answers by itself.
package enum ServerFailure: Error, Equatable, Sendable {
  /// The message breaks HTTP or a limit; the error knows its status.
  case malformed(ProtocolError)
  /// The content is in a coding that isn't known or doesn't decode: 415, 413, 400.
  case undecodable(ContentCodingError)
  /// The client speaks HTTP where TLS is spoken: 400, in clear.
  case plainHTTPOnTLSPort
  /// The client took too long over the rest of its request: 408.
  case requestTimeout
  /// The answer wasn't there in time: 504.
  case answerTimeout
  /// The handler let go of the exchange without an answer: 500.
  case unanswered
  /// The bodies of all connections hold as much memory as they may: 503.
  case overCapacity
  /// The client's address has as many connections as it may: 503 or 429.
  case tooManyConnections
}

extension ServerFailure {
  /// The status of the answer.
  package var status: Status {
    switch self {
    case .malformed(let error): error.status
    case .undecodable(let error): error.status
    case .plainHTTPOnTLSPort: .badRequest
    case .requestTimeout: .requestTimeout
    case .answerTimeout: .gatewayTimeout
    case .unanswered: .internalServerError
    case .overCapacity, .tooManyConnections: .serviceUnavailable
    }
  }
}

extension ContentCodingError {
  /// The status of the answer.
  package var status: Status {
    switch self {
    case .unsupported: .unsupportedMediaType
    case .outputTooLarge: .contentTooLarge
    case .truncated, .trailingData, .malformed, .checksumMismatch: .badRequest
    case .outOfMemory: .serviceUnavailable
    }
  }
}

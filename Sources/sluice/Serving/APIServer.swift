import Batching
import HTTP1
import HTTPServer
import InferenceAPI

// Where the API meets the sockets: neither knows the other, and this is the whole of what stands between them.

extension RequestHandler {
  /// - Parameter listener: the door at which the requests come in.
  init(_ api: InferenceAPI, at listener: Arrival.Listener) {
    self.init(
      admit: { head, connection, receivedAt in
        switch api.admit(head, from: Arrival(listener: listener, client: connection.peer, receivedAt: receivedAt)) {
        case .accept(let bodyBytesLimit, let admitted): .accept(bodyBytesLimit: bodyBytesLimit, admitted)
        case .reject(let response): .reject(response)
        }
      },
      handle: { request, exchange in
        guard let admitted = request.context as? AdmittedRequest else {
          preconditionFailure("what was admitted comes back")
        }
        api.handle(
          APIRequest(
            head: request.head, body: request.body, receivedAt: request.receivedAt, completedAt: request.completedAt,
            admitted: admitted, isSettled: true),
          reply: ReplySink(exchange))
      },
      settle: { api.settle() },
      failure: { failure, request in
        api.answer(
          TransportFailure(failure), to: request.head, request.context as? AdmittedRequest,
          from: Arrival(
            listener: listener, client: request.peer, receivedAt: request.receivedAt ?? MonotonicClock.now()))
      })
  }
}

extension ReplySink {
  fileprivate init(_ exchange: Exchange) {
    self.init(
      respond: { exchange.respond($0) },
      respondOnIOQueue: { exchange.respond(onQueue: $0) },
      onCancel: { body in
        exchange.onCancel { cancellation in
          switch cancellation {
          case .clientGone: body(.clientGone)
          case .answerTimeout: body(.answeredByTransport)
          }
        }
      })
  }
}

extension TransportFailure {
  fileprivate init(_ failure: ServerFailure) {
    switch failure {
    case .malformed(let error): self = .malformed(error)
    case .undecodable(.unsupported): self = .contentCodingUnsupported
    case .undecodable(.outputTooLarge(let limit)): self = .contentTooLarge(limit: limit)
    case .undecodable(.outOfMemory), .overCapacity: self = .outOfMemory
    case .undecodable(.truncated), .undecodable(.trailingData), .undecodable(.malformed),
      .undecodable(.checksumMismatch):
      self = .contentUndecodable
    case .plainHTTPOnTLSPort: self = .plainHTTPOnTLSPort
    case .requestTimeout: self = .requestTimeout
    case .answerTimeout: self = .answerTimeout
    case .unanswered: self = .unanswered
    case .tooManyConnections: self = .tooManyConnections
    }
  }
}

import HTTP1
import HTTPServer
import InferenceAPI

// Where the API meets the sockets: neither knows the other, and this is the whole of what stands between them.

extension RequestHandler {
  init(_ api: InferenceAPI) {
    self.init(
      admit: { head, _ in
        switch api.admit(head) {
        case .accept(let bodyBytesLimit): .accept(bodyBytesLimit: bodyBytesLimit)
        case .reject(let response): .reject(response)
        }
      },
      handle: { request, exchange in
        api.handle(
          APIRequest(
            head: request.head, body: request.body, receivedAt: request.receivedAt, completedAt: request.completedAt),
          reply: ReplySink(exchange))
      },
      failure: { api.answer(TransportFailure($0), to: $1) })
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

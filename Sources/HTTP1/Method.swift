/// A request method: a case-sensitive token (RFC 9110 §9.1), so `get` is not `GET`.
package enum Method: Hashable, Sendable {
  case get, head, post, put, delete, options, patch, trace, connect
  /// Any other token, as it was sent.
  case other(String)

  package var name: String {
    switch self {
    case .get: "GET"
    case .head: "HEAD"
    case .post: "POST"
    case .put: "PUT"
    case .delete: "DELETE"
    case .options: "OPTIONS"
    case .patch: "PATCH"
    case .trace: "TRACE"
    case .connect: "CONNECT"
    case .other(let name): name
    }
  }

  /// The method of a token.
  package init(_ name: String) {
    self =
      switch name {
      case "GET": .get
      case "HEAD": .head
      case "POST": .post
      case "PUT": .put
      case "DELETE": .delete
      case "OPTIONS": .options
      case "PATCH": .patch
      case "TRACE": .trace
      case "CONNECT": .connect
      default: .other(name)
      }
  }
}

extension Method: CustomStringConvertible {
  package var description: String { name }
}

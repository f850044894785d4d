/// A status code with its reason phrase (RFC 9110 §15, RFC 6585).
package struct Status: Hashable, Sendable {
  /// 100…599.
  package let code: Int

  /// What stands behind the code on the status line; no client may rely on it (RFC 9112 §4).
  package let reason: String

  private init(_ code: Int, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  package static func == (one: Status, other: Status) -> Bool { one.code == other.code }

  package func hash(into hasher: inout Hasher) { hasher.combine(code) }

  /// Whether a response of this status is followed by another one, the final one (RFC 9110 §15.2).
  package var isInformational: Bool { code < 200 }

  /// Whether a response of this status ends with its head, whatever its fields say (RFC 9112 §6.3).
  package var forbidsContent: Bool { isInformational || code == 204 || code == 304 }
}

extension Status {
  package static var `continue`: Status { Status(100, "Continue") }
  package static var ok: Status { Status(200, "OK") }
  package static var noContent: Status { Status(204, "No Content") }
  package static var resetContent: Status { Status(205, "Reset Content") }
  package static var notModified: Status { Status(304, "Not Modified") }
  package static var badRequest: Status { Status(400, "Bad Request") }
  package static var unauthorized: Status { Status(401, "Unauthorized") }
  package static var forbidden: Status { Status(403, "Forbidden") }
  package static var notFound: Status { Status(404, "Not Found") }
  package static var methodNotAllowed: Status { Status(405, "Method Not Allowed") }
  package static var requestTimeout: Status { Status(408, "Request Timeout") }
  package static var conflict: Status { Status(409, "Conflict") }
  package static var contentTooLarge: Status { Status(413, "Content Too Large") }
  package static var uriTooLong: Status { Status(414, "URI Too Long") }
  package static var unsupportedMediaType: Status { Status(415, "Unsupported Media Type") }
  package static var expectationFailed: Status { Status(417, "Expectation Failed") }
  package static var unprocessableContent: Status { Status(422, "Unprocessable Content") }
  package static var tooManyRequests: Status { Status(429, "Too Many Requests") }
  package static var requestHeaderFieldsTooLarge: Status { Status(431, "Request Header Fields Too Large") }
  package static var internalServerError: Status { Status(500, "Internal Server Error") }
  package static var notImplemented: Status { Status(501, "Not Implemented") }
  package static var serviceUnavailable: Status { Status(503, "Service Unavailable") }
  package static var gatewayTimeout: Status { Status(504, "Gateway Timeout") }
  package static var httpVersionNotSupported: Status { Status(505, "HTTP Version Not Supported") }
}

extension Status: CustomStringConvertible {
  package var description: String { "\(code) \(reason)" }
}

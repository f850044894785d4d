package import HTTP1

/// Every way in which a request can fail, as the client sees it: the `type` of its problem (RFC 9457, section 3.1.1).
///
/// The raw value is the slug that ends the `type` URI and labels the metric, so it is never reworded.
package enum ProblemType: String, Sendable, CaseIterable {
  case malformedRequest = "malformed-request"
  case missingBody = "missing-body"
  case malformedJSON = "malformed-json"
  case unauthorized = "unauthorized"
  case unknownRoute = "unknown-route"
  case unknownModel = "unknown-model"
  case unknownLayer = "unknown-layer"
  case modelControlOff = "model-control-off"
  case modelSuperseded = "model-superseded"
  case modelUnservable = "model-unservable"
  case methodNotAllowed = "method-not-allowed"
  case requestTimeout = "request-timeout"
  case contentTooLarge = "content-too-large"
  case uriTooLong = "uri-too-long"
  case unsupportedMediaType = "unsupported-media-type"
  case expectationFailed = "expectation-failed"
  case invalidValue = "invalid-value"
  case missingMember = "missing-member"
  case unknownMember = "unknown-member"
  case duplicateMember = "duplicate-member"
  case conflictingMember = "conflicting-member"
  case shapeMismatch = "shape-mismatch"
  case missingExpert = "missing-expert"
  case nonFiniteInput = "non-finite-input"
  case nonFiniteOutput = "non-finite-output"
  case rateLimited = "rate-limited"
  case concurrencyLimited = "concurrency-limited"
  case fieldsTooLarge = "fields-too-large"
  case internalError = "internal-error"
  case notImplemented = "not-implemented"
  case notReady = "not-ready"
  case overloaded = "overloaded"
  case draining = "draining"
  case tooManyConnections = "too-many-connections"
  case deadlineExceeded = "deadline-exceeded"
  case versionNotSupported = "version-not-supported"

  /// The absolute URI of the type; a name, not an address.
  var uri: String { "urn:sluice:problem:" + rawValue }

  /// Whether the request might have been served at another time: it is turned away for the server's condition.
  var isRejection: Bool {
    switch self {
    case .unauthorized, .rateLimited, .concurrencyLimited, .notReady, .overloaded, .draining, .tooManyConnections,
      .deadlineExceeded:
      true
    case .malformedRequest, .missingBody, .malformedJSON, .unknownRoute, .unknownModel, .unknownLayer,
      .modelControlOff, .modelSuperseded, .modelUnservable, .methodNotAllowed, .requestTimeout, .contentTooLarge,
      .uriTooLong, .unsupportedMediaType, .expectationFailed,
      .invalidValue, .missingMember, .unknownMember, .duplicateMember, .conflictingMember, .shapeMismatch,
      .missingExpert, .nonFiniteInput, .nonFiniteOutput, .fieldsTooLarge, .internalError, .notImplemented,
      .versionNotSupported:
      false
    }
  }

  package var status: Status {
    switch self {
    case .malformedRequest, .missingBody, .malformedJSON: .badRequest
    case .unauthorized: .unauthorized
    case .rateLimited, .concurrencyLimited: .tooManyRequests
    case .unknownRoute, .unknownModel, .unknownLayer: .notFound
    case .modelControlOff: .forbidden
    case .modelSuperseded: .conflict
    case .methodNotAllowed: .methodNotAllowed
    case .requestTimeout: .requestTimeout
    case .contentTooLarge: .contentTooLarge
    case .uriTooLong: .uriTooLong
    case .unsupportedMediaType: .unsupportedMediaType
    case .expectationFailed: .expectationFailed
    case .invalidValue, .missingMember, .unknownMember, .duplicateMember, .conflictingMember, .shapeMismatch,
      .missingExpert, .nonFiniteInput, .nonFiniteOutput, .modelUnservable:
      .unprocessableContent
    case .fieldsTooLarge: .requestHeaderFieldsTooLarge
    case .internalError: .internalServerError
    case .notImplemented: .notImplemented
    case .notReady, .overloaded, .draining, .tooManyConnections: .serviceUnavailable
    case .deadlineExceeded: .gatewayTimeout
    case .versionNotSupported: .httpVersionNotSupported
    }
  }

  /// The same for every occurrence of the type (RFC 9457, section 3.1.3); what is particular stands in `detail`.
  var title: String {
    switch self {
    case .malformedRequest: "The request is not well-formed HTTP"
    case .missingBody: "The request has no body"
    case .malformedJSON: "The body is not JSON"
    case .unauthorized: "The request needs a key"
    case .unknownRoute: "There is nothing at this path"
    case .unknownModel: "No such model is loaded"
    case .unknownLayer: "The model has no such layer"
    case .modelControlOff: "Clients may not load or unload models here"
    case .modelSuperseded: "The model was changed meanwhile"
    case .modelUnservable: "The model cannot be served"
    case .methodNotAllowed: "The path does not know this method"
    case .requestTimeout: "The request took too long to arrive"
    case .contentTooLarge: "The body is too large"
    case .uriTooLong: "The request target is too long"
    case .unsupportedMediaType: "The body's media type is not supported"
    case .expectationFailed: "The expectation cannot be met"
    case .invalidValue: "A member has a value that it cannot have"
    case .missingMember: "A member is missing"
    case .unknownMember: "A member is unknown"
    case .duplicateMember: "A member stands twice"
    case .conflictingMember: "A member does not go with the others"
    case .shapeMismatch: "A tensor has the wrong shape"
    case .missingExpert: "An expert that a row needs is not on this server"
    case .nonFiniteInput: "An input number is beyond float32"
    case .nonFiniteOutput: "The result is not finite"
    case .rateLimited: "The key's requests come too fast"
    case .concurrencyLimited: "The key has too many requests under way"
    case .fieldsTooLarge: "The header fields are too large"
    case .internalError: "The server failed"
    case .notImplemented: "The server does not implement this"
    case .notReady: "The server is still loading its models"
    case .overloaded: "The server is at its capacity"
    case .draining: "The server is shutting down"
    case .tooManyConnections: "The client has too many connections"
    case .deadlineExceeded: "The deadline passed before the answer was there"
    case .versionNotSupported: "The HTTP version is not supported"
    }
  }
}

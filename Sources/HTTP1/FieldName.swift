/// The name of a field: a non-empty token, equal in any case (RFC 9110 §5.1).
package struct FieldName: Sendable {
  /// The name as it is written into a message.
  package let text: String

  /// The name for a token; `nil` for anything else, so that no name can break a head.
  package init?(_ text: String) {
    guard !text.isEmpty, text.utf8.allSatisfy({ OctetSet.token.contains($0) }) else { return nil }
    self.text = text
  }

  private init(known text: String) { self.text = text }

  /// Whether `octets` spell this name, in any case.
  func matches(_ octets: RawSpan, _ range: Range<Int>) -> Bool {
    guard text.utf8.count == range.count else { return false }
    let name = text.utf8Span.span
    for index in name.indices
    where name[index].lowercased != octets.octet(range.lowerBound &+ index).lowercased {
      return false
    }
    return true
  }
}

extension FieldName: Hashable {
  package static func == (one: FieldName, other: FieldName) -> Bool {
    one.text.utf8.elementsEqual(other.text.utf8) { $0.lowercased == $1.lowercased }
  }

  package func hash(into hasher: inout Hasher) {
    for octet in text.utf8 { hasher.combine(octet.lowercased) }
  }
}

extension FieldName: CustomStringConvertible {
  package var description: String { text }
}

extension FieldName {
  package static var accept: FieldName { FieldName(known: "Accept") }
  package static var acceptEncoding: FieldName { FieldName(known: "Accept-Encoding") }
  package static var allow: FieldName { FieldName(known: "Allow") }
  package static var authorization: FieldName { FieldName(known: "Authorization") }
  package static var connection: FieldName { FieldName(known: "Connection") }
  package static var contentEncoding: FieldName { FieldName(known: "Content-Encoding") }
  package static var contentLength: FieldName { FieldName(known: "Content-Length") }
  package static var contentType: FieldName { FieldName(known: "Content-Type") }
  package static var date: FieldName { FieldName(known: "Date") }
  package static var etag: FieldName { FieldName(known: "ETag") }
  package static var host: FieldName { FieldName(known: "Host") }
  /// Where the JSON of a binary tensor request or response ends (Open Inference Protocol, binary extension).
  package static var inferenceHeaderContentLength: FieldName { FieldName(known: "Inference-Header-Content-Length") }
  package static var retryAfter: FieldName { FieldName(known: "Retry-After") }
  package static var serverTiming: FieldName { FieldName(known: "Server-Timing") }
  /// W3C Trace Context, written in lower case as its specification does.
  package static var traceparent: FieldName { FieldName(known: "traceparent") }
  package static var transferEncoding: FieldName { FieldName(known: "Transfer-Encoding") }
  package static var vary: FieldName { FieldName(known: "Vary") }
  package static var wwwAuthenticate: FieldName { FieldName(known: "WWW-Authenticate") }
  package static var xRequestID: FieldName { FieldName(known: "X-Request-Id") }
}

/// The minor version of HTTP/1 by whose rules a request is read.
///
/// A request of a higher minor version is read as one of HTTP/1.1 (RFC 9110 §2.5).
package enum HTTPVersion: Hashable, Sendable {
  case http10, http11
}

/// The request line and the fields of a request, checked: its host and framing are valid when one of these exists.
package struct RequestHead: Sendable {
  package let method: Method
  package let target: RequestTarget
  package let version: HTTPVersion
  package let fields: Fields
  package let framing: BodyFraming

  /// Whether the client waits for 100 (Continue) before it sends the content (RFC 9110 §10.1.1).
  package let expectsContinue: Bool

  /// Whether the client allows another request on this connection (RFC 9112 §9.3).
  package let isPersistent: Bool

  private let pathRange: Range<Int>
  private let queryRange: Range<Int>?
  private let authorityRange: Range<Int>?

  /// The path as it was sent, without the query and still percent-encoded: `/…`, or `*`, or nothing with CONNECT.
  ///
  /// An absolute URI without a path has the path `/`, and `*` with OPTIONS (RFC 9112 §3.2.4).
  package var path: String {
    guard target == .absolute, pathRange.isEmpty else { return text(pathRange) }
    return method == .options && queryRange == nil ? "*" : "/"
  }

  /// What follows the first `?` of the target, as it was sent.
  package var query: String? { queryRange.map(text) }

  /// The host, with its port if there is one: the target's where it has one, and Host's otherwise (RFC 9112 §3.2.2);
  /// `nil` only for HTTP/1.0 without Host.
  package var authority: String? { authorityRange.map(text) }

  private func text(_ range: Range<Int>) -> String { fields.octets.span.bytes.text(range) }

  init(
    method: Method, version: HTTPVersion, fields: Fields, framing: BodyFraming, expectsContinue: Bool,
    isPersistent: Bool, parts: TargetParts, host: Range<Int>?
  ) {
    self.method = method
    self.target = parts.form
    self.version = version
    self.fields = fields
    self.framing = framing
    self.expectsContinue = expectsContinue
    // Who sends CONNECT may go on with octets of the tunnel before the answer: they must not become a request.
    self.isPersistent = isPersistent && method != .connect
    pathRange = parts.path
    queryRange = parts.query
    authorityRange = parts.authority ?? host
  }
}

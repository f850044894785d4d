/// The form of a request target (RFC 9112 §3.2).
package enum RequestTarget: Hashable, Sendable {
  /// `/path?query`.
  case origin
  /// `http://host/path?query`, whose host takes the place of Host's (§3.2.2).
  case absolute
  /// `host:port`, of CONNECT alone (§3.2.3).
  case authority
  /// `*`, of OPTIONS alone (§3.2.4).
  case asterisk
}

/// Where the parts of a request target are.
struct TargetParts {
  var form: RequestTarget
  var authority: Range<Int>?
  /// Empty for the authority form, and for an absolute URI that has no path.
  var path: Range<Int>
  var query: Range<Int>?

  /// Parses the target in `range`, which is not empty.
  ///
  /// Nothing is decoded or normalised; a fragment, a malformed percent-encoding and any octet outside RFC 3986's
  /// grammar are refused.
  init(_ octets: RawSpan, _ range: Range<Int>, method: Method) throws(ProtocolError) {
    if method == .connect {
      guard Authority.isValid(octets, range, needsPort: true) else { throw .targetFormMismatch }
      self.init(form: .authority, authority: range, path: range.upperBound..<range.upperBound, query: nil)
    } else if octets.octet(range.lowerBound) == .slash {
      let (path, query) = try Self.pathAndQuery(octets, range)
      self.init(form: .origin, authority: nil, path: path, query: query)
    } else if range.count == 1, octets.octet(range.lowerBound) == .asterisk {
      guard method == .options else { throw .targetFormMismatch }
      self.init(form: .asterisk, authority: nil, path: range, query: nil)
    } else if let start = Self.endOfScheme(octets, range) {
      var end = start
      while end < range.upperBound, octets.octet(end) != .slash, octets.octet(end) != .questionMark { end += 1 }
      guard Authority.isValid(octets, start..<end) else { throw .targetMalformed }
      let (path, query) = try Self.pathAndQuery(octets, end..<range.upperBound)
      self.init(form: .absolute, authority: start..<end, path: path, query: query)
    } else {
      throw Authority.isValid(octets, range, needsPort: true) ? .targetFormMismatch : .targetMalformed
    }
  }

  private init(form: RequestTarget, authority: Range<Int>?, path: Range<Int>, query: Range<Int>?) {
    self.form = form
    self.authority = authority
    self.path = path
    self.query = query
  }

  /// Where what follows `http://` or `https://` begins (RFC 9110 §4.2).
  private static func endOfScheme(_ octets: RawSpan, _ range: Range<Int>) -> Int? {
    for (scheme, length) in [("http://" as StaticString, 7), ("https://", 8)] where range.count >= length {
      let end = range.lowerBound + length
      if octets.matches(range.lowerBound..<end, scheme) { return end }
    }
    return nil
  }

  private static func pathAndQuery(
    _ octets: RawSpan, _ range: Range<Int>
  ) throws(ProtocolError) -> (path: Range<Int>, query: Range<Int>?) {
    let pathEnd = endOfPart(octets, range, .path)
    if pathEnd == range.upperBound { return (range, nil) }
    guard octets.octet(pathEnd) == .questionMark else { throw .targetMalformed }
    let query = pathEnd + 1..<range.upperBound
    guard endOfPart(octets, query, .query) == query.upperBound else { throw .targetMalformed }
    return (range.lowerBound..<pathEnd, query)
  }

  /// Where the first octet is that is neither in `set` nor of a percent-encoding.
  private static func endOfPart(_ octets: RawSpan, _ range: Range<Int>, _ set: OctetSet) -> Int {
    var offset = range.lowerBound
    while offset < range.upperBound {
      if set.contains(octets.octet(offset)) {
        offset += 1
      } else if octets.isPercentEncoding(at: offset, before: range.upperBound) {
        offset += 3
      } else {
        break
      }
    }
    return offset
  }
}

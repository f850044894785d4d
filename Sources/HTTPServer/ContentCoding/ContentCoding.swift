/// A content coding this server can undo in a request's body (RFC 9110, 8.4.1), and in which it codes replies.
package enum ContentCoding: String, Sendable, CaseIterable {
  /// RFC 1952: one member or several, each with its CRC-32 and length.
  case gzip
  /// RFC 1950 around RFC 1951: the zlib wrapper with its Adler-32, as RFC 9110, 8.4.1.2 defines `deflate`.
  ///
  /// The bare RFC 1951 stream that some old clients sent under this name is refused as malformed: it has no checksum,
  /// telling it from a zlib header is a guess on two bytes, and no client in use sends it in a request.
  case deflate

  /// Value of the `Accept-Encoding` field of a 415 response (RFC 9110, 12.5.3; RFC 7694, 3).
  package static let accepted = allCases.map(\.rawValue).joined(separator: ", ")

  /// The coding that a message's `Content-Encoding` fields name, nil for none.
  ///
  /// Names are compared without case and `x-gzip` is `gzip` (RFC 9110, 8.4.1.3). `identity`, which a sender should
  /// leave out, and empty list elements (RFC 9110, 5.6.1.2) say nothing. A body coded more than once is refused like an
  /// unknown coding: each layer multiplies what a bomb can do and no client needs it.
  ///
  /// - Parameter fieldValues: the value of each `Content-Encoding` field, in order.
  /// - Throws: `.unsupported`, which becomes 415 with `Accept-Encoding`.
  package init?(contentEncoding fieldValues: [String]) throws(ContentCodingError) {
    var found: ContentCoding?
    for value in fieldValues {
      for element in value.utf8.split(separator: UInt8(ascii: ",")) {
        let name = Substring(element.trimmingOptionalWhitespace)
        if name.isEmpty || name.equalsIgnoringCase("identity") { continue }
        guard found == nil, let coding = ContentCoding(name: name) else { throw .unsupported }
        found = coding
      }
    }
    guard let found else { return nil }
    self = found
  }

  /// - Parameter name: a token of `Content-Encoding` or `Accept-Encoding`, in any case.
  init?(name: Substring) {
    if name.equalsIgnoringCase("gzip") || name.equalsIgnoringCase("x-gzip") {
      self = .gzip
    } else if name.equalsIgnoringCase("deflate") {
      self = .deflate
    } else {
      return nil
    }
  }
}

/// What can be wrong with a coded body.
package enum ContentCodingError: Error, Equatable, Sendable {
  /// The body is in a coding, or a series of codings, that this server doesn't undo: 415 with `Accept-Encoding`.
  case unsupported
  /// The content grew beyond what may be held of it: 413.
  case outputTooLarge(limit: Int)
  /// The body ended before its stream did: 400.
  case truncated
  /// Bytes follow the end of the stream at this offset of the coded body: 400.
  case trailingData(offset: Int)
  /// The stream breaks its format at, or within a few bytes before, this offset of the coded body: 400.
  case malformed(offset: Int)
  /// The stream decodes, but to other content than its checksum or its length was made of: 400.
  case checksumMismatch
  /// zlib could not allocate its window: 503.
  case outOfMemory
}

extension Substring.UTF8View {
  /// Without the spaces and tabs at both ends (OWS of RFC 9110, 5.6.3).
  var trimmingOptionalWhitespace: Substring.UTF8View {
    func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
    guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
      return self[endIndex...]
    }
    return self[first...last]
  }
}

extension Substring {
  /// Whether this is `lowercase`, ASCII letters compared without case.
  func equalsIgnoringCase(_ lowercase: StaticString) -> Bool {
    utf8.count == lowercase.utf8CodeUnitCount
      && lowercase.withUTF8Buffer { expected in
        zip(utf8, expected).allSatisfy { byte, lower in
          (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 == lower : byte == lower
        }
      }
  }
}

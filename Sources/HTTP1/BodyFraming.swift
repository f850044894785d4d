/// How the end of a request's content is found (RFC 9112 §6.3).
package enum BodyFraming: Hashable, Sendable {
  /// Neither Content-Length nor Transfer-Encoding: there is no content.
  case none
  /// Content-Length: so many octets, perhaps 0.
  case length(Int)
  /// Transfer-Encoding: chunked, without any other coding.
  case chunked

  /// Whether there is content to wait for.
  package var hasContent: Bool {
    switch self {
    case .none: false
    case .length(let count): count > 0
    case .chunked: true
    }
  }
}

/// What the fields of one head say about framing, noted field by field and judged once all are known.
struct FramingFields {
  private var lengths = 0
  private var length: Int?
  private var codings = TransferCodings()

  /// Notes a Content-Length: one or more digits, up to `Int.max`. No sign, no list, no hexadecimal (RFC 9110 §8.6).
  mutating func noteContentLength(_ octets: RawSpan, _ range: Range<Int>) {
    lengths += 1
    length = Self.decimal(octets, range)
  }

  mutating func noteTransferEncoding(_ octets: RawSpan, _ range: Range<Int>) { codings.note(octets, range) }

  /// Applies RFC 9112 §6.3 more strictly where it leaves a choice: equal Content-Lengths are not merged, and
  /// Transfer-Encoding does not override Content-Length (§6.3 item 3: "ought to be handled as an error").
  func framing(_ version: HTTPVersion) throws(ProtocolError) -> BodyFraming {
    if codings.isPresent {
      guard lengths == 0 else { throw .contentLengthWithTransferEncoding }
      guard version == .http11 else { throw .transferEncodingInHTTP10 }
      try codings.check()
      return .chunked
    }
    if lengths == 0 { return .none }
    guard lengths == 1 else { throw .contentLengthRepeated }
    guard let length else { throw .contentLengthMalformed }
    return .length(length)
  }

  private static func decimal(_ octets: RawSpan, _ range: Range<Int>) -> Int? {
    guard !range.isEmpty else { return nil }
    var value = 0
    for offset in range {
      guard let digit = octets.octet(offset).decimalDigit else { return nil }
      let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, carries) = shifted.addingReportingOverflow(digit)
      guard !overflows, !carries else { return nil }
      value = sum
    }
    return value
  }
}

/// The transfer codings of a request, all its Transfer-Encoding fields taken together (RFC 9112 §6.1, §7).
private struct TransferCodings {
  private(set) var isPresent = false
  private var isMalformed = false
  private var chunked = 0
  private var isChunkedLast = false
  /// `compress`, `deflate`, `gzip`: understood as names, not decoded.
  private var hasCompression = false
  private var hasUnknown = false

  mutating func note(_ octets: RawSpan, _ range: Range<Int>) {
    isPresent = true
    // Collected beside `self`, which the closure may not capture while it mutates.
    var noted = self
    octets.forEachListElement(in: range) { noted.noteCoding(octets, $0) }
    self = noted
  }

  private mutating func noteCoding(_ octets: RawSpan, _ range: Range<Int>) {
    var nameEnd = range.lowerBound
    while nameEnd < range.upperBound, OctetSet.token.contains(octets.octet(nameEnd)) { nameEnd += 1 }
    let name = range.lowerBound..<nameEnd
    let hasParameters =
      nameEnd < range.upperBound && (octets.octet(nameEnd) == .semicolon || octets.octet(nameEnd).isWhitespace)
    // An empty element is legal in a list and has no place in this one: intermediaries disagree about it.
    guard !name.isEmpty, nameEnd == range.upperBound || hasParameters else { return isMalformed = true }
    isChunkedLast = octets.matches(name, "chunked")
    if isChunkedLast {
      chunked += 1
      // "The chunked coding does not define any parameters. Their presence SHOULD be treated as an error" (§7.1).
      if hasParameters { isMalformed = true }
    } else if ["compress", "x-compress", "deflate", "gzip", "x-gzip"].contains(where: { octets.matches(name, $0) }) {
      hasCompression = true
    } else {
      hasUnknown = true
    }
  }

  /// Passes if `chunked` is the one coding.
  ///
  /// A coding that is not understood is 501 (§6.1); content whose end can't be found because the last coding is not
  /// chunked, or which is chunked twice, is 400 (§6.3 item 4, §6.1); a compression below chunked is 501.
  func check() throws(ProtocolError) {
    if isMalformed { throw .transferEncodingMalformed }
    if hasUnknown { throw .transferCodingUnsupported }
    guard isChunkedLast, chunked == 1 else { throw .chunkedNotLast }
    if hasCompression { throw .transferCodingUnsupported }
  }
}

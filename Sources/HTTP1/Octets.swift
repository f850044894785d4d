/// A set of ASCII octets in two machine words, so that a membership test is a shift and a mask and needs no table.
///
/// Octets from 0x80 up are never members: obs-text is no part of any grammar that asks for one of these sets.
struct OctetSet: Sendable {
  private let low: UInt64
  private let high: UInt64

  private init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  @inline(__always) func contains(_ octet: UInt8) -> Bool {
    let word = octet & 0x40 == 0 ? low : high
    return octet < 0x80 && (word &>> UInt64(octet & 0x3F)) & 1 == 1
  }

  /// `tchar` (RFC 9110 §5.6.2): what methods, field names and most list elements consist of.
  static var token: OctetSet { OctetSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE) }

  /// `unreserved / sub-delims` (RFC 3986 §3.2.2): a registered name, percent-encodings apart.
  static var registeredName: OctetSet { OctetSet(low: 0x2BFF_7FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }

  /// `pchar / "/"` (RFC 3986 §3.3): a path, percent-encodings apart.
  static var path: OctetSet { OctetSet(low: 0x2FFF_FFD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFF) }

  /// `pchar / "/" / "?"` (RFC 3986 §3.4): a query, percent-encodings apart.
  static var query: OctetSet { OctetSet(low: 0xAFFF_FFD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFF) }
}

extension UInt8 {
  static var horizontalTab: UInt8 { 0x09 }
  static var lineFeed: UInt8 { 0x0A }
  static var carriageReturn: UInt8 { 0x0D }
  static var space: UInt8 { 0x20 }
  static var doubleQuote: UInt8 { 0x22 }
  static var percent: UInt8 { 0x25 }
  static var asterisk: UInt8 { 0x2A }
  static var comma: UInt8 { 0x2C }
  static var period: UInt8 { 0x2E }
  static var slash: UInt8 { 0x2F }
  static var colon: UInt8 { 0x3A }
  static var semicolon: UInt8 { 0x3B }
  static var equals: UInt8 { 0x3D }
  static var questionMark: UInt8 { 0x3F }
  static var leftBracket: UInt8 { 0x5B }
  static var backslash: UInt8 { 0x5C }
  static var rightBracket: UInt8 { 0x5D }

  /// SP or HTAB, the only octets of `OWS` and `BWS` (RFC 9110 §5.6.3).
  var isWhitespace: Bool { self == .space || self == .horizontalTab }

  /// CTL but HTAB: what no field value may hold (RFC 9110 §5.5).
  var isForbiddenInValue: Bool { self < 0x20 && self != .horizontalTab || self == 0x7F }

  /// The value of a DIGIT.
  var decimalDigit: Int? { self &- 0x30 < 10 ? Int(self &- 0x30) : nil }

  /// The value of a HEXDIG, in either case.
  package var hexadecimalDigit: Int? {
    if let decimalDigit { return decimalDigit }
    let letter = (self | 0x20) &- 0x61
    return letter < 6 ? Int(letter) + 10 : nil
  }

  /// This octet in lower case where it is an ASCII letter.
  @inline(__always) var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }
}

extension RawSpan {
  /// The octet at `offset`; an offset outside the span traps rather than reads.
  @inline(__always) func octet(_ offset: Int) -> UInt8 {
    unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }

  /// Where the first control octet (0x00–0x1F, 0x7F) of `start..<end` is, or `end`.
  ///
  /// Eight octets a step: `(w − 0x20…) & ~w` raises the top bit of an octet below 0x20, and `((w ^ 0x7F…) − 0x01…) &
  /// ~(w ^ 0x7F…)` that of DEL. A borrow spoils only octets above a true hit, so the lowest raised bit is a true hit.
  @inline(__always) func firstControl(from start: Int, to end: Int) -> Int {
    var offset = start
    while offset &+ 8 <= end {
      let word = UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
      let delete = word ^ 0x7F7F_7F7F_7F7F_7F7F
      let hits =
        ((word &- 0x2020_2020_2020_2020) & ~word | (delete &- 0x0101_0101_0101_0101) & ~delete)
        & 0x8080_8080_8080_8080
      if hits != 0 { return offset &+ hits.trailingZeroBitCount / 8 }
      offset &+= 8
    }
    while offset < end {
      let octet = octet(offset)
      if octet < 0x20 || octet == 0x7F { return offset }
      offset &+= 1
    }
    return end
  }

  /// Where the first LF of `start..<end` is, or `nil`.
  @inline(__always) func firstLineFeed(from start: Int, to end: Int) -> Int? {
    var offset = start
    while offset &+ 8 <= end {
      let word =
        UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)) ^ 0x0A0A_0A0A_0A0A_0A0A
      let hits = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
      if hits != 0 { return offset &+ hits.trailingZeroBitCount / 8 }
      offset &+= 8
    }
    while offset < end {
      if octet(offset) == .lineFeed { return offset }
      offset &+= 1
    }
    return nil
  }

  /// Whether `range` holds `lowercase`, letters compared in lower case.
  @inline(__always) func matches(_ range: Range<Int>, _ lowercase: StaticString) -> Bool {
    guard range.count == lowercase.utf8CodeUnitCount else { return false }
    for index in 0..<range.count
    where octet(range.lowerBound &+ index).lowercased != lowercase.utf8Start[index] {
      return false
    }
    return true
  }

  /// `range` without the SP and HTAB at its two ends (RFC 9110 §5.6.3).
  func trimmingWhitespace(_ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, octet(start).isWhitespace { start += 1 }
    while end > start, octet(end - 1).isWhitespace { end -= 1 }
    return start..<end
  }

  /// Calls `body` with each element of the comma-separated list in `range`, trimmed, empty ones too (RFC 9110 §5.6.1).
  ///
  /// A comma within a quoted string separates nothing.
  func forEachListElement(in range: Range<Int>, _ body: (Range<Int>) -> Void) {
    var start = range.lowerBound
    var offset = start
    var quoted = false
    while offset < range.upperBound {
      switch octet(offset) {
      case .doubleQuote: quoted.toggle()
      case .backslash where quoted: offset += 1
      case .comma where !quoted:
        body(trimmingWhitespace(start..<offset))
        start = offset + 1
      default: break
      }
      offset += 1
    }
    body(trimmingWhitespace(start..<range.upperBound))
  }

  /// `range` as text; octets that are no UTF-8 become U+FFFD.
  func text(_ range: Range<Int>) -> String {
    // Unsafe: the pointer lives as long as the copy that is made of it.
    extracting(range).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }
}

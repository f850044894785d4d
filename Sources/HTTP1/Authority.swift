/// `uri-host [ ":" port ]`: the value of Host, and the authority of a target (RFC 9110 §7.2, RFC 3986 §3.2).
///
/// Stricter than the grammar in three points: the host is not empty, since an http URI with an empty one is invalid
/// (RFC 9110 §4.2.1); there is no user information (§4.2.4); an address in brackets is an IPv6 address, not one of a
/// future version. A port is at most 65535 and may be empty.
enum Authority {
  static func isValid(_ octets: RawSpan, _ range: Range<Int>, needsPort: Bool = false) -> Bool {
    var offset = range.lowerBound
    let end = range.upperBound
    guard offset < end else { return false }
    if octets.octet(offset) == .leftBracket {
      var close = offset + 1
      while close < end, octets.octet(close) != .rightBracket { close += 1 }
      guard close < end, isIPv6(octets, offset + 1..<close) else { return false }
      offset = close + 1
    } else {
      guard let nameEnd = endOfRegisteredName(octets, range), nameEnd > offset else { return false }
      offset = nameEnd
    }
    guard offset < end else { return !needsPort }
    guard octets.octet(offset) == .colon else { return false }
    return isPort(octets, offset + 1..<end) && (!needsPort || offset + 1 < end)
  }

  private static func endOfRegisteredName(_ octets: RawSpan, _ range: Range<Int>) -> Int? {
    var offset = range.lowerBound
    while offset < range.upperBound {
      let octet = octets.octet(offset)
      if octet == .percent {
        guard octets.isPercentEncoding(at: offset, before: range.upperBound) else { return nil }
        offset += 3
      } else if OctetSet.registeredName.contains(octet) {
        offset += 1
      } else {
        break
      }
    }
    return offset
  }

  private static func isPort(_ octets: RawSpan, _ range: Range<Int>) -> Bool {
    var port = 0
    for offset in range {
      guard let digit = octets.octet(offset).decimalDigit else { return false }
      port = port * 10 + digit
      guard port <= 65535 else { return false }
    }
    return true
  }

  /// `IPv6address`: eight groups of one to four hexadecimal digits, the last two perhaps as an IPv4 address, and one
  /// `::` in place of one or more groups.
  private static func isIPv6(_ octets: RawSpan, _ range: Range<Int>) -> Bool {
    let end = range.upperBound
    var offset = range.lowerBound
    var groups = 0
    var isCompressed = false
    func isColon(_ offset: Int) -> Bool { offset < end && octets.octet(offset) == .colon }

    if isColon(offset) {
      guard isColon(offset + 1) else { return false }
      isCompressed = true
      offset += 2
      if offset == end { return true }
    }
    while true {
      let start = offset
      while offset < end, octets.octet(offset).hexadecimalDigit != nil { offset += 1 }
      if offset < end, octets.octet(offset) == .period {
        guard isIPv4(octets, start..<end) else { return false }
        groups += 2
        break
      }
      guard (1...4).contains(offset - start) else { return false }
      groups += 1
      if offset == end { break }
      guard isColon(offset) else { return false }
      offset += 1
      if isColon(offset) {
        guard !isCompressed else { return false }
        isCompressed = true
        offset += 1
        if offset == end { break }
      }
    }
    return isCompressed ? groups <= 7 : groups == 8
  }

  /// Four decimal numbers up to 255, without leading zeros.
  private static func isIPv4(_ octets: RawSpan, _ range: Range<Int>) -> Bool {
    var numbers = 1
    var number = 0
    var digits = 0
    for offset in range {
      let octet = octets.octet(offset)
      if octet == .period {
        guard digits > 0, numbers < 4 else { return false }
        numbers += 1
        number = 0
        digits = 0
      } else {
        guard let digit = octet.decimalDigit, digits == 0 || number > 0 else { return false }
        number = number * 10 + digit
        digits += 1
        guard number <= 255 else { return false }
      }
    }
    return numbers == 4 && digits > 0
  }
}

extension RawSpan {
  /// Whether `%` and two hexadecimal digits stand at `offset`.
  func isPercentEncoding(at offset: Int, before end: Int) -> Bool {
    offset + 2 < end && octet(offset) == .percent && octet(offset + 1).hexadecimalDigit != nil
      && octet(offset + 2).hexadecimalDigit != nil
  }
}

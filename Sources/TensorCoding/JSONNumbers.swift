/// Numbers: RFC 8259, section 6.
extension JSONReader {
  /// Reads an integer. `3.0` and `3e2` are integers too; anything else is a mismatch.
  package mutating func readInt(in range: ClosedRange<Int> = .min ... .max) throws(JSONError) -> Int {
    let token = try readNumber()
    let value: Int
    if token.isInteger {
      // A 20th digit, or one beyond Int, leaves nothing that a range could hold.
      guard token.exponent == 0, let magnitude = Int(exactly: token.significand) else {
        throw .here(.outOfRange(range))
      }
      value = token.isNegative ? -magnitude : magnitude
    } else {
      guard let integral = token.double, let exact = Int(exactly: integral) else { throw .here(.notAnInteger) }
      value = exact
    }
    guard range.contains(value) else { throw .here(.outOfRange(range)) }
    return value
  }

  /// Reads a number, correctly rounded to float64.
  package mutating func readDouble() throws(JSONError) -> Double {
    guard let value = try readNumber().double else { throw .here(.notFiniteInFloat64) }
    return value
  }

  /// Reads a number, correctly rounded to float32.
  package mutating func readFloat() throws(JSONError) -> Float {
    guard let value = try readNumber().float else { throw .here(.notFiniteInFloat32) }
    return value
  }

  /// Moves behind a number of any length.
  mutating func readNumber() throws(JSONError) -> NumberToken {
    try expect(.number)
    var token = NumberToken(start: position, end: position)
    var digits = 0
    if position.pointee == UInt8(ascii: "-") {
      token.isNegative = true
      position += 1
    }
    if position < end, position.pointee == UInt8(ascii: "0") {
      position += 1
      if position < end, JSONReader.isDigit(position.pointee) { throw unexpected(.noLeadingZero) }
    } else {
      try readDigits(into: &token, significant: &digits, fraction: false)
    }
    if position < end, position.pointee == UInt8(ascii: ".") {
      position += 1
      token.isInteger = false
      try readDigits(into: &token, significant: &digits, fraction: true)
    }
    if position < end, position.pointee | 0x20 == UInt8(ascii: "e") {
      position += 1
      token.isInteger = false
      token.exponent += try readExponent()
    }
    token.end = position
    return token
  }

  private mutating func readDigits(
    into token: inout NumberToken, significant digits: inout Int, fraction: Bool
  ) throws(JSONError) {
    guard position < end, JSONReader.isDigit(position.pointee) else { throw unexpected(.digit) }
    while position < end, JSONReader.isDigit(position.pointee) {
      let digit = UInt64(position.pointee & 0x0F)
      position += 1
      if digits < 19 {
        token.significand = token.significand &* 10 &+ digit
        if token.significand != 0 { digits += 1 }
        if fraction { token.exponent -= 1 }
      } else {
        if digit != 0 { token.isExact = false }
        if !fraction { token.exponent += 1 }
      }
    }
  }

  private mutating func readExponent() throws(JSONError) -> Int {
    var isNegative = false
    if position < end, position.pointee == UInt8(ascii: "-") || position.pointee == UInt8(ascii: "+") {
      isNegative = position.pointee == UInt8(ascii: "-")
      position += 1
    }
    guard position < end, JSONReader.isDigit(position.pointee) else { throw unexpected(.digit) }
    // No text is long enough for its digits to make up for an exponent beyond this.
    let bound = 1_000_000_000_000_000
    var exponent = 0
    while position < end, JSONReader.isDigit(position.pointee) {
      exponent = min(exponent &* 10 &+ Int(position.pointee & 0x0F), bound)
      position += 1
    }
    return isNegative ? -exponent : exponent
  }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}

/// Strings: RFC 8259, section 7, in UTF-8 as RFC 3629 has it.
///
/// Unsafe pointers: the reader's own (see `JSONReader`), never beyond its end.
extension JSONReader {
  /// Reads a string with its escapes resolved. A lone surrogate is malformed: no UTF-8 can express it.
  package mutating func readString() throws(JSONError) -> String {
    try expect(.string)
    let content = position + 1
    guard try skipString() else {
      return String(decoding: UnsafeBufferPointer(start: content, count: position - 1 - content), as: UTF8.self)
    }
    return String(
      decoding: JSONReader.unescaped(UnsafeBufferPointer(start: content, count: position - 1 - content)),
      as: UTF8.self)
  }

  /// Moves behind a string, validating it. True if it holds an escape.
  @discardableResult
  mutating func skipString() throws(JSONError) -> Bool {
    try expect(.string)
    position += 1
    var escapes = false
    while position < end {
      skipPlainCharacters()
      guard position < end else { break }
      switch position.pointee {
      case UInt8(ascii: "\""):
        position += 1
        return escapes
      case UInt8(ascii: "\\"):
        escapes = true
        try skipEscape()
      case 0x00..<0x20: throw unexpected(.escapedControlCharacter)
      case 0x20..<0x80: position += 1
      default:
        let length = UTF8Sequence.length(at: position, end: end)
        guard length > 0 else { throw unexpected(.wellFormedUTF8) }
        position += length
      }
    }
    throw unexpected(.closingQuote)
  }

  /// Moves over whole words of ASCII without quotes, backslashes and control characters: what base64 is made of.
  private mutating func skipPlainCharacters() {
    while end - position >= 8 {
      let word = UInt64(littleEndian: UnsafeRawPointer(position).loadUnaligned(as: UInt64.self))
      let ones: UInt64 = 0x0101_0101_0101_0101
      // A byte below n has its highest bit set in word − n·ones; a borrow out of one comes only after a hit below it.
      let quotes = (word ^ ones &* UInt64(UInt8(ascii: "\""))) &- ones
      let backslashes = (word ^ ones &* UInt64(UInt8(ascii: "\\"))) &- ones
      let controls = word &- ones &* 0x20
      let special = (quotes | backslashes | controls | word) & 0x8080_8080_8080_8080
      guard special == 0 else {
        position += special.trailingZeroBitCount >> 3
        return
      }
      position += 8
    }
  }

  private mutating func skipEscape() throws(JSONError) {
    guard position + 1 < end else {
      position = end
      throw unexpected(.escape)
    }
    switch position[1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 2
    case UInt8(ascii: "u"):
      let first = position
      let unit = try skipCodeUnit()
      switch unit {
      case 0xD800..<0xDC00:
        guard end - position >= 2, position[0] == UInt8(ascii: "\\"), position[1] == UInt8(ascii: "u") else {
          position = first
          throw unexpected(.surrogatePair)
        }
        let low = try skipCodeUnit()
        guard (0xDC00..<0xE000).contains(low) else {
          position = first
          throw unexpected(.surrogatePair)
        }
      case 0xDC00..<0xE000:
        position = first
        throw unexpected(.surrogatePair)
      default: break
      }
    default:
      position += 1
      throw unexpected(.escape)
    }
  }

  /// Moves behind `\u` and its four digits.
  private mutating func skipCodeUnit() throws(JSONError) -> UInt16 {
    position += 2
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard position < end, let digit = JSONReader.hexDigit(position.pointee) else { throw unexpected(.hexDigit) }
      unit = unit << 4 | digit
      position += 1
    }
    return unit
  }

  private static func hexDigit(_ byte: UInt8) -> UInt16? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  /// The bytes that a string's content stands for. The content has been validated by `skipString`.
  static func unescaped(_ content: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(content.count)
    var index = 0
    func codeUnit() -> UInt32 {
      defer { index += 6 }
      return content[index + 2..<index + 6].reduce(0) { $0 << 4 | UInt32(hexDigit($1) ?? 0) }
    }
    while index < content.count {
      guard content[index] == UInt8(ascii: "\\") else {
        bytes.append(content[index])
        index += 1
        continue
      }
      if content[index + 1] == UInt8(ascii: "u") {
        var scalar = codeUnit()
        if (0xD800..<0xDC00).contains(scalar) { scalar = 0x10000 + (scalar - 0xD800) << 10 + (codeUnit() - 0xDC00) }
        if let scalar = Unicode.Scalar(scalar) { bytes.append(contentsOf: UTF8.encode(scalar)!) }
        continue
      }
      switch content[index + 1] {
      case UInt8(ascii: "b"): bytes.append(0x08)
      case UInt8(ascii: "f"): bytes.append(0x0C)
      case UInt8(ascii: "n"): bytes.append(0x0A)
      case UInt8(ascii: "r"): bytes.append(0x0D)
      case UInt8(ascii: "t"): bytes.append(0x09)
      default: bytes.append(content[index + 1])
      }
      index += 2
    }
    return bytes
  }
}

/// Well-formed UTF-8 byte sequences: table 3-7 of the Unicode Standard.
enum UTF8Sequence {
  /// Bytes of the sequence that begins with the non-ASCII byte at `position`; 0 if it is ill-formed or cut off by
  /// `end`.
  static func length(at position: UnsafePointer<UInt8>, end: UnsafePointer<UInt8>) -> Int {
    let second: ClosedRange<UInt8>
    let length: Int
    switch position.pointee {
    case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: return 0
    }
    guard end - position >= length, second.contains(position[1]) else { return 0 }
    for index in 2..<max(length, 2) where !(0x80...0xBF).contains(position[index]) { return 0 }
    return length
  }
}

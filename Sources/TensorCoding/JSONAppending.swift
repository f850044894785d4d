/// JSON values at the end of a reply's bytes.
///
/// Unsafe pointers: printers write into spare capacity that `addingCapacity` has made, and count what they wrote.
extension [UInt8] {
  /// The shortest number that reads back as `value`; see `FloatPrinter` for its form.
  package mutating func appendFloat(_ value: Float) {
    append(addingCapacity: FloatPrinter.reach) { bytes in
      bytes.withUnsafeMutableBufferPointer { buffer, count in
        let start = buffer.baseAddress! + count
        count += FloatPrinter.write(value, at: start) - start
      }
    }
  }

  /// Numbers with commas between them, without brackets.
  package mutating func appendFloats(_ floats: UnsafeBufferPointer<Float>) {
    // A number and its comma take 17 bytes at most. In slices, so that the reserve follows what was really written.
    let slice = 1024
    for start in stride(from: 0, to: floats.count, by: slice) {
      let part = UnsafeBufferPointer(rebasing: floats[start..<Swift.min(start + slice, floats.count)])
      append(addingCapacity: part.count * 17 + FloatPrinter.listReach) { bytes in
        bytes.withUnsafeMutableBufferPointer { buffer, count in
          let text = buffer.baseAddress! + count
          count += FloatPrinter.writeList(part, afterComma: start > 0, at: text) - text
        }
      }
    }
  }

  package mutating func appendInteger(_ value: Int) {
    if value < 0 { append(UInt8(ascii: "-")) }
    appendInteger(UInt64(value.magnitude))
  }

  package mutating func appendInteger(_ value: UInt64) {
    var rest = value
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var first = 20
      repeat {
        first -= 1
        digits[first] = UInt8(truncatingIfNeeded: rest % 10) | 0x30
        rest /= 10
      } while rest > 0
      append(contentsOf: UnsafeBufferPointer(rebasing: digits[first...]))
    }
  }

  /// Spaces where `setInteger` puts an integer, which spaces may precede in JSON.
  package mutating func appendIntegerToCome() -> IntegerPlace {
    append(contentsOf: repeatElement(UInt8(ascii: " "), count: IntegerPlace.width))
    return IntegerPlace(end: count)
  }

  /// - Parameter value: of at most twelve digits; more is the greatest of those.
  package mutating func setInteger(_ value: UInt64, at place: IntegerPlace) {
    var rest = Swift.min(value, IntegerPlace.greatest)
    var position = place.end
    repeat {
      position -= 1
      self[position] = UInt8(truncatingIfNeeded: rest % 10) | 0x30
      rest /= 10
    } while rest > 0
  }

  package mutating func appendBool(_ value: Bool) { appendLiteral(value ? "true" : "false") }

  package mutating func appendNull() { appendLiteral("null") }

  /// ASCII text as it stands.
  package mutating func appendLiteral(_ literal: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  /// The string in quotes, escaped as RFC 8259, section 7, asks for and no further.
  package mutating func appendString(_ string: String) {
    var string = string
    append(UInt8(ascii: "\""))
    string.withUTF8 { text in
      if text.contains(where: Self.needsEscape) { appendEscaped(text) } else { append(contentsOf: text) }
    }
    append(UInt8(ascii: "\""))
  }

  private static func needsEscape(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
  }

  private mutating func appendEscaped(_ text: UnsafeBufferPointer<UInt8>) {
    for byte in text {
      guard Self.needsEscape(byte) else {
        append(byte)
        continue
      }
      append(UInt8(ascii: "\\"))
      switch byte {
      case 0x08: append(UInt8(ascii: "b"))
      case 0x0C: append(UInt8(ascii: "f"))
      case 0x0A: append(UInt8(ascii: "n"))
      case 0x0D: append(UInt8(ascii: "r"))
      case 0x09: append(UInt8(ascii: "t"))
      case 0..<0x20:
        appendLiteral(byte < 0x10 ? "u000" : "u001")
        append("0123456789abcdef".utf8.dropFirst(Int(byte & 0x0F)).first!)
      default: append(byte)
      }
    }
  }

  /// The bytes in base64, without quotes.
  package mutating func appendBase64(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    let length = Base64.encodedCount(bytes.count)
    append(addingCapacity: length) { text in
      text.withUnsafeMutableBufferPointer { buffer, count in
        Base64.encode(start, count: bytes.count, into: buffer.baseAddress! + count)
        count += length
      }
    }
  }
}

/// Where an integer will stand in a text that goes on behind it.
package struct IntegerPlace: Sendable {
  fileprivate static let width = 12
  fileprivate static let greatest: UInt64 = 999_999_999_999

  fileprivate let end: Int
}

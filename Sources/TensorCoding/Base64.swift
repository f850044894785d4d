/// Base64 of RFC 4648, section 4: the standard alphabet, padding required, nothing else in between.
///
/// Unsafe pointers: a 64 MB body is decoded straight into a tensor's memory. Each loop's reads and writes are bounded
/// by the counts that the callers computed with `encodedCount` and `decodedCount`.
package enum Base64 {
  private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  /// By character: its six bits, or 0xFF.
  private static let values: InlineArray<256, UInt8> = {
    var values = InlineArray<256, UInt8>(repeating: 0xFF)
    for index in 0..<64 { values[Int(alphabet.utf8Start[index])] = UInt8(index) }
    return values
  }()

  /// Characters that `count` bytes become.
  package static func encodedCount(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// Bytes that the text stands for if it is base64; nothing if its length alone says that it isn't.
  package static func decodedCount(_ text: UnsafeBufferPointer<UInt8>) -> Int? {
    guard text.count % 4 == 0 else { return nil }
    var count = text.count / 4 * 3
    if text.count >= 4 {
      if text[text.count - 1] == UInt8(ascii: "=") { count -= 1 }
      if text[text.count - 2] == UInt8(ascii: "="), text[text.count - 1] == UInt8(ascii: "=") { count -= 1 }
    }
    return count
  }

  /// Writes exactly `decodedCount` bytes. Returns the index of the first character that is not base64, if there is
  /// one: outside the alphabet, padding before the end, or a last character whose unused bits are not zero.
  ///
  /// - Precondition: `decodedCount(text)` is not nil.
  package static func decode(_ text: UnsafeBufferPointer<UInt8>, into bytes: UnsafeMutableRawPointer) -> Int? {
    let count = decodedCount(text)!
    let values = values
    let groups = count / 3
    var output = bytes
    for group in 0..<groups {
      var joined: UInt32 = 0
      var wrong: UInt8 = 0
      for index in 4 * group..<4 * group + 4 {
        let value = values[Int(text[index])]
        wrong |= value
        joined = joined << 6 | UInt32(value & 0x3F)
      }
      guard wrong < 0x40 else {
        return (4 * group..<4 * group + 4).first { values[Int(text[$0])] == 0xFF }
      }
      output.storeBytes(of: UInt8(truncatingIfNeeded: joined >> 16), as: UInt8.self)
      output.storeBytes(of: UInt8(truncatingIfNeeded: joined >> 8), toByteOffset: 1, as: UInt8.self)
      output.storeBytes(of: UInt8(truncatingIfNeeded: joined), toByteOffset: 2, as: UInt8.self)
      output += 3
    }
    let rest = count - 3 * groups
    guard rest > 0 else { return nil }
    // A last group with padding: `rest` bytes in `rest` + 1 characters, whose surplus bits are zero.
    var joined: UInt32 = 0
    for index in 4 * groups...4 * groups + rest {
      let value = values[Int(text[index])]
      guard value != 0xFF else { return index }
      joined = joined << 6 | UInt32(value)
    }
    let surplus = UInt32(rest == 1 ? 4 : 2)
    guard joined & (1 << surplus - 1) == 0 else { return 4 * groups + rest }
    joined >>= surplus
    for index in 0..<rest {
      output.storeBytes(
        of: UInt8(truncatingIfNeeded: joined >> UInt32(8 * (rest - 1 - index))), toByteOffset: index, as: UInt8.self)
    }
    return nil
  }

  /// Writes exactly `encodedCount(count)` characters.
  package static func encode(_ bytes: UnsafeRawPointer, count: Int, into text: UnsafeMutablePointer<UInt8>) {
    let alphabet = alphabet.utf8Start
    var output = text
    for group in 0..<count / 3 {
      let joined =
        UInt32(bytes.load(fromByteOffset: 3 * group, as: UInt8.self)) << 16
        | UInt32(bytes.load(fromByteOffset: 3 * group + 1, as: UInt8.self)) << 8
        | UInt32(bytes.load(fromByteOffset: 3 * group + 2, as: UInt8.self))
      output[0] = alphabet[Int(joined >> 18)]
      output[1] = alphabet[Int(joined >> 12 & 0x3F)]
      output[2] = alphabet[Int(joined >> 6 & 0x3F)]
      output[3] = alphabet[Int(joined & 0x3F)]
      output += 4
    }
    let rest = count % 3
    guard rest > 0 else { return }
    let first = UInt32(bytes.load(fromByteOffset: count - rest, as: UInt8.self))
    let second = rest == 2 ? UInt32(bytes.load(fromByteOffset: count - 1, as: UInt8.self)) : 0
    let joined = first << 16 | second << 8
    output[0] = alphabet[Int(joined >> 18)]
    output[1] = alphabet[Int(joined >> 12 & 0x3F)]
    output[2] = rest == 2 ? alphabet[Int(joined >> 6 & 0x3F)] : UInt8(ascii: "=")
    output[3] = UInt8(ascii: "=")
  }
}

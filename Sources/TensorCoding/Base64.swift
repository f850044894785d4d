/// Base64 of RFC 4648, section 4: the standard alphabet, padding required, nothing else in between.
///
/// Unsafe pointers: a 64 MB body is decoded straight into a tensor's memory. Each loop's reads and writes are bounded
/// by the counts that the callers computed with `encodedCount` and `decodedCount`.
package enum Base64 {
  private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

  /// What a character adds to its group of three bytes, the first one lowest: 256 entries for each of the four places
  /// it can have; `outside` for those that are not in the alphabet.
  private static let contributions: [UInt32] = {
    var contributions = [UInt32](repeating: outside, count: 4 * 256)
    for sextet: UInt32 in 0..<64 {
      let character = Int(alphabet.utf8Start[Int(sextet)])
      contributions[character] = sextet << 2
      contributions[256 + character] = sextet >> 4 | (sextet & 0x0F) << 12
      contributions[512 + character] = (sextet >> 2) << 8 | (sextet & 0x03) << 22
      contributions[768 + character] = sextet << 16
    }
    return contributions
  }()

  private static let outside: UInt32 = 1 << 24

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
    return contributions.withUnsafeBufferPointer { contributions in
      var group = 0
      // Four bytes are stored for three, while there is room for the fourth.
      while 3 * group + 4 <= count {
        let joined =
          contributions[Int(text[4 * group])] | contributions[256 + Int(text[4 * group + 1])]
          | contributions[512 + Int(text[4 * group + 2])] | contributions[768 + Int(text[4 * group + 3])]
        guard joined < outside else { break }
        bytes.storeBytes(of: joined.littleEndian, toByteOffset: 3 * group, as: UInt32.self)
        group += 1
      }
      // The last group, with its padding, or the one that is wrong.
      while 3 * group < count {
        let length = min(count - 3 * group, 3)
        var joined: UInt32 = 0
        for place in 0...length {
          joined |= contributions[256 * place + Int(text[4 * group + place])]
          guard joined < outside else { return 4 * group + place }
        }
        // The bits of a padded group's last character that belong to no byte.
        guard joined >> UInt32(8 * length) == 0 else { return 4 * group + length }
        for index in 0..<length {
          bytes.storeBytes(
            of: UInt8(truncatingIfNeeded: joined >> UInt32(8 * index)), toByteOffset: 3 * group + index, as: UInt8.self)
        }
        group += 1
      }
      return nil
    }
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

import Foundation
import TensorCoding
import Testing

/// Base64 and the 16-bit formats.
@Suite struct Base64Tests {
  private static func decode(_ text: String) -> (bytes: [UInt8]?, wrong: Int?) {
    Array(text.utf8).withUnsafeBufferPointer { text in
      guard let count = Base64.decodedCount(text) else { return (nil, nil) }
      var bytes = [UInt8](repeating: 0xAA, count: count)
      let wrong = bytes.withUnsafeMutableBytes { buffer in
        withUnsafeTemporaryAllocation(byteCount: 1, alignment: 1) { nothing in
          Base64.decode(text, into: buffer.baseAddress ?? nothing.baseAddress!)
        }
      }
      return (wrong == nil ? bytes : nil, wrong)
    }
  }

  private static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    bytes.withUnsafeBytes { text.appendBase64($0) }
    return String(decoding: text, as: UTF8.self)
  }

  /// RFC 4648, section 10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func vectors(_ plain: String, _ text: String) {
    #expect(Self.encode(Array(plain.utf8)) == text)
    #expect(Self.decode(text).bytes == Array(plain.utf8))
  }

  @Test(
    arguments: [
      ("Z", nil), ("Zg", nil), ("Zg=", nil), ("Zm9vYg", nil), ("====", 0), ("Z===", 1), ("Zg==Zg==", 2), ("Zm9=", 2),
      ("Zh==", 1),
      ("Zm8=Zm9v", 3), ("Z g=", 1), ("Zm9\n", 3), ("-_-_", 0), ("Zm9v Zm9", 4), ("Zm9vZ\u{E9}g", 5), ("=m9v", 0),
      ("Zg=A", 2),
    ] as [(String, Int?)])
  func malformed(_ text: String, _ index: Int?) {
    let (bytes, wrong) = Self.decode(text)
    #expect(bytes == nil)
    #expect(wrong == index)
  }

  /// Foundation's coder as the other opinion, at every length around the loops' steps and for every character.
  @Test func againstFoundation() {
    var random = SplitMix64(seed: 64)
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      #expect(Self.encode(bytes) == Data(bytes).base64EncodedString())
      #expect(Self.decode(Data(bytes).base64EncodedString()).bytes == bytes)
    }
    let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    for character in UInt8.min...UInt8.max {
      for position in 0..<40 {
        var text = [UInt8](repeating: UInt8(ascii: "A"), count: 64)
        text[position] = character
        let wrong = text.withUnsafeBufferPointer { text in
          withUnsafeTemporaryAllocation(byteCount: 48, alignment: 1) { Base64.decode(text, into: $0.baseAddress!) }
        }
        #expect(wrong == (alphabet.contains(character) ? nil : position))
      }
    }
  }
}

@Suite struct HalfPrecisionTests {
  @Test func everyFloat16() {
    for bits in UInt16.min...UInt16.max {
      let expected = Float(Float16(bitPattern: bits))
      let float = HalfPrecision.float(float16Bits: bits)
      #expect(float.isNaN ? expected.isNaN : float.bitPattern == expected.bitPattern)
      let back = HalfPrecision.float16Bits(float)
      #expect(float.isNaN ? back == bits | 0x0200 : back == bits)
    }
  }

  @Test func everyBFloat16() {
    for bits in UInt16.min...UInt16.max {
      let float = HalfPrecision.float(bfloat16Bits: bits)
      #expect(float.bitPattern == UInt32(bits) << 16)
      #expect(HalfPrecision.bfloat16Bits(float) == (float.isNaN ? bits | 0x0040 : bits))
    }
  }

  /// Around every midpoint of two halves, and at random: the standard library's conversion decides.
  @Test func roundingToFloat16() {
    var random = SplitMix64(seed: 16)
    var floats: [Float] = [.infinity, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 65519.996, 65520]
    for bits in UInt16(0)..<0x7C00 {
      let low = Float(Float16(bitPattern: bits))
      let middle = bits == 0x7BFF ? 65520 : (low + Float(Float16(bitPattern: bits + 1))) / 2
      floats += [middle, -middle, middle.nextUp, -middle.nextDown]
    }
    floats += (0..<200_000).map { _ in Float(bitPattern: UInt32(truncatingIfNeeded: random.next())) }
    for float in floats {
      let half = HalfPrecision.float16Bits(float)
      let expected = Float16(float)
      #expect(float.isNaN ? Float16(bitPattern: half).isNaN : half == expected.bitPattern, "\(float)")
    }
  }

  /// The nearest of the two bfloat16s around a float, by distance in Double, the even one in between.
  @Test func roundingToBFloat16() {
    var random = SplitMix64(seed: 17)
    for step in 0..<200_000 {
      var bits = UInt32(random.next() % 0x7F7F_0000)
      if step % 4 == 0 { bits = bits & 0xFFFF_0000 | 0x8000 }
      let low = UInt16(bits >> 16)
      let value = Double(Float(bitPattern: bits))
      let below = value - Double(Float(bitPattern: UInt32(low) << 16))
      let above = Double(Float(bitPattern: UInt32(low + 1) << 16)) - value
      let expected = below < above || (below == above && low & 1 == 0) ? low : low + 1
      #expect(HalfPrecision.bfloat16Bits(Float(bitPattern: bits)) == expected)
      #expect(HalfPrecision.bfloat16Bits(Float(bitPattern: bits | 1 << 31)) == expected | 0x8000)
    }
    #expect(HalfPrecision.bfloat16Bits(.greatestFiniteMagnitude) == 0x7F80)
    #expect(HalfPrecision.bfloat16Bits(.infinity) == 0x7F80)
    #expect(HalfPrecision.bfloat16Bits(-.infinity) == 0xFF80)
    #expect(HalfPrecision.bfloat16Bits(Float(bitPattern: 0x7F80_0001)) == 0x7FC0)
    #expect(HalfPrecision.bfloat16Bits(Float(bitPattern: 0xFFFF_FFFF)) == 0xFFFF)
  }

  /// The bulk loops at sizes around vector widths and at odd addresses.
  @Test(arguments: Datatype.allCases) func bulk(_ datatype: Datatype) {
    for count in [0, 1, 3, 7, 8, 15, 16, 17, 33, 1000] {
      let floats = (0..<count).map { Float($0 % 64) * 0.25 - 3 }
      var bytes = [UInt8](repeating: 0xEE, count: count * datatype.byteCount + 2)
      bytes.withUnsafeMutableBytes {
        BinaryFloats.encode(floats, count: count, as: datatype, into: $0.baseAddress! + 1)
      }
      #expect(bytes.first == 0xEE && bytes.last == 0xEE)
      let back = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        bytes.withUnsafeBytes {
          if let start = buffer.baseAddress {
            BinaryFloats.decode($0.baseAddress! + 1, count: count, as: datatype, into: start)
          }
        }
        initialized = count
      }
      #expect(back == floats)
      if count == 3, datatype == .fp32 { #expect(Array(bytes[1...4]) == [0, 0, 0x40, 0xC0]) }
    }
  }
}

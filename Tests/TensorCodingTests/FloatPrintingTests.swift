import Foundation
import TensorCoding
import Testing

/// Printed numbers, many at a time and one by one, against the C library's `strtof` and the standard library's own
/// shortest printer.
@Suite struct FloatPrintingTests {
  /// Prints the floats, and names those that do not read back bit by bit, that have other digits than the standard
  /// library's shortest ones, or that are no JSON.
  private static func failures(in floats: [Float]) -> [String] {
    var text: [UInt8] = []
    floats.withUnsafeBufferPointer { text.appendFloats($0) }
    var failures: [String] = []
    var index = 0
    var start = 0
    text.append(UInt8(ascii: ","))
    text.withUnsafeBufferPointer { bytes in
      for end in bytes.indices where bytes[end] == UInt8(ascii: ",") {
        // `strtof` stops at the comma.
        let value = bytes.baseAddress!.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
          strtof($0 + start, nil)
        }
        let number = UnsafeBufferPointer(rebasing: bytes[start..<end])
        let reads = value.bitPattern == floats[index].bitPattern
        if !reads || significantDigits(number) != significantDigits(Array(floats[index].description.utf8)) {
          failures.append("\(floats[index]) as \(String(decoding: number, as: UTF8.self))")
        }
        index += 1
        start = end + 1
      }
    }
    if index != floats.count { failures.append("\(index) numbers of \(floats.count)") }
    return failures
  }

  /// The digits between the zeros at either side, as one integer.
  private static func significantDigits(_ number: some Sequence<UInt8>) -> UInt64 {
    var digits: UInt64 = 0
    for byte in number {
      if byte == UInt8(ascii: "e") { break }
      if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { digits = digits * 10 + UInt64(byte & 0x0F) }
    }
    while digits > 0, digits % 10 == 0 { digits /= 10 }
    return digits
  }

  /// One float prints as it does among others, eight of which may be computed at once: floats of all sizes in turns,
  /// and runs of those that are printed alike.
  @Test(arguments: 0..<4) func oneByOneAsInLists(_ part: UInt32) {
    let stride: UInt32 = 8_191
    var bits = part * 0x2000_0000
    while bits < part * 0x2000_0000 + 0x1FFF_0000 {
      var floats: [Float] = []
      for index: UInt32 in 0..<64 {
        let sign: UInt32 = index % 7 == 0 ? 0x8000_0000 : 0
        floats.append(Float(bitPattern: index % 5 == 4 ? bits &* 2_654_435_761 : sign | bits &+ index % 3))
        bits += index % 5 == 4 ? stride : 0
      }
      var list: [UInt8] = []
      floats.withUnsafeBufferPointer { list.appendFloats($0) }
      var alone: [UInt8] = []
      for float in floats {
        if !alone.isEmpty { alone.append(UInt8(ascii: ",")) }
        alone.appendFloat(float)
      }
      #expect(list == alone)
      bits += 64 * stride
    }
  }

  @Test(arguments: 0..<8) func randomBitPatterns(_ part: Int) {
    var random = SplitMix64(seed: UInt64(part))
    for _ in 0..<40 {
      let floats = (0..<3200).map { _ in
        Float(bitPattern: UInt32(random.next() % 0x7F80_0000) | UInt32(random.next() & 1) << 31)
      }
      let failures = Self.failures(in: floats)
      #expect(failures.isEmpty, "\(failures.prefix(10))")
    }
  }

  /// Every power of two with its neighbours, where the rounding interval is lopsided and every tabled power is used.
  @Test func everyExponent() {
    var floats: [Float] = []
    for exponent: UInt32 in 0..<255 {
      for step: UInt32 in 0..<64 {
        floats.append(Float(bitPattern: exponent << 23 | max(step, exponent == 0 ? 1 : 0)))
        floats.append(Float(bitPattern: (exponent + 1) << 23 - 1 - step))
      }
    }
    let failures = Self.failures(in: floats)
    #expect(failures.isEmpty, "\(failures.prefix(10))")
  }

  /// Powers of ten and short decimals, whose digits end in zeros that must go.
  @Test func shortDecimals() {
    var floats: [Float] = []
    for exponent in -45...38 {
      for digits in [1, 2, 5, 9, 10, 99, 123, 1_000_001, 16_777_216] {
        let float = strtof("\(digits)e\(exponent)", nil)
        if float.isFinite && float > 0 { floats.append(float) }
      }
    }
    #expect(Self.failures(in: floats).isEmpty)
  }

  /// Each text is the one form of its float.
  @Test(arguments: [
    "0.0", "-0.0", "1.0", "-1.0", "0.5", "0.1", "10.0", "123.5", "100000000.0", "16777216.0", "123456790.0", "1e9",
    "1.5e9", "1e10", "0.001", "0.0001", "0.00012345678", "-0.00012345678", "1e-5", "1.2345678e-5", "3.4028235e38",
    "-3.4028235e38", "1.1754944e-38", "-1.1754944e-38", "1e-45", "1.7e-44", "3.1415927", "0.33333334", "9.999999e-5",
    "99999990.0", "9999999.0", "999999.9", "8388608.0", "1.1920929e-7",
  ])
  func form(_ text: String) { #expect(Self.print(strtof(text, nil)) == text) }

  @Test(arguments: [Float.nan, -.nan, .infinity, -.infinity]) func whatJSONHasNoNumberFor(_ value: Float) {
    #expect(Self.print(value) == "null")
  }

  private static func print(_ value: Float) -> String {
    var bytes: [UInt8] = []
    bytes.appendFloat(value)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func powersOfTenAreWhatTheyClaim() {
    for exponent in PowersOfTen.scaledMinExponent..<(PowersOfTen.scaledMinExponent + 77) {
      let expected = Self.scaledPowerOfTen(exponent)
      #expect(PowersOfTen.scaled[exponent - PowersOfTen.scaledMinExponent] == expected &+ 1)
    }
    for exponent in PowersOfTen.doubleExponents {
      #expect(PowersOfTen.doubles[exponent - PowersOfTen.doubleExponents.lowerBound] == strtod("1e\(exponent)", nil))
    }
    for exponent in 0..<20 {
      #expect(String(PowersOfTen.integers[exponent]) == "1" + String(repeating: "0", count: exponent))
    }
  }

  /// ⌊10^e · 2^(63 − ⌊log2 10^e⌋)⌋ by long division, one binary digit after another.
  private static func scaledPowerOfTen(_ exponent: Int) -> UInt64 {
    var power = Limbs(1)
    for _ in 0..<abs(exponent) { power.multiply(by: 10) }
    var numerator = exponent < 0 ? Limbs(1) : power
    let denominator = exponent < 0 ? power : Limbs(1)
    // The quotient into [1, 2) first.
    var scaledDenominator = denominator
    while numerator < denominator { numerator.multiply(by: 2) }
    while true {
      var doubled = scaledDenominator
      doubled.multiply(by: 2)
      if numerator < doubled { break }
      scaledDenominator = doubled
    }
    var bits: UInt64 = 0
    for _ in 0..<64 {
      bits <<= 1
      if !(numerator < scaledDenominator) {
        bits |= 1
        numerator.subtract(scaledDenominator)
      }
      numerator.multiply(by: 2)
    }
    return bits
  }

  /// An unsigned integer of 512 bits, 32 of them in each limb.
  private struct Limbs {
    var limbs = [UInt64](repeating: 0, count: 16)

    init(_ value: UInt64) { limbs[0] = value }

    mutating func multiply(by factor: UInt64) {
      var carry: UInt64 = 0
      for index in limbs.indices {
        let product = limbs[index] * factor + carry
        limbs[index] = product & 0xFFFF_FFFF
        carry = product >> 32
      }
    }

    mutating func subtract(_ other: Limbs) {
      var borrow: UInt64 = 0
      for index in limbs.indices {
        let difference = limbs[index] &- other.limbs[index] &- borrow
        limbs[index] = difference & 0xFFFF_FFFF
        borrow = difference >> 63
      }
    }

    static func < (a: Limbs, b: Limbs) -> Bool {
      for index in a.limbs.indices.reversed() where a.limbs[index] != b.limbs[index] {
        return a.limbs[index] < b.limbs[index]
      }
      return false
    }
  }
}

/// Floats as JSON numbers: the shortest digits that read back as the same float32.
///
/// Positional from 0.0001 up to nine digits before the point, always with a digit behind it (`3.0`, `-0.0`), so that
/// languages with a type for integers read a float, and the zero's sign; scientific beyond (`1e-5`, `3.4028235e38`).
/// A NaN or an infinity, which JSON cannot express, becomes `null`; callers that must not send one ask
/// `Tensor.firstNonFinite` before.
///
/// Unsafe pointers: digits are stored by words, past the last one, into room that the caller has reserved.
enum FloatPrinter {
  /// Bytes that `write` may touch; of them at most 16 belong to the number (`-0.00012345678`, `-1.2345678e-38`).
  static let reach = 32

  /// Writes the number at `p` and returns the byte behind it.
  @inline(__always)
  static func write(_ value: Float, at p: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
    let bits = value.bitPattern
    p.pointee = UInt8(ascii: "-")
    let first = p + Int(bits >> 31)
    let magnitude = bits & 0x7FFF_FFFF
    guard magnitude &- 1 < 0x7F80_0000 - 1 else { return writeSpecial(magnitude, at: magnitude == 0 ? first : p) }

    let decimal = ShortestDecimal.of(magnitude)
    let number = NineDigits(decimal)
    let scale = number.scale
    if scale <= 0 && scale >= -4 { return writeSmall(number, at: first) }
    if scale > 0 && scale <= 8 { return writeLarge(number, at: first) }
    return writeScientific(number, at: first)
  }

  /// `0.0` or `null`.
  private static func writeSpecial(
    _ magnitude: UInt32, at p: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let text: StaticString = magnitude == 0 ? "0.0" : "null"
    p.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
    return p + text.utf8CodeUnitCount
  }

  /// `d.ddd` and `0.000ddd`: the digits moved right by as many zeros as stand before them, a point behind the first.
  @inline(__always)
  private static func writeSmall(
    _ number: NineDigits, at p: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let zeros = -number.scale
    let shift = UInt64(truncatingIfNeeded: 8 * zeros)
    let low = UInt64(number.first) | number.rest << 8
    let high = number.rest >> 56
    let movedLow = low &<< shift
    let movedHigh = high &<< shift | (low >> 1) &>> (63 &- shift)
    p[0] = UInt8(truncatingIfNeeded: movedLow) | 0x30
    p[1] = UInt8(ascii: ".")
    store(movedLow >> 8 | movedHigh << 56, at: p + 2)
    store(movedHigh >> 8, at: p + 10)
    return p + 2 + max(number.count &- 1 &+ zeros, 1)
  }

  /// `ddd.ddd` and `ddd000.0`.
  @inline(__always)
  private static func writeLarge(
    _ number: NineDigits, at p: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    let scale = number.scale
    p[0] = number.first | 0x30
    store(number.rest, at: p + 1)
    p[scale + 1] = UInt8(ascii: ".")
    store(number.rest >> UInt64(truncatingIfNeeded: 8 * scale), at: p + scale + 2)
    return p + scale + 2 + max(number.count &- 1 &- scale, 1)
  }

  /// `d.ddde-38`, `de9`.
  private static func writeScientific(
    _ number: NineDigits, at p: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    p[0] = number.first | 0x30
    p[1] = UInt8(ascii: ".")
    store(number.rest, at: p + 2)
    var p = p + (number.count == 1 ? 1 : number.count + 1)
    p[0] = UInt8(ascii: "e")
    p[1] = UInt8(ascii: "-")
    p += number.scale < 0 ? 2 : 1
    let scale = UInt8(truncatingIfNeeded: number.scale.magnitude)
    p[0] = scale / 10 + UInt8(ascii: "0")
    p += scale < 10 ? 0 : 1
    p[0] = scale % 10 + UInt8(ascii: "0")
    return p + 1
  }

  /// Eight digits' values as their characters.
  @inline(__always)
  private static func store(_ digits: UInt64, at p: UnsafeMutablePointer<UInt8>) {
    UnsafeMutableRawPointer(p).storeBytes(of: (digits | 0x3030_3030_3030_3030).littleEndian, as: UInt64.self)
  }
}

/// A decimal as `first`.`rest` · 10^`scale`: nine digits, zeros at their end included, one in each byte.
private struct NineDigits {
  let first: UInt8
  /// The digits behind the first, the leftmost in the lowest byte.
  let rest: UInt64
  let scale: Int
  /// How many of the nine stand before the zeros at the end.
  let count: Int

  @inline(__always)
  init(_ decimal: ShortestDecimal.Decimal) {
    var digits = decimal.digits
    var scale = decimal.exponent &+ 8
    if digits < 1_000_000 {
      // Only denormals have fewer than seven.
      while digits < 100_000_000 {
        digits *= 10
        scale -= 1
      }
    } else {
      let missing = (digits < 100_000_000 ? 1 : 0) &+ (digits < 10_000_000 ? 1 : 0)
      digits &*= missing == 0 ? 1 : missing == 1 ? 10 : 100
      scale &-= missing
    }
    first = UInt8(truncatingIfNeeded: digits / 100_000_000)
    rest = NineDigits.spread(digits % 100_000_000)
    self.scale = scale
    count = 9 &- rest.leadingZeroBitCount >> 3
  }

  /// Eight decimal digits into eight bytes: halves, then quarters, then digits, each step in all lanes at once by
  /// multiplying with a reciprocal that is exact for the lane's range.
  @inline(__always)
  private static func spread(_ value: UInt32) -> UInt64 {
    let upper = UInt64(value / 10_000)
    let lower = UInt64(value % 10_000)
    let fours = upper | lower << 32
    let hundreds = (fours &* 10_486) >> 20 & 0x0000_007F_0000_007F
    let twos = hundreds | (fours &- hundreds &* 100) << 16
    let tens = (twos &* 103) >> 10 & 0x000F_000F_000F_000F
    return tens | (twos &- tens &* 10) << 8
  }
}

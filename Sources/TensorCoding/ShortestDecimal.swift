/// The shortest decimal that reads back as a given float32, by Schubfach.
///
/// Raffaello Giulietti, "The Schubfach way to render doubles" (2020), carried over from binary64 to binary32. In its
/// notation a positive float is v = c · 2^q. All decimals that round to v lie between its neighbours' midpoints, and a
/// power of ten 10^k just not longer than that interval leaves at most four candidates: the multiples of 10^k next to v,
/// s and s + 1, and the multiples of 10^(k+1) next to it. Of those inside the interval the shorter ones win, then the
/// nearest, then the even one. The interval is closed where c is even, as reading rounds ties to even.
enum ShortestDecimal {
  /// `digits` · 10^`exponent`, `digits` not 0 and at most 9 digits long, perhaps with zeros at its end.
  struct Decimal {
    var digits: UInt32
    var exponent: Int
  }

  /// - Precondition: the bits are those of a finite, positive float.
  @inline(__always)
  static func of(_ bits: UInt32) -> Decimal {
    let fraction = bits & 0x007F_FFFF
    let biasedExponent = Int(bits >> 23)
    let c = biasedExponent == 0 ? fraction : fraction | 0x0080_0000
    let q = max(biasedExponent, 1) &- 150

    // A power of two has its lower neighbour at half the distance of its upper one.
    let isUneven = fraction == 0 && biasedExponent > 1
    let k =
      isUneven
      ? PowersOfTen.floorLog10(threeQuartersOfPowerOfTwo: q) : PowersOfTen.floorLog10(powerOfTwo: q)

    // 4v and the interval's ends, in units of 10^k: integers, with a lowest bit that stands for all that is cut off.
    let h = UInt32(truncatingIfNeeded: q &+ PowersOfTen.floorLog2(powerOfTen: -k) &+ 1)
    let g = PowersOfTen.scaled[-k &- PowersOfTen.scaledMinExponent]
    let lower = roundedToOdd(g, (4 &* c &- (isUneven ? 1 : 2)) &<< h)
    let middle = roundedToOdd(g, (4 &* c) &<< h)
    let upper = roundedToOdd(g, (4 &* c &+ 2) &<< h)

    let open = c & 1
    let s = middle >> 2
    let tens = s / 10 &* 10
    let tensFit = lower &+ open <= 4 &* tens
    let nextTensFit = 4 &* (tens &+ 10) &+ open <= upper
    let fits = lower &+ open <= 4 &* s
    let nextFits = 4 &* (s &+ 1) &+ open <= upper
    let distance = middle & 3
    let isNextNearer = distance > 2 || (distance == 2 && s & 1 == 1)
    var digits = s &+ ((fits != nextFits ? nextFits : isNextNearer) ? 1 : 0)
    digits = tensFit != nextTensFit ? (tensFit ? tens : tens &+ 10) : digits
    return Decimal(digits: digits, exponent: k)
  }

  /// ⌊g · cp / 2⁶⁴⌋, its lowest bit set if anything was cut off.
  ///
  /// `g` exceeds what it stands for by less than 1 and `cp` is below 2³², so an exact product shows in the bits cut off
  /// as a value below 2³²; an inexact one, by the paper's bounds, as at least 2³³.
  @inline(__always)
  private static func roundedToOdd(_ g: UInt64, _ cp: UInt32) -> UInt32 {
    let product = g.multipliedFullWidth(by: UInt64(cp))
    return UInt32(truncatingIfNeeded: product.high) | (product.low >> 33 != 0 ? 1 : 0)
  }
}

/// The shortest decimal that reads back as a given float32, by Schubfach.
///
/// Raffaello Giulietti, "The Schubfach way to render doubles" (2020), carried over from binary64 to binary32. In its
/// notation a positive float is v = c · 2^q. All decimals that round to v lie between its neighbours' midpoints, and a
/// power of ten 10^k just not longer than that interval leaves at most four candidates: the multiples of 10^k next to
/// v, s and s + 1, and the multiples of 10^(k+1) next to it. Of those inside the interval the shorter ones win, then
/// the nearest, then the even one. The interval is closed where c is even, as reading rounds ties to even.
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
    if fraction == 0 && biasedExponent > 1 { return ofPowerOfTwo(biasedExponent) }
    let c = biasedExponent == 0 ? fraction : fraction | 0x0080_0000
    let q = biasedExponent &- (biasedExponent == 0 ? 149 : 150)
    let k = PowersOfTen.floorLog10(powerOfTwo: q)
    let interval = Interval(c: c, q: q, k: k, below: 2)

    // v is in the middle, so if s or s + 1 is inside, the nearer one is. Sums and masks in place of conditions: which
    // candidate wins is as good as random, and a mispredicted branch costs as much as all the rest.
    let s = interval.middle >> 2
    let nearer = s &+ ((interval.middle & 3) &+ (s & 1) > 2 ? 1 : 0)
    let tens = s / 10 &* 10
    let tensFit: UInt32 = interval.lower <= 4 &* tens ? 1 : 0
    let nextTensFit: UInt32 = 4 &* (tens &+ 10) <= interval.upper ? 1 : 0
    let shorter = tens &+ 10 &* nextTensFit
    let takesShorter = 0 &- (tensFit ^ nextTensFit)
    return Decimal(digits: nearer ^ ((nearer ^ shorter) & takesShorter), exponent: k)
  }

  /// A power of two has its lower neighbour at half the distance of its upper one.
  private static func ofPowerOfTwo(_ biasedExponent: Int) -> Decimal {
    let c: UInt32 = 0x0080_0000
    let q = biasedExponent - 150
    let k = PowersOfTen.floorLog10(threeQuartersOfPowerOfTwo: q)
    let interval = Interval(c: c, q: q, k: k, below: 1)
    func fits(_ candidate: UInt32) -> Bool { interval.lower <= 4 * candidate && 4 * candidate <= interval.upper }

    let s = interval.middle >> 2
    let tens = s / 10 * 10
    if fits(tens) != fits(tens + 10) { return Decimal(digits: fits(tens) ? tens : tens + 10, exponent: k) }
    if fits(s) != fits(s + 1) { return Decimal(digits: fits(s) ? s : s + 1, exponent: k) }
    return Decimal(digits: s + ((interval.middle & 3) + (s & 1) > 2 ? 1 : 0), exponent: k)
  }

  /// 4v and the least and greatest of its rounding interval, in units of 10^k: integers, whose lowest bit stands for
  /// all that is cut off behind it.
  private struct Interval {
    let lower: UInt32
    let middle: UInt32
    let upper: UInt32

    /// - Parameter below: how far the interval reaches down from 4c, and 2 up.
    @inline(__always)
    init(c: UInt32, q: Int, k: Int, below: UInt32) {
      let h = UInt32(truncatingIfNeeded: q &+ PowersOfTen.floorLog2(powerOfTen: 0 &- k) &+ 1)
      let g = PowersOfTen.scaled[0 &- k &- PowersOfTen.scaledMinExponent]
      let open = c & 1
      lower = Interval.roundedToOdd(g, (4 &* c &- below) &<< h) &+ open
      middle = Interval.roundedToOdd(g, (4 &* c) &<< h)
      upper = Interval.roundedToOdd(g, (4 &* c &+ 2) &<< h) &- open
    }

    /// ⌊g · cp / 2⁶⁴⌋, its lowest bit set if anything was cut off.
    ///
    /// `g` exceeds what it stands for by less than 1 and `cp` is below 2³², so an exact product shows in the bits cut
    /// off as a value below 2³²; an inexact one, by the paper's bounds, as at least 2³³.
    @inline(__always)
    private static func roundedToOdd(_ g: UInt64, _ cp: UInt32) -> UInt32 {
      let product = g.multipliedFullWidth(by: UInt64(cp))
      return UInt32(truncatingIfNeeded: product.high) | (product.low >> 33 != 0 ? 1 : 0)
    }
  }
}

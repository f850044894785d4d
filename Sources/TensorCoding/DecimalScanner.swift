internal import CDecimals

/// The common shape of a number, `-?D[.D…]`, eight digits at a time: what a row of activations is made of.
///
/// Unsafe pointers: this is the loop that a large request waits for. It reads only inside the `reach` bytes that its
/// caller has made sure of, and hands everything it has no answer for (exponents, more than 19 digits, grammar errors,
/// values near a midpoint) to `JSONReader.readNumber`, which starts again at the same byte.
///
/// With AVX-512 eight of them are scanned at once (`CDecimals`), where they have a point, and up to 16 bytes if there is
/// no VBMI2.
enum DecimalScanner {
  /// Bytes from a number's first one that `scan` may read: a sign, 7 digits, a point, three words of fraction, and the
  /// byte that follows; with what the row loop looks at afterwards.
  static let reach = 48

  private static let scansBlocks = cdecimals_scans_blocks()
  private static let hasEightLanes = scansBlocks || cdecimals_scans()

  /// Scans as many of the numbers from `position` on as can be scanned in eights, with the commas between them.
  ///
  /// - Parameters:
  ///   - text: what may be read.
  ///   - room: floats that there is room for.
  /// - Returns: how many, and the byte behind them, `position` where there are none: always without AVX-512.
  static func scanEights(
    _ position: UnsafePointer<UInt8>, of text: Range<UnsafePointer<UInt8>>,
    into result: UnsafeMutablePointer<Float>, room: Int
  ) -> (count: Int, behind: UnsafePointer<UInt8>) {
    guard hasEightLanes, room >= Int(cdecimals_lanes) else { return (0, position) }
    let scanned =
      scansBlocks
      ? cdecimals_scan_blocks(position, text.upperBound, result, room)
      : cdecimals_scan(text.lowerBound, position, text.upperBound, result, room)
    return (scanned.count, scanned.behind)
  }

  /// The float32 nearest to the number at `position`, into `result`, and the byte behind it; nothing if the number is
  /// not of the common shape. The byte behind may still be one that no number may be followed by.
  @inline(__always)
  static func scan(
    _ position: UnsafePointer<UInt8>, into result: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<UInt8>? {
    let isNegative = position.pointee == UInt8(ascii: "-")
    var p = position + (isNegative ? 1 : 0)
    let sign: UInt32 = isNegative ? 1 << 31 : 0

    // The digits before the point: one of them almost always, where the numbers are activations.
    var significand = UInt64(p.pointee &- UInt8(ascii: "0"))
    guard significand < 10 else { return nil }
    var significantDigits = significand == 0 ? 0 : 1
    if p[1] == UInt8(ascii: ".") {
      p += 2
    } else {
      let word = DigitWord(at: p)
      let digits = word.leadingDigits
      guard digits < 8, significand != 0 || digits == 1 else { return nil }
      significand = word.value(ofLeading: digits)
      significantDigits = significand == 0 ? 0 : digits
      p += digits
      guard p.pointee == UInt8(ascii: ".") else {
        guard p.pointee | 0x20 != UInt8(ascii: "e") else { return nil }
        // Seven digits are exact in float32 while below 2²⁴, as 9,999,999 is.
        result.pointee = Float(bitPattern: Float(Int64(significand)).bitPattern | sign)
        return p
      }
      p += 1
    }

    // Up to 16 digits behind it without a branch on their number.
    let first = DigitWord(at: p)
    let firstDigits = first.leadingDigits
    guard firstDigits > 0 else { return nil }
    let second = DigitWord(at: p + 8)
    let secondDigits = second.leadingDigits(after: first)
    var fraction = firstDigits + secondDigits
    significand =
      significand &* PowersOfTen.integers[fraction]
      &+ first.value(ofLeading: firstDigits) &* PowersOfTen.integers[secondDigits]
      &+ second.value(ofLeading: secondDigits)
    if secondDigits == 8 {
      let third = DigitWord(at: p + 16)
      let thirdDigits = third.leadingDigits
      fraction += thirdDigits
      significand = significand &* PowersOfTen.integers[thirdDigits] &+ third.value(ofLeading: thirdDigits)
    }
    p += fraction
    guard significantDigits &+ fraction <= 19, p.pointee | 0x20 != UInt8(ascii: "e"),
      significand <= UInt64(Int64.max)
    else { return nil }

    // As in `NumberToken.float`; at least 10⁻²³ if it isn't zero, so never a denormal.
    let scaled =
      Double(Int64(bitPattern: significand)) * PowersOfTen.doubles[-PowersOfTen.doubleExponents.lowerBound - fraction]
    guard !FloatRounding.isNearMidpoint(scaled) else { return nil }
    result.pointee = Float(bitPattern: Float(scaled).bitPattern | sign)
    return p
  }
}

/// Eight bytes of text, each as its difference from "0" in the sense of exclusive or: a digit becomes its value.
struct DigitWord {
  private let bits: UInt64

  @inline(__always)
  init(at position: UnsafePointer<UInt8>) {
    let word = UnsafeRawPointer(position).loadUnaligned(as: UInt64.self)
    bits = UInt64(littleEndian: word) ^ 0x3030_3030_3030_3030
  }

  /// The highest bit of each byte that is no digit, up to the first of them; bytes behind it may have it or not.
  @inline(__always)
  private var others: UInt64 {
    // 0…9 + 0x76 stays below 0x80, anything else reaches it or has it; a carry only disturbs the bytes behind.
    ((bits &+ 0x7676_7676_7676_7676) | bits) & 0x8080_8080_8080_8080
  }

  /// How many of the bytes are digits before the first that is none.
  @inline(__always)
  var leadingDigits: Int { others.trailingZeroBitCount >> 3 }

  /// The same if `word`, the one before, is all digits, else 0; without a branch.
  @inline(__always)
  func leadingDigits(after word: DigitWord) -> Int {
    let ended: UInt64 = word.others == 0 ? 0 : 0x80
    return (others | ended).trailingZeroBitCount >> 3
  }

  /// The number that the first `count` bytes, all digits, spell: digits join in pairs, pairs in fours, fours in one.
  @inline(__always)
  func value(ofLeading count: Int) -> UInt64 {
    let digits = bits << UInt64(truncatingIfNeeded: 64 - 8 * count)
    let pairs = (digits &* (10 << 8 + 1)) >> 8 & 0x00FF_00FF_00FF_00FF
    let fours = (pairs &* (100 << 16 + 1)) >> 16 & 0x0000_FFFF_0000_FFFF
    return (fours &* (10_000 << 32 + 1)) >> 32
  }
}

import Glibc

/// A JSON number as it was scanned: its value is `significand` · 10^`exponent`, with `isNegative` as its sign.
///
/// Unsafe pointers: into the text that its reader reads; a token is gone before the reader moves on.
struct NumberToken {
  let start: UnsafePointer<UInt8>
  var end: UnsafePointer<UInt8>
  /// The first 19 significant digits.
  var significand: UInt64 = 0
  var exponent = 0
  var isNegative = false
  /// Neither a fraction nor an exponent was written.
  var isInteger = true
  /// No nonzero digit stood behind the first 19.
  var isExact = true

  /// The number correctly rounded (nearest, ties to even); nothing where it rounds beyond the finite float32s.
  ///
  /// The significand is scaled in Double: its conversion, the tabled power and the product each err by at most half a
  /// unit in the last place, and digits cut off by less than 2⁻⁵⁹ of the value. Within `FloatRounding.guardUnits` of
  /// the midpoint between two float32s, and among the denormals, where Double has no such bits to spare, `strtof`
  /// decides instead.
  var float: Float? {
    let magnitude: Float
    if significand == 0 || exponent < PowersOfTen.doubleExponents.lowerBound {
      magnitude = 0
    } else if exponent > PowersOfTen.doubleExponents.upperBound {
      return nil
    } else {
      let scaled =
        Double(significand) * PowersOfTen.doubles[exponent - PowersOfTen.doubleExponents.lowerBound]
      if scaled < Double(Float.leastNormalMagnitude) || FloatRounding.isNearMidpoint(scaled) {
        magnitude = withCString { strtof($0, nil) }.magnitude
      } else {
        magnitude = Float(scaled)
      }
    }
    guard magnitude.isFinite else { return nil }
    return isNegative ? -magnitude : magnitude
  }

  /// The number correctly rounded; nothing where it rounds beyond the finite float64s.
  var double: Double? {
    let magnitude: Double
    if isExact, significand <= 1 << 53, abs(exponent) <= 22 {
      // Both operands are exact, so the one operation rounds once (Clinger 1990).
      let power = Double(PowersOfTen.doubles[abs(exponent) - PowersOfTen.doubleExponents.lowerBound])
      magnitude = exponent < 0 ? Double(significand) / power : Double(significand) * power
    } else {
      magnitude = withCString { strtod($0, nil) }.magnitude
    }
    guard magnitude.isFinite else { return nil }
    return isNegative ? -magnitude : magnitude
  }

  /// The number as C's functions take it, which want a zero behind it.
  private func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let length = end - start
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: length + 1) { buffer in
      for index in 0..<length { buffer[index] = CChar(truncatingIfNeeded: start[index]) }
      buffer[length] = 0
      let locale = uselocale(CLocale.c)
      defer { uselocale(locale) }
      return body(buffer.baseAddress!)
    }
  }
}

enum FloatRounding {
  /// How near, in units of a Double's last place, a value may come to a midpoint of float32s before Double is not
  /// trusted: the scaled value errs by less than 2.
  private static let guardUnits: UInt64 = 4

  /// Bits of a Double's significand that a normal float32 has no room for.
  private static let spareBits: UInt64 = 52 - 23

  /// For a value that is normal in float32.
  @inline(__always)
  static func isNearMidpoint(_ value: Double) -> Bool {
    let spare = value.bitPattern & (1 << spareBits - 1)
    return spare &- (1 << (spareBits - 1) - guardUnits) <= 2 * guardUnits
  }
}

/// The C locale, whose decimal point is a point whatever the process's locale says; a thread uses it for one call.
private enum CLocale {
  // nonisolated(unsafe): an immutable handle, made once and never freed; reading through it is thread-safe.
  nonisolated(unsafe) static let c = newlocale(1 << LC_NUMERIC, "C", nil)
}

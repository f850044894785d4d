/// The two 16-bit formats, by integer arithmetic: no instruction beyond the baseline is needed, and the compiler turns
/// a loop of them into vector code.
///
/// Rounding is to nearest, ties to even; a magnitude beyond the largest finite value by half a unit becomes infinite.
/// A NaN stays a NaN with the upper bits of its payload, made quiet.
package enum HalfPrecision {
  /// IEEE 754 binary16: 1 sign bit, 5 of exponent, 10 of significand.
  @inline(__always)
  package static func float16Bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
    let magnitude = bits & 0x7FFF_FFFF
    // Normal results: rebias the exponent by 127 − 15 and round away the 13 bits that do not fit. The carry out of the
    // significand is the next exponent, as it should be, up to infinity.
    let normal = (magnitude &- (112 << 23) &+ 0x0FFF &+ ((magnitude >> 13) & 1)) >> 13
    // Below 2⁻¹⁴ the last place is 2⁻²⁴ whatever the exponent: added to ½, whose last place that is, the FPU rounds.
    let denormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- Float(0.5).bitPattern
    let nan = 0x7E00 | ((magnitude >> 13) & 0x03FF)
    var half = magnitude < 113 << 23 ? denormal : normal
    half = magnitude >= 0x477F_F000 ? 0x7C00 : half
    half = magnitude > 0x7F80_0000 ? nan : half
    return sign | UInt16(truncatingIfNeeded: half)
  }

  @inline(__always)
  package static func float(float16Bits bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF) << 13
    // Times 2¹¹² rebiases the exponent and makes denormals normal at once, exactly.
    let finite = (Float(bitPattern: magnitude) * Float(bitPattern: (112 + 127) << 23)).bitPattern
    let special = magnitude | 0x7F80_0000 | (magnitude > 0x1F << 23 ? 1 << 22 : 0)
    return Float(bitPattern: sign | (magnitude >= 0x1F << 23 ? special : finite))
  }

  /// bfloat16: the upper half of a binary32.
  @inline(__always)
  package static func bfloat16Bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16
    let nan = bits >> 16 | 0x0040
    return UInt16(truncatingIfNeeded: bits & 0x7FFF_FFFF > 0x7F80_0000 ? nan : rounded)
  }

  @inline(__always)
  package static func float(bfloat16Bits bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }
}

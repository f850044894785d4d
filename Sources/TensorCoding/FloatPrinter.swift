internal import CDecimals

/// Floats as JSON numbers: the shortest digits that read back as the same float32.
///
/// Positional from 0.0001 up to nine digits before the point, always with a digit behind it (`3.0`, `-0.0`), so that
/// languages with a type for integers read a float, and the zero's sign; scientific beyond (`1e-5`, `3.4028235e38`).
/// A NaN or an infinity, which JSON cannot express, becomes `null`; callers that must not send one ask
/// `Tensor.firstNonFinite` before.
///
/// Unsafe pointers: digits are stored by words, past the last one, into room that the caller has reserved; decimals of
/// eight floats come back in memory that is lent for the call. Where `CDecimals` has 16 lanes, it prints what an
/// activation almost always is, and what it stops at is printed by eight lanes or one by one.
enum FloatPrinter {
  /// Bytes that `write` may touch; of them at most 16 belong to the number (`-0.00012345678`, `-1.2345678e-38`).
  static let reach = 32
  /// Bytes that `writeList` may touch behind those of its numbers.
  static let listReach = 80

  /// Writes the number at `p` and returns the byte behind it.
  @inline(__always)
  static func write(_ value: Float, at p: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
    let bits = value.bitPattern
    let magnitude = bits & 0x7FFF_FFFF
    guard magnitude &- 1 < 0x7F80_0000 - 1 else { return writeSpecial(bits, at: p) }
    return write(NineDigits(ShortestDecimal.of(magnitude)), signOf: bits, at: p)
  }

  /// Writes the numbers at `p`, a comma between any two and, if `afterComma` asks for it, in front, and returns the byte
  /// behind them.
  ///
  /// - Parameter floats: up to so many as there is room for, at 17 bytes each and `listReach` besides.
  static func writeList(
    _ floats: UnsafeBufferPointer<Float>, afterComma: Bool, at start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    guard hasEightLanes else { return writeOneByOne(floats[...], afterComma: afterComma, at: start) }
    var p = start
    var next = 0
    // On cache lines of its own; see `cdecimals_eight`.
    withUnsafeTemporaryAllocation(byteCount: MemoryLayout<cdecimals_eight>.size, alignment: 64) { memory in
      let decimals = memory.baseAddress!.bindMemory(to: cdecimals_eight.self, capacity: 1)
      PowersOfTen.scaled.span.withUnsafeBufferPointer { scaled in
        let powers = scaled.baseAddress! - PowersOfTen.scaledMinExponent
        while next < floats.count {
          let first = floats.baseAddress! + next
          if hasSixteenLanes {
            let printed = cdecimals_print(first, floats.count - next, afterComma || next > 0, p)
            p = printed.behind
            next += printed.count
            if printed.count > 0 { continue }
          }
          guard next + lanes <= floats.count else { break }
          let done = cdecimals_shortest(first, powers, decimals)
          p = write(first, EightDecimals(decimals), done, afterComma: afterComma || next > 0, at: p)
          next += lanes
        }
      }
    }
    return writeOneByOne(floats[next...], afterComma: afterComma || next > 0, at: p)
  }

  private static func writeOneByOne(
    _ floats: Slice<UnsafeBufferPointer<Float>>, afterComma: Bool, at start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var p = start
    for (place, value) in floats.enumerated() {
      p = write(value, at: appendComma(p, if: afterComma || place > 0))
    }
    return p
  }

  private static let hasEightLanes = cdecimals_available()
  private static let hasSixteenLanes = cdecimals_prints()
  private static let lanes = Int(cdecimals_lanes)

  /// Writes eight numbers, with commas as `writeList` has them.
  @inline(__always)
  private static func write(
    _ floats: UnsafePointer<Float>, _ eight: EightDecimals, _ done: cdecimals_done, afterComma: Bool,
    at start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var p = start
    if done.characters == 0xFF {
      for lane in 0..<lanes {
        p = write(eight, lane, signOf: floats[lane].bitPattern, at: appendComma(p, if: afterComma || lane > 0))
      }
      return p
    }
    for lane in 0..<lanes {
      let bits = floats[lane].bitPattern
      let bit = UInt8(truncatingIfNeeded: 1 << lane)
      p = appendComma(p, if: afterComma || lane > 0)
      if done.characters & bit != 0 {
        p = write(eight, lane, signOf: bits, at: p)
      } else if done.decimals & bit != 0 {
        p = write(NineDigits(rest: eight.rest[lane], form: eight.form[lane]), signOf: bits, at: p)
      } else {
        p = write(floats[lane], at: p)
      }
    }
    return p
  }

  /// Writes a number whose characters are there.
  @inline(__always)
  private static func write(
    _ eight: EightDecimals, _ lane: Int, signOf bits: UInt32, at p: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    p.pointee = UInt8(ascii: "-")
    let characters = UnsafeMutableRawPointer(p + Int(bits >> 31))
    characters.storeBytes(of: eight.head[lane], as: UInt16.self)
    characters.storeBytes(of: eight.tail[lane], toByteOffset: 2, as: UInt64.self)
    characters.storeBytes(of: eight.further[lane], toByteOffset: 10, as: UInt64.self)
    return p + Int(bits >> 31) + eight.length[lane]
  }

  @inline(__always)
  private static func appendComma(_ p: UnsafeMutablePointer<UInt8>, if isWanted: Bool) -> UnsafeMutablePointer<UInt8> {
    p.pointee = UInt8(ascii: ",")
    return p + (isWanted ? 1 : 0)
  }

  @inline(__always)
  private static func write(
    _ number: NineDigits, signOf bits: UInt32, at p: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    p.pointee = UInt8(ascii: "-")
    let first = p + Int(bits >> 31)
    let scale = number.scale
    if scale <= 0 && scale >= -4 { return writeSmall(number, at: first) }
    if scale > 0 && scale <= 8 { return writeLarge(number, at: first) }
    return writeScientific(number, at: first)
  }

  /// `0.0`, `-0.0` or `null`.
  private static func writeSpecial(_ bits: UInt32, at p: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
    let text: StaticString = bits == 0 ? "0.0" : bits == 0x8000_0000 ? "-0.0" : "null"
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

/// The lanes of `cdecimals_eight`, which Swift has as tuples.
private struct EightDecimals {
  let rest: UnsafePointer<UInt64>
  let form: UnsafePointer<Int>
  let head: UnsafePointer<UInt16>
  let tail: UnsafePointer<UInt64>
  let further: UnsafePointer<UInt64>
  let length: UnsafePointer<Int>

  @inline(__always)
  init(_ decimals: UnsafePointer<cdecimals_eight>) {
    func lanes<Lane>(_ member: PartialKeyPath<cdecimals_eight>, of: Lane.Type) -> UnsafePointer<Lane> {
      let offset = MemoryLayout<cdecimals_eight>.offset(of: member)!
      return (UnsafeRawPointer(decimals) + offset).assumingMemoryBound(to: Lane.self)
    }
    rest = lanes(\.rest, of: UInt64.self)
    form = lanes(\.form, of: Int.self)
    head = lanes(\.head, of: UInt16.self)
    tail = lanes(\.tail, of: UInt64.self)
    further = lanes(\.further, of: UInt64.self)
    length = lanes(\.length, of: Int.self)
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

  /// As `cdecimals_eight` has them.
  @inline(__always)
  init(rest: UInt64, form: Int) {
    self.rest = rest
    first = UInt8(truncatingIfNeeded: form)
    count = form >> 8 & 0xFF
    scale = form >> 16
  }

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

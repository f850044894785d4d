import TensorCoding
import Testing

/// Lists of floats, many of which may be printed at a time, against the standard library's own text of each: it has the
/// same form from 0.0001 to 2²⁴.
@Suite struct PrintedListTests {
  private static func printed(_ floats: [Float]) -> String {
    var text: [UInt8] = []
    floats.withUnsafeBufferPointer { text.appendFloats($0) }
    return String(decoding: text, as: UTF8.self)
  }

  private static func expected(_ floats: [Float]) -> String {
    floats.map(\.description).joined(separator: ",")
  }

  /// Of either sign, in size between the two.
  private static func floats(_ count: Int, from least: Float, to most: Float, seed: UInt64) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<count).map { _ in
      let span = UInt64(most.bitPattern - least.bitPattern) + 1
      let bits = least.bitPattern + UInt32(random.next() % span)
      return Float(bitPattern: bits | UInt32(random.next() & 1) << 31)
    }
  }

  /// However many there are, those at the end and those behind a slice of the list among them.
  @Test(arguments: [0..<70, 1020..<1045, 2040..<2070])
  func ofEveryLength(_ counts: Range<Int>) {
    for count in counts {
      let list = Self.floats(count, from: 0.001, to: 7, seed: UInt64(count))
      #expect(Self.printed(list) == Self.expected(list))
      // With something in front of it that stays.
      var text = Array("[".utf8)
      list.withUnsafeBufferPointer { text.appendFloats($0) }
      #expect(String(decoding: text, as: UTF8.self) == "[" + Self.expected(list))
    }
  }

  /// Where one way of printing ends and another begins, and what has few digits.
  @Test func edges() {
    var list: [Float] = [0, -0.0, 1, -1, 0.5, -7.5, 0.1, 0.2, 0.3, 2.5, 9.5, 9.9, -9.999999, 10, -0.25]
    for edge: Float in [0.0001, 0x1p-13, 0x1p-12, 0.001, 0.01, 0.1, 1, 2, 4, 8, 10, 16, 100, 1024] {
      for step: UInt32 in 0..<40 {
        let above = Float(bitPattern: edge.bitPattern + step)
        let below = Float(bitPattern: edge.bitPattern - step - 1)
        list += [above, -above]
        if below >= 0.0001 { list += [below, -below] }
      }
    }
    #expect(Self.printed(list) == Self.expected(list))
    for float in list {
      #expect(Self.printed([float]) == float.description)
      let alike = Array(repeating: float, count: 33)
      #expect(Self.printed(alike) == Self.expected(alike))
    }
  }

  /// One decimal of each number of digits and sign, at each place among sixteen.
  @Test func everyLengthOfNumber() {
    let numbers: [Float] = [
      0, 3, 0.5, 0.25, 1.125, 0.0625, 2.03125, 0.015625, 0.1234567, 0.12345678, 0.012345678, 0.0012345678,
      0.00012345678, 7.999999, 0.00012207031,
    ]
    for shift in 0..<16 {
      let list = (0..<64).map { index in
        let number = numbers[(index * 7 + shift) % numbers.count]
        return (index / 3 + shift).isMultiple(of: 2) ? number : -number
      }
      #expect(Self.printed(list) == Self.expected(list))
    }
  }

  /// Something else at each place among common numbers, alone and twice.
  @Test(arguments: [
    (Float.nan, "null"), (.infinity, "null"), (-.infinity, "null"), (1e-5, "1e-5"), (-.leastNonzeroMagnitude, "-1e-45"),
    (0, "0.0"),
    (-0.0, "-0.0"), (8, "8.0"), (-12.5, "-12.5"), (123_456_792, "123456790.0"), (1e9, "1e9"), (0.0001, "0.0001"),
    (-3.402_823_5e38, "-3.4028235e38"), (9.999_999e-5, "9.999999e-5"),
  ])
  func somethingElseAtEachPlace(_ value: Float, _ text: String) {
    let common = Self.floats(67, from: 0.001, to: 7, seed: 5)
    for place in 0..<common.count {
      var floats = common
      var texts = common.map(\.description)
      for other in [place, (place + 19) % common.count] {
        floats[other] = value
        texts[other] = text
        #expect(Self.printed(floats) == texts.joined(separator: ","))
      }
    }
  }

  @Test(arguments: 0..<4) func random(_ part: UInt64) {
    let sizes: [(Float, Float)] = [
      (0.000_122_070_31, 7.999_999_5), (0.0001, 0.001), (1, 9.999_999), (0.0001, 16_777_215),
    ]
    for round: UInt64 in 0..<20 {
      let (least, most) = sizes[Int(part)]
      let list = Self.floats(4000, from: least, to: most, seed: 100 * part + round)
      #expect(Self.printed(list) == Self.expected(list))
    }
  }
}

import Foundation
import TensorCoding
import Testing

/// Scanned numbers against the C library's `strtof` and `strtod`, bit by bit.
@Suite struct NumberScanningTests {
  /// Numbers whose rounding is the hard part: halfway between neighbours, at the edges of the format, very long.
  static let hard: [String] = [
    "0", "-0", "0.0", "-0.0", "0e5", "-0.000e-999999999999999999999", "0e999999999999999999999999",
    "1", "-1", "0.1", "0.2", "0.3", "1e0", "1E+0", "1e-0", "123456789", "123456789012345678901234567890123456789",
    // Halfway between 1 and its neighbours, exactly and by a hair; then beyond 2²⁴, where integers are halfway.
    "1.00000005960464477539062500", "1.00000005960464477539062499", "1.00000005960464477539062501",
    "1.000000178813934326171875", "0.999999970197677612304687500", "0.99999997019767761230468749999999999999999",
    "16777217", "16777219", "16777217.0000000000000000000000000000001", "33554434.0", "9007199254740993",
    "9007199791611904", "9007199791611905", "9007199791611903.9999999999999999999999999999999999",
    // The greatest float, and the first value that rounds to infinity stays out of this table.
    "3.4028234663852886e38", "340282346638528859811704183484516925440", "3.4028235e38", "3.40282356e38",
    "340282356779733661637539395458142568447", "340282356779733661637539395458142568447.99999999999",
    // The least normal float, denormals, and half the least denormal: a tie that goes to zero, and just above it.
    "1.1754943508222875e-38", "1.17549435e-38", "1.1754942807573643e-38", "1.1754943157898258e-38",
    "1.1754943157898259e-38", "1.4012984643248170709e-45", "1e-45", "2e-45", "2.1019476964872256e-45",
    "7.006492321624085354618e-46", "7.006492321624085354619e-46", "7.0064923216240853546186479164495807e-46",
    "0.7006492321624085354618647916449580656401309709382578858785341419448955413429303e-45",
    "0.70064923216240853546186479164495806564013097093825788587853414194489554134293031e-45",
    "1e-46", "1e-400", "1e-999999999999999999999999999999", "-1e-400", "123e-50", "0.0001e-41",
    // Digits beyond 19, and exponents that cancel them.
    "1.00000000000000000000000000000000000001", "12345678901234567890123e-20", "0.000000000000000000000000000012345e30",
    "10000000000000000000", "18446744073709551615", "18446744073709551616", "9999999999999999999",
    "99999999999999999999", "1" + String(repeating: "0", count: 38), "0." + String(repeating: "0", count: 44) + "1",
    String(repeating: "9", count: 400) + "e-380", "0." + String(repeating: "3", count: 400),
    "0." + String(repeating: "0", count: 1000) + "1e1000", "1" + String(repeating: "0", count: 1000) + "e-1000",
    "1.000000059604644775390625" + String(repeating: "0", count: 400) + "1",
  ]

  @Test(arguments: hard) func hardNumbersAreRoundedCorrectly(_ number: String) {
    let expected = strtof(number, nil)
    let float = read(number) { reader throws(JSONError) in try reader.readFloat() }
    #expect(float.value?.bitPattern == expected.bitPattern)
    // Far from the text's end, where whole words are scanned, and right before it.
    for text in ["[\(number), \(number),\(number)]", "[\(number)]" + String(repeating: " ", count: 100)] {
      let floats = readTensor(text).value?.tensor.floats ?? []
      #expect(!floats.isEmpty && floats.allSatisfy { $0.bitPattern == expected.bitPattern })
    }
    let double = read(number) { reader throws(JSONError) in try reader.readDouble() }
    #expect(double.value?.bitPattern == strtod(number, nil).bitPattern)
  }

  @Test(arguments: [
    "340282356779733661637539395458142568448", "3.4028235677973366163753939545814256845e38", "3.41e38", "1e39", "-1e39",
    "1e400", "1e99999999999999999999999", "-9" + String(repeating: "9", count: 50),
  ])
  func beyondFloat32IsAMismatch(_ number: String) {
    #expect(readTensor("[0.5, \(number)]").error == .mismatch(pointer: "/1", .notFiniteInFloat32))
    #expect(
      readTensor("[[\(number)\(String(repeating: " ", count: 60))]]").error
        == .mismatch(pointer: "/0/0", .notFiniteInFloat32))
  }

  @Test func beyondFloat64IsAMismatch() {
    for number in ["1e309", "-1.7976931348623159e308", "1e999999999999999999999"] {
      let result = read(number) { reader throws(JSONError) in try reader.readDouble() }
      #expect(result.error == .mismatch(pointer: "", .notFiniteInFloat64))
    }
  }

  /// How random numbers are written: as programs print them, and as only a test would.
  enum Notation: String, CaseIterable {
    case shortFraction, nineDigits, seventeenDigits, longFraction, integer, exponent, halfway, denormal, mixed
  }

  @Test(arguments: Notation.allCases) func randomNumbersEqualStrtof(_ notation: Notation) {
    var random = SplitMix64(seed: UInt64(notation.rawValue.utf8.reduce(7) { $0 &* 31 &+ Int($1) }))
    var failures: [String] = []
    for _ in 0..<250 {
      // A thousand in one array: the row scanner's way, with its carry from one number to the next.
      let numbers = (0..<1000).map { _ in Self.number(notation, &random) }
      let separator = [",", ", ", ",\n  ", " , "][Int(random.next() % 4)]
      guard let floats = readTensor("[" + numbers.joined(separator: separator) + "]").value?.tensor.floats else {
        Issue.record("refused: \(numbers)")
        return
      }
      for (number, float) in zip(numbers, floats) where strtof(number, nil).bitPattern != float.bitPattern {
        failures.append(number)
      }
    }
    #expect(failures.isEmpty, "\(failures.prefix(10))")
  }

  private static func number(_ notation: Notation, _ random: inout SplitMix64) -> String {
    let sign = random.next() & 1 == 0 ? "-" : ""
    func digits(_ count: Int) -> String {
      let bits = String(random.next() | 1 << 63) + String(random.next() | 1 << 63)
      return String(bits.suffix(min(count, bits.count)))
    }
    switch notation {
    case .shortFraction: return "\(sign)\(random.next() % 10).\(digits(1 + Int(random.next() % 8)))"
    case .nineDigits: return "\(sign)0.\(digits(9))"
    case .seventeenDigits:
      return (Double(random.next()) / 0x1p64 * (sign.isEmpty ? 6 : -6)).description
    case .longFraction:
      return "\(sign)\(random.next() % 100_000_000).\(digits(1 + Int(random.next() % 36)))"
    case .integer: return "\(sign)\(random.next() >> (random.next() % 64))"
    case .exponent:
      return "\(sign)\(random.next() % 10).\(digits(1 + Int(random.next() % 20)))e\(Int(random.next() % 82) - 45)"
    case .halfway:
      // Exactly between two floats, from 2⁻³⁰ to 2³⁰, now and then a hair beside.
      let float = Float(bitPattern: UInt32(97 + random.next() % 60) << 23 | UInt32(random.next() & 0x7F_FFFF))
      let middle = String(format: "%.60f", Double(float) + Double(float.ulp) / 2)
      switch random.next() % 3 {
      case 0: return sign + middle
      case 1: return sign + middle + "1"
      default: return sign + middle.replacingOccurrences(of: "5000", with: "4999")
      }
    case .denormal:
      return "\(sign)\(random.next() % 10).\(digits(1 + Int(random.next() % 25)))e-\(37 + random.next() % 10)"
    case .mixed:
      let notations: [Notation] = [.shortFraction, .nineDigits, .seventeenDigits, .longFraction, .halfway]
      return number(random.next() % 100 == 0 ? .exponent : notations[Int(random.next() % 5)], &random)
    }
  }

  @Test func integers() {
    func integer(_ text: String, in range: ClosedRange<Int> = .min ... .max) -> Result<Int, JSONError> {
      read(text) { reader throws(JSONError) in try reader.readInt(in: range) }
    }
    for (text, value) in [
      ("0", 0), ("-0", 0), ("7", 7), ("-42", -42), ("9223372036854775807", Int.max), ("3.0", 3), ("25e2", 2500),
      ("1000e-3", 1), (" 5\n", 5),
    ] {
      #expect(integer(text) == .success(value), "\(text)")
    }
    for text in ["0.5", "1e-1", "3.000001", "1e300", "1e400"] {
      #expect(integer(text).error == .mismatch(pointer: "", .notAnInteger), "\(text)")
    }
    for text in [
      "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" + String(repeating: "0", count: 99),
    ] {
      #expect(integer(text).error == .mismatch(pointer: "", .outOfRange(.min ... .max)), "\(text)")
    }
    #expect(integer("8", in: 1...8) == .success(8))
    #expect(integer("9", in: 1...8).error == .mismatch(pointer: "", .outOfRange(1...8)))
    #expect(integer("\"9\"").error == .mismatch(pointer: "", .kind(expected: .number, found: .string)))
  }

  /// A long number is scanned in time that grows with its length, not faster: a body of digits must not be a weapon.
  @Test func aMillionDigits() {
    let digits = String(repeating: "1234567890", count: 100_000)
    #expect(readTensor("[0.\(digits)]").value?.tensor.floats == [0.12345679])
    #expect(readTensor("[\(digits)e-999999]").value?.tensor.floats == [1.2345679])
    #expect(readTensor("[\(digits)]").error == .mismatch(pointer: "/0", .notFiniteInFloat32))
    // Halfway between 1 and the next float, but for a digit at the very end.
    let zeros = String(repeating: "0", count: 1_000_000)
    #expect(readTensor("[1.000000059604644775390625\(zeros)]").value?.tensor.floats == [1])
    #expect(readTensor("[1.000000059604644775390625\(zeros)1]").value?.tensor.floats == [Float(1).nextUp])
  }
}

import Foundation
import TensorCoding
import Testing

/// Rows that are long enough to be scanned several numbers at a time: what stands out among common numbers, at each
/// place.
@Suite struct LongRowTests {
  private static let columns = 29

  /// What the others are in a row that has something else at `place`: short in one row, as long as Python writes them in
  /// the next.
  private static func common(besides place: Int) -> String {
    place.isMultiple(of: 2) ? "-0.25" : "0.30000000000000004"
  }

  /// A row of common numbers with one other at `place`, and the offset at which that one stands.
  private static func row(_ number: String, at place: Int, separator: String) -> (text: String, offset: Int) {
    var numbers = [String](repeating: common(besides: place), count: columns)
    numbers[place] = number
    let head = "[" + numbers[..<place].map { $0 + separator }.joined()
    return (head + numbers[place...].joined(separator: separator) + "]", head.utf8.count)
  }

  /// From one digit to more than any register holds, with and without a point, at the limits of each length.
  @Test(arguments: [
    "0.0", "-0.0", "0.5", "9.9", "-7.0", "10.0", "-123.456", "12345678.5", "0.000001", "-0.00000000000001",
    "99999999999999.9", "1.23456789012345", "-1.23456789012345", "1.234567890123456", "-1.234567890123456",
    "1234567.12345678", "0.12345678901234567", "-12345678901234567.5", "0", "-0", "7", "-42", "1234567890123456",
    "1e5", "-1.5E-3", "2.5e+10", "1.00000005960464", "1.0000000596046448", "16777217.0", "-16777219.0", "33554434.5",
    "8388608.5", "8388609.5", "-0.30000000000000004", "12345678901234.25", "-123456789012345.25", "1234567890123456.25",
    "0.00012345678901234567", "-0.000000000000000001", "0.0000000000000000000000000000000000000001",
    // Decided by digits far behind those that any register holds, beyond several of them.
    "1.00000005960464477539062500", "1.00000005960464477539062499", "-1.00000005960464477539062501",
    "8388608.50000000000000000000000", "8388608.50000000000000000000001", "8388609.49999999999999999999999",
    "1." + String(repeating: "0", count: 130), "0." + String(repeating: "3", count: 300),
    String(repeating: "9", count: 30) + "." + String(repeating: "9", count: 70),
  ])
  func isReadLikeStrtofAtEveryPlace(_ number: String) {
    for separator in [",", ", ", ",  ", " ,", ",\n"] {
      for place in 0..<Self.columns {
        let text = Self.row(number, at: place, separator: separator).text
        // With the text's end behind it, and with other rows.
        for whole in [text, "[" + text + "," + text + "]"] {
          guard let floats = readTensor(whole).value?.tensor.floats else {
            Issue.record("refused: \(whole)")
            continue
          }
          let common = Self.common(besides: place)
          let isRight = floats.enumerated().allSatisfy { index, float in
            float.bitPattern == strtof(index % Self.columns == place ? number : common, nil).bitPattern
          }
          #expect(isRight && floats.count % Self.columns == 0, "\(whole)")
        }
      }
    }
  }

  /// What no JSON number is (RFC 8259, section 6), and the byte of it at which that shows.
  @Test(arguments: [
    ("01.5", 1), ("-01.5", 2), ("00.5", 1), (".5", 0), ("-.5", 1), ("5.", 2), ("-5.", 3), ("1..2", 2), ("1.2.3", 3),
    ("1.2.3.4", 3), ("--1.0", 1), ("1.-5", 2), ("1.5-", 3), ("+1.5", 0), ("-", 1), ("", 0), ("0x1.0", 1), ("1.5f", 3),
    ("1 .5", 2), ("1. 5", 2), ("1.5 5", 4), ("1/5.5", 1), ("1:5.5", 1), ("1.5e", 4), ("é.5", 0),
    ("1234567890123456789.1234567890.5", 30), ("0." + String(repeating: "7", count: 100) + ".5", 102),
    ("-0" + String(repeating: "7", count: 100) + ".5", 2), (String(repeating: "7", count: 100) + ".", 101),
    (String(repeating: "7", count: 100) + ".-5", 101), ("0.3000000000000000:", 18), ("0.3 -", 4),
  ])
  func isRefusedAtEveryPlace(_ number: String, _ flaw: Int) {
    for separator in [",", ", "] {
      for place in 0..<Self.columns {
        let (text, offset) = Self.row(number, at: place, separator: separator)
        guard case .syntax(let found, _) = readTensor(text + String(repeating: " ", count: 80)).error else {
          Issue.record("not refused: \(text)")
          continue
        }
        #expect(found == offset + flaw, "\(text)")
      }
    }
  }

  /// However many numbers a row has, the one behind the last is the next row's.
  @Test func widthsThatNoRegisterFits() {
    for width in 1...40 {
      let rows = (0..<3).map { row in (0..<width).map { Float(row * 100 + $0) / 8 } }
      let texts = rows.map { "[" + $0.map(\.description).joined(separator: ",") + "]" }
      let text = "[" + texts.joined(separator: ",") + "]" + String(repeating: "\n", count: 70)
      let tensor = readTensor(text).value?.tensor
      #expect(tensor?.shape == Shape(rows: 3, columns: width))
      #expect(tensor?.floats == rows.flatMap { $0 })
    }
  }

  /// Where a limit ends a row, it ends it at the same number whatever comes at a time.
  @Test func limits() {
    let row = "[" + Array(repeating: "1.5", count: 40).joined(separator: ",") + "]"
    for limit in 1...40 {
      let result = readTensor(Array(row.utf8), maxElements: limit)
      #expect((result.error == nil) == (limit == 40))
      if limit < 40 {
        #expect(result.error == .mismatch(pointer: "/\(limit)", .tooManyElements(limit: limit)))
      }
    }
  }
}

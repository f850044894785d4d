/// Numbers and ranges `first-last`, separated by commas: `0-3,7`.
struct NumberRanges: Sendable, Equatable {
  private let ranges: [ClosedRange<Int>]

  /// `nil` for anything else: blanks, an empty item, a range that runs backwards, a number beyond 64 bits.
  init?(parsing text: String) {
    var ranges: [ClosedRange<Int>] = []
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let bounds = item.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(Self.number)
      guard let first = bounds[0], let last = bounds[bounds.count - 1], first <= last else { return nil }
      ranges.append(first...last)
    }
    self.ranges = ranges
  }

  private static func number(_ digits: Substring) -> Int? {
    digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(digits) : nil
  }

  /// The first number of the text's that is not below `count`.
  func first(beyond count: Int) -> Int? {
    ranges.first { $0.upperBound >= count }.map { max($0.lowerBound, count) }
  }

  /// Those below `count`, ascending, each once.
  func indices(of count: Int) -> [Int] {
    (0..<count).filter { index in ranges.contains { $0.contains(index) } }
  }
}

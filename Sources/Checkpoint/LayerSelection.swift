/// Which of a checkpoint's layers to serve, as the command line says it: `0-3,7`.
///
/// Layers count from 0 over all that the checkpoint has, an encoder's before a decoder's. The order of the text does
/// not matter, and a layer that is named twice is loaded once.
package struct LayerSelection: Sendable, Equatable {
  private let ranges: [ClosedRange<Int>]

  /// Parses layer numbers and ranges `first-last`, separated by commas.
  ///
  /// - Throws: ``CheckpointError/layerSelection(found:)`` for anything else: blanks, an empty item, a range that
  ///   runs backwards, a number beyond 64 bits.
  package init(parsing text: String) throws(CheckpointError) {
    var ranges: [ClosedRange<Int>] = []
    for item in text.split(separator: ",", omittingEmptySubsequences: false) {
      let bounds = item.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(Self.number)
      guard let first = bounds[0], let last = bounds[bounds.count - 1], first <= last else {
        throw .layerSelection(found: text)
      }
      ranges.append(first...last)
    }
    self.ranges = ranges
  }

  private static func number(_ digits: Substring) -> Int? {
    digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(digits) : nil
  }

  /// The selected layers' numbers, ascending.
  ///
  /// - Parameter count: how many layers the checkpoint has.
  /// - Throws: ``CheckpointError/layerOutOfRange(requested:count:)`` when one of them is not there.
  package func indices(of count: Int) throws(CheckpointError) -> [Int] {
    if let beyond = ranges.first(where: { $0.upperBound >= count }) {
      throw .layerOutOfRange(requested: max(beyond.lowerBound, count), count: count)
    }
    return (0..<count).filter { index in ranges.contains { $0.contains(index) } }
  }
}

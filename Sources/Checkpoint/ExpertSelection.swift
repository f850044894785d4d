/// Which experts of a checkpoint's mixtures to serve, as the command line says it: `0-31`, or `0-3,7`.
///
/// Experts count from 0 in each mixture. The router is served whole, whatever it chooses from.
package struct ExpertSelection: Sendable, Equatable {
  private let numbers: NumberRanges

  /// Parses experts' numbers as ``LayerSelection`` parses layers'.
  ///
  /// - Throws: ``CheckpointError/expertSelection(found:)``.
  package init(parsing text: String) throws(CheckpointError) {
    guard let numbers = NumberRanges(parsing: text) else { throw .expertSelection(found: text) }
    self.numbers = numbers
  }

  /// The selected experts' numbers, ascending; never empty.
  ///
  /// - Parameters:
  ///   - count: how many experts the mixture has.
  ///   - layer: whose they are.
  /// - Throws: ``CheckpointError/expertOutOfRange(layer:requested:count:)`` when one of them is not there.
  func indices(of count: Int, layer: String) throws(CheckpointError) -> [Int] {
    if let beyond = numbers.first(beyond: count) {
      throw .expertOutOfRange(layer: layer, requested: beyond, count: count)
    }
    return numbers.indices(of: count)
  }

  /// Ascending numbers in the selection's own words.
  package static func text(_ numbers: [Int]) -> String {
    var ranges: [ClosedRange<Int>] = []
    for number in numbers {
      if let last = ranges.last, last.upperBound + 1 == number {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    let texts = ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
    return texts.joined(separator: ",")
  }
}

/// Which of a checkpoint's layers to serve, as the command line says it: `0-3,7`.
///
/// Layers count from 0 over all that the checkpoint has, an encoder's before a decoder's. The order of the text does
/// not matter, and a layer that is named twice is loaded once.
package struct LayerSelection: Sendable, Equatable {
  private let numbers: NumberRanges

  /// Parses layer numbers and ranges `first-last`, separated by commas.
  ///
  /// - Throws: ``CheckpointError/layerSelection(found:)`` for anything else: blanks, an empty item, a range that
  ///   runs backwards, a number beyond 64 bits.
  package init(parsing text: String) throws(CheckpointError) {
    guard let numbers = NumberRanges(parsing: text) else { throw .layerSelection(found: text) }
    self.numbers = numbers
  }

  /// The selected layers' numbers, ascending.
  ///
  /// - Parameter count: how many layers the checkpoint has.
  /// - Throws: ``CheckpointError/layerOutOfRange(requested:count:)`` when one of them is not there.
  package func indices(of count: Int) throws(CheckpointError) -> [Int] {
    if let beyond = numbers.first(beyond: count) { throw .layerOutOfRange(requested: beyond, count: count) }
    return numbers.indices(of: count)
  }
}

internal import FeedForward

/// How much of a long batch is computed before others may pass. The bits of a row don't depend on it.
package struct SliceSize: Sendable {
  /// About 20 ms of one core in float32.
  package var multiplyAdds = 1 << 31
  /// At least so many rows: with fewer the weights' way from memory begins to show.
  package var leastRows = 64

  package init() {}

  package init(multiplyAdds: Int, leastRows: Int) {
    self.multiplyAdds = multiplyAdds
    self.leastRows = leastRows
  }

  /// Rows of a slice.
  func rows(of block: Block) -> Int { max(leastRows, multiplyAdds / block.multiplyAddsOfRow) }
}

internal import FeedForward

/// Passes that an I/O queue computes itself where nothing else waits, in place of handing them to a worker: the two
/// hand-overs cost more than a small layer. What other connections send meanwhile waits so long.
package struct BriefPass: Sendable {
  /// About 150 µs of one core in float32.
  package var multiplyAdds = 1 << 24
  /// Weights that are read for it, at some 100 GB/s from a cache.
  package var weightBytes = 16 << 20
  /// How many times as long a pass may be where requests come one at a time: it is the next one's client who waits.
  package var timesAlone = 2

  package init() {}

  package init(multiplyAdds: Int, weightBytes: Int) {
    self.multiplyAdds = multiplyAdds
    self.weightBytes = weightBytes
  }

  /// Rows of such a pass; 0 where a single one takes longer.
  func rows(of block: Block) -> Int { rows(of: block, multiplyAdds) }

  /// The same where requests come one at a time.
  func rowsAlone(of block: Block) -> Int { rows(of: block, timesAlone * multiplyAdds) }

  private func rows(of block: Block, _ multiplyAdds: Int) -> Int {
    let rows = multiplyAdds / block.multiplyAddsOfRow
    // A mixture's row reads its own experts.
    let bytesOfRow = min(block.residentBytes, 4 * block.multiplyAddsOfRow)
    let mayReadAll = block.residentBytes <= weightBytes
    return mayReadAll ? rows : min(rows, weightBytes / max(bytesOfRow, 1))
  }
}

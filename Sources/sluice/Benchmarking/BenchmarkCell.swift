import FeedForward

/// What was found for one number of rows of one layer.
struct BenchmarkCell {
  let rows: Int
  /// How often it was measured.
  let rounds: Int
  /// Nanoseconds of a pass.
  let time: Quartiles
  /// Operations in a nanosecond at the median, a multiply–add being two.
  let gops: Double
  /// Bytes of packed weights in a nanosecond at the median; nil for a mixture, whose rows need some of its experts
  /// only.
  let gbps: Double?
  /// Of the round's peak of multiply–adds.
  let peakShare: Quartiles
  /// Of the round's plain read of the same weights; nil where they were not read.
  let readShare: Quartiles?
  /// Beside the next larger power of two of rows, if that was measured too.
  let next: (rows: Int, share: Quartiles)?

  /// Whether fewer rows take longer than the next larger power of two: beyond what three rounds of four agree on, and
  /// beyond 2%, which is what two equal times differ by.
  var isCliff: Bool { next.map { $0.share.lower > 1.02 } ?? false }

  /// The cells of what has been measured; rows without a single round are left out.
  static func cells(of rounds: LayerRounds) -> [BenchmarkCell] {
    rounds.passes.compactMap { BenchmarkCell($0, of: rounds.block, beside: rounds.passes) }
  }

  private init?(_ passes: LayerRounds.Passes, of block: Block, beside others: [LayerRounds.Passes]) {
    let operations = 2 * Double(passes.rows * block.multiplyAddsOfRow)
    let bytes: Double? =
      switch block {
      case .layer(let layer): Double(layer.residentBytes)
      case .mixture, .convolution: nil
      }
    let peakShares = zip(passes.nanoseconds, passes.peaks).map { operations / $0 / $1 }
    let readShares = bytes.map { bytes in zip(passes.nanoseconds, passes.reads).map { bytes / $0 / $1 } }
    guard let time = Quartiles(passes.nanoseconds), let peakShare = Quartiles(peakShares) else { return nil }
    rows = passes.rows
    rounds = passes.nanoseconds.count
    self.time = time
    gops = operations / time.median
    gbps = bytes.map { $0 / time.median }
    self.peakShare = peakShare
    readShare = readShares.flatMap(Quartiles.init)
    let larger = Self.powerOfTwo(above: passes.rows)
    next = others.first { $0.rows == larger }.flatMap { other in
      Quartiles(zip(passes.nanoseconds, other.nanoseconds).map { $0 / $1 }).map { (larger, $0) }
    }
  }

  private static func powerOfTwo(above rows: Int) -> Int {
    1 << (Int.bitWidth - rows.leadingZeroBitCount)
  }
}

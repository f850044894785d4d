internal import Metrics
internal import Synchronization

/// What the forward passes of one loaded layer came to. It belongs to the layer: its series are there from the layer's
/// loading to its unloading, and begin at 0 when it is loaded again, as those of a process that starts do.
package final class LayerMeter: Sendable {
  /// Nanoseconds of a pass, for all rows of its batch.
  let forward = Histogram(bounds: LayerMeter.forwardBounds)
  let rows = Counter()
  let multiplyAdds = Counter()
  private let state = Mutex(State())

  private struct State {
    var recent = Recent()
    var statistics = LayerStatistics()
  }

  /// The last passes, the weight of each a sixteenth less than that of the one after it.
  private struct Recent {
    private(set) var multiplyAdds = 0.0
    private(set) var seconds = 0.0

    mutating func add(multiplyAdds newAdds: Int, nanoseconds: Nanoseconds) {
      multiplyAdds = multiplyAdds * 15 / 16 + Double(newAdds)
      seconds = seconds * 15 / 16 + Double(nanoseconds) * 1e-9
    }
  }

  /// Counts a request for the layer, and the forward pass that it stands for.
  ///
  /// - Parameter multiplyAddsOfRow: of the layer.
  func record(_ outcome: RequestOutcome, multiplyAddsOfRow: Int) {
    let timing = outcome.timing
    let adds = timing.batchRows * multiplyAddsOfRow
    if timing.standsForBatch {
      forward.observe(timing.compute)
      rows.add(UInt64(timing.batchRows))
      multiplyAdds.add(UInt64(adds))
    }
    state.withLock { state in
      state.statistics.add(outcome)
      if timing.standsForBatch { state.recent.add(multiplyAdds: adds, nanoseconds: timing.compute) }
    }
  }

  /// What became of the layer's requests.
  var statistics: LayerStatistics { state.withLock { $0.statistics } }

  /// Forward passes, each for the rows of one request or of several.
  var passes: UInt64 { forward.cumulativeCounts.last ?? 0 }

  /// Multiply–adds per second of the last passes; nil before the first.
  var multiplyAddsPerSecond: Double? {
    state.withLock { $0.recent.seconds > 0 ? $0.recent.multiplyAdds / $0.recent.seconds : nil }
  }

  /// 10 µs to 10 s.
  private static let forwardBounds: [Nanoseconds] = [
    10_000, 32_000, 100_000, 320_000, 1_000_000, 3_200_000, 10_000_000, 32_000_000, 100_000_000, 320_000_000,
    1_000_000_000, 10_000_000_000,
  ]
}

/// What the statistics extension counts of one layer since it was loaded; times are in nanoseconds.
struct LayerStatistics: Sendable {
  /// How often something was done, and how long it took in all.
  struct Tally: Sendable, Equatable {
    var count: UInt64 = 0
    var nanoseconds: Nanoseconds = 0

    mutating func add(_ time: Nanoseconds) {
      count += 1
      nanoseconds += time
    }
  }

  /// Rows of all answered requests.
  var rows: UInt64 = 0
  var success = Tally()
  var failure = Tally()
  /// Phases of the answered requests: one of a batch counts with the whole batch's time.
  var queue = Tally()
  var decode = Tally()
  var compute = Tally()
  var encode = Tally()

  mutating func add(_ outcome: RequestOutcome) {
    switch outcome.ending {
    case .answered:
      rows += UInt64(outcome.rows)
      success.add(outcome.timing.total)
      queue.add(outcome.timing.queue)
      decode.add(outcome.timing.decode)
      compute.add(outcome.timing.compute)
      encode.add(outcome.timing.encode)
    case .problem: failure.add(outcome.timing.total)
    // Nobody was told how it went.
    case .clientGone: break
    }
  }
}

import TensorCoding

/// What became of the requests of a load test.
struct LoadReport {
  /// Requests a second, as asked for; nil of a closed loop.
  let offered: Double?
  let secondsDue: Double
  var secondsTaken = 0.0
  /// From when a request was due, or sent in a closed loop, to the end of its answer, of those with status 200;
  /// nanoseconds.
  var latencies: [UInt64] = []
  /// From when a request was due to when it was sent; nanoseconds.
  var lateness: [UInt64] = []
  /// Due while all connections were busy.
  var unsent = 0
  /// No connection was to be had.
  var refused = 0
  /// The connection ended before the answer did, or the answer was not one.
  var broken = 0
  var unanswered = 0
  /// How late a thread of each processor was that asked for nothing but to run, every millisecond.
  var hiccups = DurationCounts()
  /// Seconds that the hypervisor kept from the processors of this machine, one by one; nil where nobody says.
  var secondsStolen: Double?
  /// How many answers had each.
  var statuses: [Int: Int] = [:]

  init(offered: Double?, secondsDue: Double) {
    (self.offered, self.secondsDue) = (offered, secondsDue)
  }

  /// One object of JSON.
  var line: String {
    var outcomes = statuses.sorted { $0.key < $1.key }.map { ("\($0.key)", $0.value) }
    outcomes += [("refused", refused), ("broken", broken), ("unanswered", unanswered)].filter { $0.1 > 0 }
    let asked = outcomes.reduce(0) { $0 + $1.1 }
    let good = statuses[200] ?? 0
    let times = latencies.sorted()
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("requests", asked)
      writer.member("seconds", secondsTaken)
      if let offered {
        writer.member("offered", offered)
        writer.member("due", Double(asked + unsent) / secondsDue)
      }
      writer.member("rate", Double(good) / secondsTaken)
      writer.member("errors", asked - good + unsent)
      for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1)] {
        writer.member("\(name)_ms", Self.percentile(times, share))
      }
      if offered != nil {
        let late = lateness.sorted()
        writer.member("late_ms", Self.percentile(late, 0.99))
        writer.member("late_max_ms", Self.percentile(late, 1))
      }
      for (name, share) in [("p99", 0.99), ("p999", 0.999), ("max", 1)] {
        writer.member("hiccup_\(name)_ms", Double(hiccups.percentile(share)) / 1e6)
      }
      if let secondsStolen { writer.member("stolen_ms", secondsStolen * 1e3) }
      if offered != nil { writer.member("unsent", unsent) }
      writer.member("statuses")
      writer.object { writer in
        for (outcome, count) in outcomes { writer.member(outcome, count) }
      }
    }
    return String(decoding: writer.text, as: UTF8.self)
  }

  /// In milliseconds; 0 of nothing.
  private static func percentile(_ sorted: [UInt64], _ share: Double) -> Double {
    sorted.isEmpty ? 0 : Double(sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)]) / 1e6
  }
}

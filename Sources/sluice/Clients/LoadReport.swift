import TensorCoding

/// What became of the requests of a load test.
struct LoadReport {
  /// Requests a second, as asked for.
  let offered: Double
  let secondsDue: Double
  var secondsTaken = 0.0
  /// From when a request was due to the end of its answer, of those with status 200; nanoseconds.
  var latencies: [UInt64] = []
  /// From when a request was due to when it was sent; nanoseconds.
  var lateness: [UInt64] = []
  /// Due while all connections were busy.
  var unsent = 0
  var unanswered = 0
  private var outcomes: [String: Int] = [:]

  init(offered: Double, secondsDue: Double) {
    (self.offered, self.secondsDue) = (offered, secondsDue)
  }

  mutating func count(_ outcome: String) { outcomes[outcome, default: 0] += 1 }

  /// One object of JSON.
  var line: String {
    var outcomes = outcomes
    if unanswered > 0 { outcomes["unanswered"] = unanswered }
    let asked = outcomes.values.reduce(0, +)
    let good = outcomes["200"] ?? 0
    let times = latencies.sorted()
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("requests", asked)
      writer.member("seconds", secondsTaken)
      writer.member("offered", offered)
      writer.member("due", Double(asked + unsent) / secondsDue)
      writer.member("rate", Double(good) / secondsTaken)
      writer.member("errors", asked - good + unsent)
      for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1)] {
        writer.member("\(name)_ms", Self.percentile(times, share))
      }
      writer.member("late_ms", Self.percentile(lateness.sorted(), 0.99))
      writer.member("unsent", unsent)
      writer.member("statuses")
      writer.object { writer in
        for (outcome, count) in outcomes.sorted(by: { $0.key < $1.key }) { writer.member(outcome, count) }
      }
    }
    return String(decoding: writer.text, as: UTF8.self)
  }

  /// In milliseconds; 0 of nothing.
  private static func percentile(_ sorted: [UInt64], _ share: Double) -> Double {
    sorted.isEmpty ? 0 : Double(sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)]) / 1e6
  }
}

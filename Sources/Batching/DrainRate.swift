/// How many rows per second leave the queue while there is work, measured.
///
/// `rate = workers · Σ rows ÷ Σ busy time`, both sums decaying with each observation. Busy time and not wall time: a
/// server that had little to do would otherwise take its clients' arrival rate for its own limit.
struct DrainRate: Sendable {
  /// What one observation leaves of the former ones: a change of load has passed through after some thirty batches.
  private static let retained = 15.0 / 16.0
  /// No `Retry-After` is longer: by then the load is another one.
  static let retryAfterCap = 60

  private let workers: Double
  private var rows = 0.0
  private var busySeconds = 0.0
  /// Time of plain jobs since the last batch. It counts with the next one: jobs without rows must not thin out the
  /// sums.
  private var jobSeconds = 0.0

  init(workers: Int) {
    self.workers = Double(workers)
  }

  /// Counts work done by one worker; a plain job has no rows, only the time that it kept the worker from computing.
  mutating func observe(rows newRows: Int, nanoseconds: UInt64) {
    let seconds = Double(nanoseconds) * 1e-9
    guard newRows > 0 else { return jobSeconds += seconds }
    rows = rows * Self.retained + Double(newRows)
    busySeconds = busySeconds * Self.retained + seconds + jobSeconds
    jobSeconds = 0
  }

  /// nil until something was measured.
  var rowsPerSecond: Double? {
    rows > 0 && busySeconds > 0 ? workers * rows / busySeconds : nil
  }

  /// Whole seconds until `queuedRows` are worked off: rounded up, at least 1, at most `retryAfterCap`.
  func retryAfterSeconds(queuedRows: Int) -> Int {
    guard let rowsPerSecond else { return 1 }
    let seconds = (Double(queuedRows) / rowsPerSecond).rounded(.up)
    return Int(min(max(seconds, 1), Double(Self.retryAfterCap)))
  }
}

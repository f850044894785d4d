import Batching

/// A queue under a clock that stands still until it is told to move; keys are letters and payloads numbers.
final class ScriptedLine {
  private var queue: BatchQueue
  var now: UInt64 = 1_000

  init(
    maxBatchRows: Int = 8, maxQueueRows: Int = 1_000, batchDelay: Duration = .zero, partialPasses: Int = .max,
    gathers: Bool = false, workers: Int = 1
  ) {
    var limits = BatchLimits(maxBatchRows: maxBatchRows, maxQueueRows: maxQueueRows, batchDelay: batchDelay)
    limits.partialPasses = partialPasses
    limits.gathers = gathers
    queue = BatchQueue(limits: limits, workers: workers)
  }

  var queuedRows: Int { queue.queuedRows }
  var queuedEntries: Int { queue.queuedEntries }
  var dueBatches: Int { queue.dueBatches }
  var isEmpty: Bool { queue.isEmpty }
  var nextEvent: UInt64? { queue.nextEvent }
  var retryAfterSeconds: Int { queue.retryAfterSeconds }

  @discardableResult
  func enqueue(
    _ payload: Int, _ key: Character = "a", rows: Int = 1, priority: Int = 5, deadline: UInt64? = nil
  ) throws(AdmissionError) -> Ticket {
    try queue.enqueue(
      Number(payload), key: BatchKey(key), rows: rows, priority: Priority(level: priority)!, deadline: deadline,
      now: now)
  }

  func admit(rows: Int) throws(AdmissionError) { try queue.admit(rows: rows) }
  func cancel(_ ticket: Ticket) -> Int? { (queue.cancel(ticket) as? Number)?.value }
  func complete(_ key: Character, entries: Int = 1, nanoseconds: UInt64 = 1) {
    queue.complete(BatchKey(key), entries: entries, nanoseconds: nanoseconds, now: now)
  }
  func next() -> BatchQueue.Next { queue.next(now: now) }
  func observe(rows: Int, nanoseconds: UInt64) { queue.observe(rows: rows, nanoseconds: nanoseconds) }

  /// Everything that comes out now, in words: `a[1 2]` is a batch, `x[3]` what has expired, `@5` a time to wait for,
  /// `-` an empty line.
  func take(_ count: Int = .max) -> String {
    var words: [String] = []
    while words.count < count {
      switch next() {
      case .batch(let batch): words.append("\(batch.key.letter)[\(payloads(batch.entries))]")
      case .expired(let entries): words.append("x[\(payloads(entries))]")
      case .wait(let until): return (words + ["@\(until)"]).joined(separator: " ")
      case .idle: return (words + ["-"]).joined(separator: " ")
      }
    }
    return words.joined(separator: " ")
  }

  /// What may be computed in the middle of a batch of `key`: `b[10]`, or `-`.
  func pass(_ key: Character, rows: Int) -> String {
    queue.takePassing(BatchKey(key), rows: rows, now: now).map { "\($0.key.letter)[\(payloads($0.entries))]" } ?? "-"
  }

  private func payloads(_ entries: [BatchEntry]) -> String {
    entries.map { String($0.number) }.joined(separator: " ")
  }
}

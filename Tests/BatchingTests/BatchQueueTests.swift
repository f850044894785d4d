import Batching
import Testing

/// The line's rules, one by one, under a scripted clock.
@Suite struct BatchQueueTests {
  @Test func anEmptyLineIsIdle() {
    let line = ScriptedLine()
    #expect(line.take() == "-")
    #expect(line.isEmpty && line.nextEvent == nil && line.dueBatches == 0)
  }

  /// Which entries of one key go together, by their rows.
  @Test(arguments: [
    ([1], "a[0] -"),
    ([1, 1, 1], "a[0 1 2] -"),
    ([4, 4], "a[0 1] -"),
    ([4, 4, 1], "a[0 1] a[2] -"),
    ([4, 5], "a[0] a[1] -"),
    // The first that does not fit closes the batch, though the one behind it would fit.
    ([4, 5, 1], "a[0] a[1 2] -"),
    // Larger than a batch: alone and whole.
    ([9], "a[0] -"),
    ([1, 100, 1], "a[0] a[1] a[2] -"),
    ([8, 8, 8], "a[0] a[1] a[2] -"),
  ])
  func joins(rows: [Int], expected: String) throws {
    let line = ScriptedLine(maxBatchRows: 8)
    for (payload, count) in rows.enumerated() { try line.enqueue(payload, rows: count) }
    #expect(line.queuedRows == rows.reduce(0, +))
    #expect(line.take() == expected)
    #expect(line.queuedRows == 0 && line.dueBatches == 0 && line.isEmpty)
  }

  @Test func aBatchSaysWhatIsInIt() throws {
    let line = ScriptedLine()
    let first = try line.enqueue(7, "k", rows: 2)
    line.now += 5
    let second = try line.enqueue(8, "k", rows: 3, deadline: 9_999)
    guard case .batch(let batch) = line.next() else { return #expect(Bool(false), "a batch is due") }
    #expect(batch.key.letter == "k" && batch.rows == 5)
    #expect(batch.entries.map(\.ticket) == [first, second])
    #expect(batch.entries.map(\.rows) == [2, 3])
    #expect(batch.entries.map(\.enqueuedAt) == [1_000, 1_005])
    #expect(batch.entries.map(\.deadline) == [nil, 9_999])
  }

  /// One batch a turn: a key that came late waits for one batch of the others, not for all that they sent.
  @Test func keysTakeTurns() throws {
    let line = ScriptedLine(maxBatchRows: 2)
    for payload in 0..<6 { try line.enqueue(payload, "a") }
    try line.enqueue(10, "b")
    try line.enqueue(20, "c")
    try line.enqueue(11, "b")
    #expect(line.take(2) == "a[0 1] b[10 11]")
    // Back in the line, it stands behind whoever waited.
    try line.enqueue(12, "b")
    #expect(line.take() == "c[20] a[2 3] b[12] a[4 5] -")
  }

  @Test func aFullLineRefuses() throws {
    let line = ScriptedLine(maxBatchRows: 4, maxQueueRows: 10)
    try line.enqueue(0, rows: 6)
    try line.enqueue(1, rows: 4)
    #expect(throws: AdmissionError.queueFull(retryAfterSeconds: 1)) { try line.enqueue(2, rows: 1) }
    #expect(throws: AdmissionError.queueFull(retryAfterSeconds: 1)) { try line.admit(rows: 1) }
    #expect(line.queuedRows == 10 && line.queuedEntries == 2)
    #expect(line.take(1) == "a[0]")
    try line.admit(rows: 6)
    #expect(throws: AdmissionError.self) { try line.admit(rows: 7) }
    #expect(throws: AdmissionError.self) { try line.admit(rows: .max) }
  }

  /// Refusing it for ever, with a time after which to retry, would be a lie.
  @Test func whatIsLargerThanTheLineGoesInWhenNothingWaits() throws {
    let line = ScriptedLine(maxBatchRows: 4, maxQueueRows: 10)
    try line.enqueue(0, rows: 11)
    #expect(throws: AdmissionError.self) { try line.enqueue(1, rows: 1) }
    #expect(line.take() == "a[0] -")
  }

  /// (workers, [(rows, seconds)] finished, rows waiting) → Retry-After
  @Test(
    arguments: [
      (1, [], 50, 1),
      (1, [(10, 1.0)], 1, 1),
      (1, [(10, 1.0)], 10, 1),
      (1, [(10, 1.0)], 11, 2),
      (1, [(10, 1.0)], 95, 10),
      (2, [(10, 1.0)], 95, 5),
      // A job without rows is time in which nothing left the line; it counts with the batch after it.
      (1, [(0, 1.0), (10, 1.0)], 50, 10),
      (1, [(10, 1.0), (0, 5.0)], 50, 5),
      (1, [(1, 10.0)], 100, 60),
    ] as [(Int, [(Int, Double)], Int, Int)])
  func retryAfterIsWorkOverRate(workers: Int, finished: [(Int, Double)], waiting: Int, expected: Int) throws {
    let line = ScriptedLine(workers: workers)
    for (rows, seconds) in finished { line.observe(rows: rows, nanoseconds: UInt64(seconds * 1e9)) }
    try line.enqueue(0, rows: waiting)
    #expect(line.retryAfterSeconds == expected)
  }

  @Test func theRateFollowsTheLoad() throws {
    let line = ScriptedLine()
    try line.enqueue(0, rows: 100)
    for _ in 0..<10 { line.observe(rows: 100, nanoseconds: 1_000_000_000) }
    #expect(line.retryAfterSeconds == 1)
    for _ in 0..<200 { line.observe(rows: 10, nanoseconds: 1_000_000_000) }
    #expect(line.retryAfterSeconds == 10)
  }

  /// What comes for a key while enough of its batches are computed is joined until one of them ends, or a batch is
  /// full.
  @Test func smallBatchesOfAKeyWaitForOneAnother() throws {
    let line = ScriptedLine(maxBatchRows: 4, partialPasses: 1)
    try line.enqueue(0)
    #expect(line.take() == "a[0] -")
    for payload in 1...3 { try line.enqueue(payload) }
    try line.enqueue(10, "b")
    #expect(line.dueBatches == 1 && line.queuedRows == 4)
    #expect(line.take() == "b[10] -")
    try line.enqueue(4)
    #expect(line.dueBatches == 1)
    #expect(line.take() == "a[1 2 3 4] -")
    try line.enqueue(5)
    line.complete("b")
    #expect(line.dueBatches == 0 && line.nextEvent == nil)
    #expect(line.take() == "-")
    line.complete("a")
    #expect(line.take() == "-")
    line.complete("a")
    #expect(line.dueBatches == 1)
    #expect(line.take() == "a[5] -")
    #expect(line.isEmpty)
  }

  /// What a full batch leaves behind waits for its end, at every priority, and its deadlines and tickets go on.
  @Test func whatIsLeftOfALongLaneWaits() throws {
    let line = ScriptedLine(maxBatchRows: 4, partialPasses: 1)
    for payload in 0..<5 { try line.enqueue(payload) }
    let high = try line.enqueue(10, rows: 2, priority: 1)
    try line.enqueue(11, priority: 1, deadline: 2_000)
    #expect(line.take(1) == "a[10 11 0]")
    #expect(line.cancel(high) == nil)
    #expect(line.take() == "a[1 2 3 4] -")
    let ticket = try line.enqueue(5)
    try line.enqueue(6, deadline: 2_000)
    try line.enqueue(7, priority: 9)
    #expect(line.nextEvent == 2_000)
    #expect(line.cancel(ticket) == 5)
    line.now = 2_000
    #expect(line.take() == "x[6] -")
    line.complete("a")
    line.complete("a")
    #expect(line.take() == "a[7] -")
  }

  @Test func aHeldLaneMayFindItsKeyComputed() throws {
    let line = ScriptedLine(maxBatchRows: 4, batchDelay: .nanoseconds(100), partialPasses: 1)
    try line.enqueue(0)
    line.now += 100
    #expect(line.take(1) == "a[0]")
    try line.enqueue(1)
    #expect(line.take() == "@1200")
    line.now += 100
    #expect(line.take() == "-")
    line.complete("a")
    #expect(line.take() == "a[1] -")
  }

  @Test func whatWasCancelledNeverComes() throws {
    let line = ScriptedLine()
    let tickets = try (0..<5).map { try line.enqueue($0) }
    #expect(line.cancel(tickets[0]) == 0)
    #expect(line.cancel(tickets[2]) == 2)
    #expect(line.cancel(tickets[4]) == 4)
    #expect(line.cancel(tickets[4]) == nil)
    #expect(line.queuedRows == 2)
    #expect(line.take() == "a[1 3] -")
    #expect(line.cancel(tickets[1]) == nil)
  }

  @Test func theLastOneCancelledEmptiesTheLine() throws {
    let line = ScriptedLine()
    let ticket = try line.enqueue(0, deadline: 5_000)
    #expect(line.dueBatches == 1)
    #expect(line.cancel(ticket) == 0)
    #expect(line.dueBatches == 0 && line.nextEvent == nil)
    #expect(line.take() == "-")
  }

  /// Places are used again, tickets are not.
  @Test func anOldTicketNamesNothing() throws {
    let line = ScriptedLine()
    let old = try line.enqueue(1)
    #expect(line.take() == "a[1] -")
    try line.enqueue(2)
    #expect(line.cancel(old) == nil)
    #expect(line.take() == "a[2] -")
  }

  @Test func whatIsPastItsDeadlineIsNotComputed() throws {
    let line = ScriptedLine()
    try line.enqueue(0, deadline: 3_000)
    try line.enqueue(1)
    try line.enqueue(2, deadline: 2_000)
    try line.enqueue(3, deadline: 3_001)
    try line.enqueue(4, "b", deadline: 2_000)
    line.now = 3_000
    // The earliest deadline first, then by arrival; the deadline itself is too late.
    #expect(line.take() == "x[2 4 0] a[1 3] -")
  }

  @Test func aDeadlineThatHasPassedExpiresAtOnce() throws {
    let line = ScriptedLine()
    try line.enqueue(0, deadline: 999)
    #expect(line.take() == "x[0] -")
  }

  @Test func expiryMakesRoom() throws {
    let line = ScriptedLine(maxQueueRows: 10)
    try line.enqueue(0, rows: 10, deadline: 2_000)
    line.now = 2_000
    #expect(line.take() == "x[0] -")
    try line.enqueue(1, rows: 10)
  }

  @Test func manyDeadlinesLeaveInOrder() throws {
    let line = ScriptedLine(maxQueueRows: 10_000)
    // 0 … 999 in an order that a heap has to sort; every third is cancelled from wherever it stands.
    let order = (0..<1_000).map { $0 * 617 % 1_000 }
    let tickets = try order.map { try line.enqueue($0, deadline: 2_000 + UInt64($0)) }
    for index in stride(from: 0, to: 1_000, by: 3) { #expect(line.cancel(tickets[index]) == order[index]) }
    let left = Set(stride(from: 0, to: 1_000, by: 3).map { order[$0] }).symmetricDifference(0..<1_000).sorted()
    line.now = 10_000
    #expect(line.take() == "x[\(left.map(String.init).joined(separator: " "))] -")
  }
}

/// What `batchDelay` changes.
@Suite struct BatchDelayTests {
  @Test func theFirstWaitsForCompany() throws {
    let line = ScriptedLine(batchDelay: .microseconds(1))
    try line.enqueue(0)
    #expect(line.dueBatches == 0)
    #expect(line.take() == "@2000")
    line.now = 1_400
    try line.enqueue(1)
    #expect(line.take() == "@2000")
    line.now = 2_000
    #expect(line.take() == "a[0 1] -")
  }

  @Test func aFullBatchWaitsForNobody() throws {
    let line = ScriptedLine(maxBatchRows: 4, batchDelay: .microseconds(1))
    try line.enqueue(0, rows: 3)
    #expect(line.take() == "@2000")
    line.now = 1_500
    try line.enqueue(1, rows: 2)
    #expect(line.dueBatches == 2)
    // What is left over has its own delay.
    #expect(line.take() == "a[0] @2500")
    line.now = 2_500
    #expect(line.take() == "a[1] -")
  }

  @Test func anEntryAsLargeAsABatchGoesAtOnce() throws {
    let line = ScriptedLine(maxBatchRows: 4, batchDelay: .seconds(1))
    try line.enqueue(0, rows: 4)
    #expect(line.take() == "a[0] -")
  }

  @Test func lanesBecomeDueInTheOrderOfTheirHeads() throws {
    let line = ScriptedLine(maxBatchRows: 4, batchDelay: .microseconds(1))
    try line.enqueue(0, "a", rows: 3)
    line.now = 1_100
    try line.enqueue(10, "b")
    line.now = 1_200
    try line.enqueue(20, "c")
    try line.enqueue(1, "a", rows: 2)
    // a's leftover came at 1200: behind b, level with c.
    #expect(line.take() == "a[0] @2100")
    line.now = 2_150
    #expect(line.take() == "b[10] @2200")
    line.now = 2_200
    #expect(line.take() == "c[20] a[1] -")
  }

  @Test func aLeftoverThatHasWaitedLongEnoughIsDue() throws {
    let line = ScriptedLine(maxBatchRows: 2, batchDelay: .microseconds(1))
    for payload in 0..<3 { try line.enqueue(payload) }
    line.now = 2_000
    #expect(line.take() == "a[0 1] a[2] -")
  }

  @Test func theNextEventIsTheEarlierOfDelayAndDeadline() throws {
    let line = ScriptedLine(batchDelay: .microseconds(1))
    try line.enqueue(0, "a", deadline: 1_300)
    try line.enqueue(1, "b", deadline: 9_000)
    #expect(line.take() == "@1300")
    line.now = 1_300
    #expect(line.take() == "x[0] @2000")
    line.now = 2_000
    #expect(line.take() == "b[1] -")
    #expect(line.nextEvent == nil)
  }

  @Test func aDelayBeyondTheClockIsNotAnOverflow() throws {
    let line = ScriptedLine(batchDelay: .seconds(Int64.max))
    try line.enqueue(0)
    #expect(line.take() == "@\(UInt64.max)")
  }

  /// Between the slices of a batch of a: short ones of other keys, the highest priority first, in their turn.
  @Test func shortBatchesOfOtherKeysPass() throws {
    let line = ScriptedLine(maxBatchRows: 8)
    try line.enqueue(0, "a")
    try line.enqueue(10, "b", rows: 5)
    for payload in 20..<23 { try line.enqueue(payload, "c", rows: 2) }
    try line.enqueue(30, "d", priority: 9)
    #expect(line.pass("a", rows: 4) == "c[20 21]")
    #expect(line.pass("a", rows: 1) == "d[30]")
    try line.enqueue(40, "e", priority: 1)
    #expect(line.pass("a", rows: 4) == "e[40]")
    #expect(line.pass("a", rows: 4) == "c[22]")
    #expect(line.pass("a", rows: 4) == "-", "b's head is too long, and a's own is no other key")
    #expect(line.queuedRows == 6 && line.dueBatches == 2)
    #expect(line.take() == "a[0] b[10] -")
  }

  @Test func whatIsHeldBackForCompanyDoesNotPass() throws {
    let line = ScriptedLine(batchDelay: .microseconds(1))
    try line.enqueue(0, "b")
    #expect(line.pass("a", rows: 8) == "-")
    line.now = 2_000
    #expect(line.pass("a", rows: 8) == "b[0]")
    #expect(line.take() == "-")
  }
}

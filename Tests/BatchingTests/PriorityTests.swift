import Batching
import Testing

/// Priorities of the line, under a scripted clock: 1 before 5 before 9, and nobody waits for ever.
@Suite struct PriorityTests {
  @Test(arguments: [(0, false), (1, true), (5, true), (9, true), (10, false), (-1, false)])
  func levelsAreOneToNine(_ level: Int, _ exists: Bool) {
    #expect((Priority(level: level) != nil) == exists)
    #expect(Priority(level: 5) == .default && Priority.highest < .default && Priority.default < .lowest)
  }

  @Test func higherPriorityGoesFirst() throws {
    let line = ScriptedLine(maxBatchRows: 1)
    try line.enqueue(0, "a", priority: 9)
    try line.enqueue(1, "b")
    try line.enqueue(2, "c", priority: 1)
    try line.enqueue(3, "d", priority: 1)
    try line.enqueue(4, "b", priority: 2)
    #expect(line.take() == "c[2] d[3] b[4] b[1] a[0] -")
  }

  /// Lanes of one priority take turns as they do without priorities.
  @Test func keysOfOnePriorityTakeTurns() throws {
    let line = ScriptedLine(maxBatchRows: 1)
    for payload in 0..<3 { try line.enqueue(payload, "a", priority: 2) }
    try line.enqueue(10, "b", priority: 2)
    try line.enqueue(20, "a")
    #expect(line.take() == "a[0] b[10] a[1] a[2] a[20] -")
  }

  /// What is computed anyway takes along what its key has at other priorities, the highest first.
  @Test func roomIsGivenToOtherPrioritiesOfTheKey() throws {
    let line = ScriptedLine(maxBatchRows: 4)
    try line.enqueue(0, "a", rows: 2, priority: 9)
    try line.enqueue(1, "a", rows: 1)
    try line.enqueue(2, "b")
    try line.enqueue(3, "a", rows: 1, priority: 1)
    #expect(line.take() == "a[3 1 0] b[2] -")
    #expect(line.isEmpty && line.queuedRows == 0 && line.dueBatches == 0)
  }

  @Test func whatDoesNotFitStaysInItsLane() throws {
    let line = ScriptedLine(maxBatchRows: 4)
    try line.enqueue(0, "a", rows: 3, priority: 1)
    try line.enqueue(1, "a", rows: 2, priority: 2)
    try line.enqueue(2, "a", rows: 1, priority: 3)
    try line.enqueue(3, "a", rows: 1, priority: 3)
    #expect(line.take() == "a[0 2] a[1 3] -")
  }

  /// However much comes at the highest priority, the others have their turns: the lowest one in every nine.
  @Test func nobodyStarves() throws {
    let line = ScriptedLine(maxBatchRows: 1)
    for payload in 0..<3 { try line.enqueue(payload, "z", priority: 9) }
    var order: [Int] = []
    for turn in 0..<30 {
      try line.enqueue(100 + turn, "a", priority: 1)
      guard case .batch(let batch) = line.next() else { return #expect(Bool(false), "a batch is due") }
      order.append(batch.entries[0].number)
    }
    #expect(order.enumerated().filter { $0.element < 100 }.map(\.offset) == [8, 17, 26])
    #expect(order.filter { $0 < 100 } == [0, 1, 2])
  }

  /// With all nine waiting all the time, each has a turn in every seventeen.
  @Test func allPrioritiesHaveTheirShare() throws {
    let line = ScriptedLine(maxBatchRows: 1, maxQueueRows: 2_000)
    let keys = Array("abcdefghi")
    for level in 1...9 { for payload in 0..<200 { try line.enqueue(payload, keys[level - 1], priority: level) } }
    var last = [Character: Int]()
    for turn in 0..<180 {
      guard case .batch(let batch) = line.next() else { return #expect(Bool(false), "a batch is due") }
      #expect(turn - (last[batch.key.letter] ?? -1) <= 17, "\(batch.key.letter) waited too long")
      last[batch.key.letter] = turn
    }
    #expect(last.count == 9)
  }

  /// A delay holds back every priority alike; a deadline passes at every one.
  @Test func delayAndDeadlineGoOnAsBefore() throws {
    let line = ScriptedLine(maxBatchRows: 2, batchDelay: .nanoseconds(10))
    try line.enqueue(0, "a", priority: 1)
    try line.enqueue(1, "a", priority: 9, deadline: 1_005)
    #expect(line.take() == "@1005")
    line.now = 1_005
    #expect(line.take() == "x[1] @1010")
    line.now = 1_010
    #expect(line.take() == "a[0] -")
  }

  @Test func cancelledEntriesLeaveTheirPriority() throws {
    let line = ScriptedLine(maxBatchRows: 1)
    let ticket = try line.enqueue(0, "a", priority: 1)
    try line.enqueue(1, "a", priority: 9)
    #expect(line.cancel(ticket) == 0)
    #expect(line.take() == "a[1] -")
  }

  /// Random schedules: every entry leaves once, and within a key and a priority in the order in which it came.
  @Test(arguments: 0..<50)
  func randomSchedulesKeepTheOrder(seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed))
    let line = ScriptedLine(maxBatchRows: 5)
    var waiting: [(payload: Int, key: Character, priority: Int)] = []
    var submitted = 0
    for _ in 0..<300 {
      if Int.random(in: 0..<3, using: &random) > 0 {
        let key = "abc".randomElement(using: &random)!
        let priority = Int.random(in: 1...9, using: &random)
        try line.enqueue(submitted, key, rows: .random(in: 1...3, using: &random), priority: priority)
        waiting.append((submitted, key, priority))
        submitted += 1
      } else if case .batch(let batch) = line.next() {
        #expect(batch.rows <= 5)
        for entry in batch.entries {
          let place = try #require(waiting.firstIndex { $0.payload == entry.number })
          let left = waiting.remove(at: place)
          #expect(left.key == batch.key.letter)
          #expect(!waiting[..<place].contains { $0.key == left.key && $0.priority == left.priority }, "out of order")
        }
      }
      #expect(line.queuedEntries == waiting.count && (line.dueBatches == 0) == waiting.isEmpty)
    }
  }
}

import Batching
import Testing

/// Batches that wait for those whose answers have just been given; a pass takes 4 ms here, and is waited for 1 ms.
@Suite struct CompanyTests {
  private static let pass: UInt64 = 4_000_000
  private static let wait: UInt64 = 1_000_000

  /// A line in which three clients have come back together after each of `passes` passes.
  private static func line(after passes: Int, gathers: Bool = true) throws -> ScriptedLine {
    let line = ScriptedLine(maxBatchRows: 64, partialPasses: 1, gathers: gathers)
    for _ in 0..<passes {
      for payload in 0..<3 { try line.enqueue(payload) }
      #expect(line.take() == "a[0 1 2] -")
      line.now += pass
      line.complete("a", entries: 3, nanoseconds: pass)
    }
    return line
  }

  @Test func whoCameBackAtOnceIsWaitedFor() throws {
    let line = try Self.line(after: 3)
    try line.enqueue(0)
    let until = line.now + Self.wait
    #expect(line.take() == "@\(until)")
    line.now += 1000
    try line.enqueue(1)
    #expect(line.take() == "@\(until)")
    #expect(line.dueBatches == 0)
    try line.enqueue(2)
    #expect(line.dueBatches == 1)
    #expect(line.take() == "a[0 1 2] -")
  }

  @Test func nobodyIsWaitedForUntilItHasPaid() throws {
    for passes in 0...2 {
      let line = try Self.line(after: passes)
      try line.enqueue(0)
      #expect(line.take() == "a[0] -")
    }
  }

  @Test func onlyWhereTheLineGathers() throws {
    let line = try Self.line(after: 9, gathers: false)
    try line.enqueue(0)
    #expect(line.take() == "a[0] -")
  }

  /// The time over, those who are there are computed; and when that has happened often, nobody waits any more.
  @Test func whoStaysAwayIsNotWaitedForLong() throws {
    let line = try Self.line(after: 9)
    for round in 0..<3 {
      try line.enqueue(0)
      if round < 2 {
        #expect(line.take() == "@\(line.now + Self.wait)")
        line.now += Self.wait
      }
      #expect(line.take() == "a[0] -")
      line.now += Self.pass
      // Of three that were answered, one comes back.
      line.complete("a", entries: 3, nanoseconds: Self.pass)
    }
  }

  /// What waits when a pass ends stays for those that the pass has answered.
  @Test func whatWaitsIsJoinedByThem() throws {
    let line = try Self.line(after: 3)
    for payload in 0..<3 { try line.enqueue(payload) }
    #expect(line.take() == "a[0 1 2] -")
    try line.enqueue(9, "b")
    #expect(line.take() == "b[9] -")
    for payload in 10..<12 { try line.enqueue(payload) }
    line.now += Self.pass
    line.complete("a", entries: 3, nanoseconds: Self.pass)
    #expect(line.take() == "@\(line.now + Self.wait)")
    for payload in 0..<3 { try line.enqueue(payload) }
    #expect(line.take() == "a[10 11 0 1 2] -")
  }

  @Test func aFullBatchWaitsForNobody() throws {
    let line = try Self.line(after: 3)
    try line.enqueue(0, rows: 64)
    #expect(line.take() == "a[0] -")
  }

  @Test func shortPassesAreNotWaitedFor() throws {
    let line = ScriptedLine(partialPasses: 1, gathers: true)
    for _ in 0..<9 {
      for payload in 0..<3 { try line.enqueue(payload) }
      #expect(line.take() == "a[0 1 2] -")
      line.complete("a", entries: 3, nanoseconds: 1_999_999)
    }
    try line.enqueue(0)
    #expect(line.take() == "a[0] -")
  }

  /// A deadline, a cancellation and another key go their own way meanwhile.
  @Test func whatElseHappensWhileTheyAreWaitedFor() throws {
    let line = try Self.line(after: 3)
    let ticket = try line.enqueue(0)
    try line.enqueue(1, deadline: line.now + 10)
    try line.enqueue(7, "b")
    #expect(line.take() == "b[7] @\(line.now + 10)")
    line.now += 10
    #expect(line.take(1) == "x[1]")
    #expect(line.cancel(ticket) == 0)
    #expect(line.isEmpty && line.take() == "-")
  }
}

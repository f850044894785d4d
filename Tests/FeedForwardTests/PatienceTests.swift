import FeedForward
import Testing

/// How long a helper waits for work before it parks, by a clock that the tests turn.
@Suite struct PatienceTests {
  /// A helper with its clock, in nanoseconds.
  struct Clocked {
    var patience = Patience()
    var now: UInt64 = 1_000_000_000

    /// Work that comes `gap` after the last ran out.
    mutating func work(after gap: UInt64) {
      _ = patience.isExhausted(at: now)
      now += gap
      patience.workCame(at: now)
    }

    /// How long the helper waits when nothing comes, to within 1 µs.
    mutating func wait() -> UInt64 {
      let start = now
      while !patience.isExhausted(at: now) { now += 1000 }
      return now - start
    }
  }

  static let quick = Patience.most / 2
  static let slow = Patience.most + 1

  @Test func waitsLittleAtFirst() {
    var helper = Clocked()
    #expect(helper.wait() / 1000 == Patience.least / 1000 + 1)
  }

  @Test func waitsLongWhereWorkFollowsQuickly() {
    var helper = Clocked()
    helper.work(after: Self.quick)
    #expect(helper.patience.limit == Patience.least)
    helper.work(after: Self.quick)
    #expect(helper.patience.limit == Patience.most)
    #expect(helper.wait() / 1000 == Patience.most / 1000 + 1)
  }

  /// One pause among quick requests changes nothing; two do.
  @Test func forgetsSlowly() {
    var helper = Clocked()
    for _ in 0..<9 { helper.work(after: Self.quick) }
    helper.work(after: Self.slow)
    #expect(helper.patience.limit == Patience.most)
    helper.work(after: Self.slow)
    #expect(helper.patience.limit == Patience.least)
    for _ in 0..<9 { helper.work(after: Self.slow) }
    helper.work(after: Self.quick)
    helper.work(after: Self.quick)
    #expect(helper.patience.limit == Patience.most)
  }

  /// The gaps between the phases of a pass are no news of those between passes.
  @Test func phasesSayNothing() {
    var helper = Clocked()
    for _ in 0..<9 { helper.work(after: Patience.least) }
    #expect(helper.patience.limit == Patience.least)
    for _ in 0..<2 { helper.work(after: Self.quick) }
    for _ in 0..<9 { helper.work(after: 500) }
    #expect(helper.patience.limit == Patience.most)
  }

  /// Work that is there when the last is done is no gap.
  @Test func workAtOnceIsNoGap() {
    var patience = Patience()
    patience.workCame(at: 5)
    patience.workCame(at: 5 + Self.quick)
    patience.workCame(at: 5 + 2 * Self.quick)
    #expect(patience.limit == Patience.least)
  }
}

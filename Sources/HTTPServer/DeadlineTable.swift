/// When each connection of a shard has had its time, by slot; times are nanoseconds of a monotonic clock passed in.
///
/// One timer a shard: a sweep reads 8 bytes a connection, 10,000 of them in a few microseconds, and setting or moving a
/// deadline, which every request does, is one store. The timer is moved only for a deadline that comes before it.
package struct DeadlineTable {
  private static let never = UInt64.max

  private var deadlines: [UInt64] = []
  package private(set) var alarm: UInt64?

  /// Deadlines are kept to this: the timer never goes off more often.
  package let grain: UInt64

  package init(grain: Duration = .milliseconds(50)) { self.grain = grain.nanoseconds }

  /// Sets the deadline of a slot, or takes it away.
  package mutating func set(_ deadline: UInt64?, slot: Int) {
    if slot >= deadlines.count {
      guard deadline != nil else { return }
      deadlines += repeatElement(Self.never, count: slot + 1 - deadlines.count)
    }
    deadlines[slot] = deadline ?? Self.never
    if let deadline, deadline < earliestSinceAlarm { earliestSinceAlarm = deadline }
  }

  private var earliestSinceAlarm = Self.never

  /// The time to set the timer to, where it has to move.
  package mutating func alarmToSet(now: UInt64) -> UInt64? {
    guard earliestSinceAlarm != Self.never, earliestSinceAlarm < alarm ?? Self.never else { return nil }
    let time = max(earliestSinceAlarm, now + grain)
    earliestSinceAlarm = Self.never
    guard time < alarm ?? Self.never else { return nil }
    alarm = time
    return time
  }

  /// The slots whose deadline has come; each is taken away. To be called when the timer went off.
  package mutating func sweep(now: UInt64) -> [Int] {
    var expired: [Int] = []
    earliestSinceAlarm = Self.never
    for slot in deadlines.indices where deadlines[slot] != Self.never {
      if deadlines[slot] <= now {
        deadlines[slot] = Self.never
        expired.append(slot)
      } else {
        earliestSinceAlarm = min(earliestSinceAlarm, deadlines[slot])
      }
    }
    alarm = nil
    return expired
  }
}

extension Duration {
  /// Whole nanoseconds, not less than 0 and not more than fit.
  var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = product.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
    return overflow || carry ? .max : sum
  }
}

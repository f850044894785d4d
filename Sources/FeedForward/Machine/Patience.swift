internal import Glibc

/// How long a helper that has run out of work looks for more before it parks.
///
/// Waking a thread takes tens of microseconds, as long as a small layer, and on a virtual machine more. So where work
/// has been quick to follow of late, as it is with a client that asks again as soon as it has its answer, a helper
/// waits for it; where it has not, it waits no longer than the gap between two phases of a pass.
///
/// The time is passed in, in nanoseconds of any clock.
package struct Patience {
  /// The gap between two phases of a pass is shorter.
  package static let least: UInt64 = 30_000
  /// Some round trips of a client on the same machine; a gap that is longer is not waited for.
  package static let most: UInt64 = 250_000

  /// When the work ran out, where it has.
  private var idleSince: UInt64?
  /// How many of the last few gaps were worth waiting for: 0 to 3.
  private var quickGaps = 0

  package init() {}

  /// How long it waits.
  package var limit: UInt64 { quickGaps >= 2 ? Self.most : Self.least }

  /// Nothing to do at `now`; whether it is time to park.
  package mutating func isExhausted(at now: UInt64) -> Bool {
    guard let idleSince else {
      idleSince = now
      return false
    }
    return now - idleSince > limit
  }

  /// Something to do at `now`, at once or after a gap. One within the least says nothing of those between passes.
  package mutating func workCame(at now: UInt64) {
    guard let since = idleSince else { return }
    idleSince = nil
    let gap = now - since
    if gap > Self.least { quickGaps = gap <= Self.most ? min(3, quickGaps + 1) : max(0, quickGaps - 1) }
  }

  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

/// Who of two goes next where both want the same workers, so that each has half of their time: batches, which take
/// microseconds to tens of milliseconds, and jobs, which decode a body or print a reply.
///
/// By turns, one of each, the bodies of long batches would wait undecoded, in their bulkiest form, for as many batches.
package struct TimeShares {
  /// A lead that is made good, in nanoseconds: what one has had beyond that, as while the other asked for nothing, is
  /// its own.
  package static let leadLimit: UInt64 = 4_000_000

  /// Nanoseconds that batches have had more than jobs.
  private var lead = 0

  package init() {}

  /// Whether jobs have had less. Who has had as much goes first among batches.
  package var isJobsTurn: Bool { lead > 0 }

  package mutating func batchTook(_ nanoseconds: UInt64) { add(Int(min(nanoseconds, Self.leadLimit))) }

  package mutating func jobTook(_ nanoseconds: UInt64) { add(-Int(min(nanoseconds, Self.leadLimit))) }

  private mutating func add(_ nanoseconds: Int) {
    let limit = Int(Self.leadLimit)
    lead = min(max(lead + nanoseconds, -limit), limit)
  }
}

import Dispatch

/// The time that everything here is measured in.
package enum MonotonicClock {
  /// Nanoseconds of CLOCK_MONOTONIC: comparable with whatever else in the process reads that clock, and with the
  /// deadlines of Dispatch.
  package static func now() -> UInt64 {
    DispatchTime.now().uptimeNanoseconds
  }
}

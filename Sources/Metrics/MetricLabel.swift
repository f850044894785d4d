/// A label with all the values that it can ever have: an enum, so that nothing a client sends can add a series.
///
/// ```swift
/// enum Outcome: Int, MetricLabel {
///   case done, refused
///   static let labelName = "outcome"
///   var labelValue: String { … }
/// }
/// ```
/// The raw values count from 0 without a gap, as those of an enum over `Int` do by themselves: they are the places of
/// the series.
package protocol MetricLabel: CaseIterable, RawRepresentable<Int>, Sendable {
  static var labelName: String { get }
  /// Any text; it is escaped where it is printed.
  var labelValue: String { get }
}

/// What a metric counts, and what its values are multiplied by when they are printed.
///
/// Instruments hold integers, which add without rounding and without a lock; Prometheus wants base units.
package enum MetricUnit: Sendable {
  /// Things: requests, rows. The name says which.
  case things
  case bytes
  /// Recorded in nanoseconds, printed in seconds.
  case seconds

  /// What the metric's name ends with (before `_total`), as OpenMetrics asks.
  var suffix: String? {
    switch self {
    case .things: nil
    case .bytes: "bytes"
    case .seconds: "seconds"
    }
  }

  var divisor: Double {
    switch self {
    case .things, .bytes: 1
    case .seconds: 1_000_000_000
    }
  }
}

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

/// A label as it is printed.
enum LabelText {
  /// `name="value"`
  static func pair(_ name: String, _ value: String) -> [UInt8] {
    Array("\(name)=\"".utf8) + value.utf8.flatMap { escaped($0) } + [UInt8(ascii: "\"")]
  }

  /// Backslash, quotation mark and line feed are escaped in a label's value, in both formats.
  private static func escaped(_ byte: UInt8) -> [UInt8] {
    switch byte {
    case UInt8(ascii: "\\"): Array("\\\\".utf8)
    case UInt8(ascii: "\""): Array("\\\"".utf8)
    case UInt8(ascii: "\n"): Array("\\n".utf8)
    default: [byte]
    }
  }
}

/// What may be the name of something.
enum MetricName {
  /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
  static func isMetric(_ name: String) -> Bool { consists(name) { $0 == UInt8(ascii: ":") || isLetter($0) } }

  /// `[a-zA-Z_][a-zA-Z0-9_]*`
  static func isLabel(_ name: String) -> Bool { consists(name, of: isLetter) }

  private static func consists(_ name: String, of isLeading: (UInt8) -> Bool) -> Bool {
    guard let first = name.utf8.first, isLeading(first) else { return false }
    return name.utf8.allSatisfy { isLeading($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
    default: false
    }
  }
}

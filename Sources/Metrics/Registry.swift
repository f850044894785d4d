/// All metrics of a process: declared once, at the start, then only read.
///
/// Names are checked as they are declared: one that is malformed, used twice or without its unit's suffix is a
/// programmer's error and stops the process at its start.
package struct Registry: Sendable {
  private var metrics: [Metric] = []

  package init() {}

  /// - Parameter name: ends with `_total`, with the unit before it.
  package mutating func counter<each Label: MetricLabel>(
    _ name: String, help: String, unit: MetricUnit = .things, labels: repeat (each Label).Type
  ) -> Family<Counter, repeat each Label> {
    let family = Family<Counter, repeat each Label> { Counter() }
    let (texts, counters) = (family.labelTexts, family.instruments)
    declare(name: name, help: help, unit: unit, kind: .counter) { writer in
      for (text, counter) in zip(texts, counters) {
        writer.sample(suffix: "_total", labels: text, value: .integer(counter.value), divisor: unit.divisor)
      }
    }
    return family
  }

  package mutating func gauge<each Label: MetricLabel>(
    _ name: String, help: String, unit: MetricUnit = .things, labels: repeat (each Label).Type
  ) -> Family<Gauge, repeat each Label> {
    let family = Family<Gauge, repeat each Label> { Gauge() }
    let (texts, gauges) = (family.labelTexts, family.instruments)
    declare(name: name, help: help, unit: unit, kind: .gauge) { writer in
      for (text, gauge) in zip(texts, gauges) {
        writer.sample(labels: text, value: .real(Double(gauge.value)), divisor: unit.divisor)
      }
    }
    return family
  }

  /// A gauge that is asked when it is printed; in the unit's base (seconds, not nanoseconds).
  package mutating func gauge(
    _ name: String, help: String, unit: MetricUnit = .things, read: @escaping @Sendable () -> Double
  ) {
    declare(name: name, help: help, unit: unit, kind: .gauge) { writer in
      writer.sample(labels: [], value: .real(read()), divisor: 1)
    }
  }

  /// - Parameter bounds: inclusive upper bounds in the unit of recording, ascending.
  package mutating func histogram<each Label: MetricLabel>(
    _ name: String, help: String, unit: MetricUnit = .things, bounds: [UInt64], labels: repeat (each Label).Type
  ) -> Family<Histogram, repeat each Label> {
    let family = Family<Histogram, repeat each Label> { Histogram(bounds: bounds) }
    let (texts, histograms) = (family.labelTexts, family.instruments)
    let bucketTexts = bounds.map { Array("le=\"\(Double($0) / unit.divisor)\"".utf8) } + [Array("le=\"+Inf\"".utf8)]
    declare(name: name, help: help, unit: unit, kind: .histogram) { writer in
      for (text, histogram) in zip(texts, histograms) {
        let prefix = text.isEmpty ? [] : text + [UInt8(ascii: ",")]
        let counts = histogram.cumulativeCounts
        for (bucket, count) in zip(bucketTexts, counts) {
          writer.sample(suffix: "_bucket", labels: prefix + bucket, value: .integer(count), divisor: 1)
        }
        writer.sample(suffix: "_sum", labels: text, value: .integer(histogram.sum), divisor: unit.divisor)
        writer.sample(suffix: "_count", labels: text, value: .integer(counts[counts.count - 1]), divisor: 1)
      }
    }
    return family
  }

  /// Every metric in the order of declaration.
  package func render(_ format: ExpositionFormat) -> [UInt8] {
    var writer = ExpositionWriter(format: format)
    for metric in metrics {
      writer.begin(metric)
      metric.write(&writer)
    }
    return writer.finish()
  }

  private mutating func declare(
    name: String, help: String, unit: MetricUnit, kind: MetricKind,
    write: @escaping @Sendable (inout ExpositionWriter) -> Void
  ) {
    precondition(Self.isName(name), "\(name) is no metric's name")
    precondition(name.hasSuffix("_total") == (kind == .counter), "\(name): a counter, and nothing else, is a _total")
    let base = kind == .counter ? String(name.dropLast("_total".count)) : name
    precondition(unit.suffix.map { base.hasSuffix("_" + $0) } ?? true, "\(name) names its unit")
    precondition(!metrics.contains { $0.base == base }, "\(name) is declared twice")
    metrics.append(Metric(base: base, help: help, unit: unit, kind: kind, write: write))
  }

  /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
  private static func isName(_ name: String) -> Bool {
    func isLetter(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
        UInt8(ascii: ":"):
        true
      default: false
      }
    }
    func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    guard let first = name.utf8.first, isLetter(first) else { return false }
    return name.utf8.allSatisfy { isLetter($0) || isDigit($0) }
  }
}

enum MetricKind: String, Sendable {
  case counter, gauge, histogram
}

struct Metric: Sendable {
  /// The name without `_total`: what OpenMetrics calls the family's name.
  let base: String
  let help: String
  let unit: MetricUnit
  let kind: MetricKind
  let write: @Sendable (inout ExpositionWriter) -> Void
}

/// All metrics of a process: declared once, at the start, then only read.
///
/// Names are checked as they are declared: one that is malformed, used twice or without its unit's suffix is a
/// programmer's error and stops the process at its start.
package struct Registry: Sendable {
  private var metrics: [Metric] = []
  private var preparations: [@Sendable () -> Void] = []

  package init() {}

  /// - Parameters:
  ///   - name: ends with `_total`, with the unit before it.
  ///   - omitsUnused: leaves series out until something was counted: where most combinations never occur.
  package mutating func counter<each Label: MetricLabel>(
    _ name: String, help: String, unit: MetricUnit = .things, omitsUnused: Bool = false,
    labels: repeat (each Label).Type
  ) -> Family<Counter, repeat each Label> {
    let family = Family<Counter, repeat each Label> { Counter() }
    let (texts, counters) = (family.labelTexts, family.instruments)
    declare(name: name, help: help, unit: unit, kind: .counter) { writer in
      for (text, counter) in zip(texts, counters) {
        let value = counter.value
        if omitsUnused, value == 0 { continue }
        writer.sample(suffix: "_total", labels: text, value: .integer(value), divisor: unit.divisor)
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

  /// - Parameters:
  ///   - bounds: inclusive upper bounds in the unit of recording, ascending.
  ///   - omitsUnused: leaves series out until something was observed.
  package mutating func histogram<each Label: MetricLabel>(
    _ name: String, help: String, unit: MetricUnit = .things, bounds: [UInt64], omitsUnused: Bool = false,
    labels: repeat (each Label).Type
  ) -> Family<Histogram, repeat each Label> {
    let family = Family<Histogram, repeat each Label> { Histogram(bounds: bounds) }
    let (texts, histograms) = (family.labelTexts, family.instruments)
    declare(name: name, help: help, unit: unit, kind: .histogram) { writer in
      for (text, histogram) in zip(texts, histograms) where !omitsUnused || histogram.isUsed {
        writer.histogram(histogram, labels: text, unit: unit)
      }
    }
    return family
  }

  /// Has `body` called before metrics are printed, for what several of them read at once.
  package mutating func beforeRendering(_ body: @escaping @Sendable () -> Void) {
    preparations.append(body)
  }

  /// Every metric in the order of declaration.
  package func render(_ format: ExpositionFormat) -> [UInt8] {
    for prepare in preparations { prepare() }
    var writer = ExpositionWriter(format: format)
    for metric in metrics {
      writer.begin(metric)
      metric.write(&writer)
    }
    return writer.finish()
  }

  mutating func declare(
    name: String, help: String, unit: MetricUnit, kind: MetricKind,
    write: @escaping @Sendable (inout ExpositionWriter) -> Void
  ) {
    precondition(MetricName.isMetric(name), "\(name) is no metric's name")
    precondition(name.hasSuffix("_total") == (kind == .counter), "\(name): a counter, and nothing else, is a _total")
    let base = kind == .counter ? String(name.dropLast("_total".count)) : name
    precondition(unit.suffix.map { base.hasSuffix("_" + $0) } ?? true, "\(name) names its unit")
    precondition(!metrics.contains { $0.base == base }, "\(name) is declared twice")
    metrics.append(Metric(base: base, help: help, unit: unit, kind: kind, write: write))
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

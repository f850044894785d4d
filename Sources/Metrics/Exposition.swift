/// The two texts in which a scraper may ask for metrics.
package enum ExpositionFormat: Sendable, CaseIterable {
  /// Prometheus text format 0.0.4.
  case prometheus
  /// OpenMetrics 1.0.
  case openMetrics

  package var contentType: String {
    switch self {
    case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
    case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
    }
  }
}

/// Prints metrics. Series are spelled the same in both formats, bounds of buckets included, so that a scraper that
/// changes its mind goes on with the same series.
struct ExpositionWriter {
  enum Value {
    case integer(UInt64)
    case real(Double)
  }

  private let format: ExpositionFormat
  private var text: [UInt8] = []
  private var base = ""

  init(format: ExpositionFormat) {
    self.format = format
    text.reserveCapacity(16_384)
  }

  /// The lines that stand before a metric's samples. The formats differ in three things: OpenMetrics leaves `_total`
  /// out of a counter's name here, has a line for the unit, and escapes quotation marks in the help.
  mutating func begin(_ metric: Metric) {
    base = metric.base
    let name: String
    switch format {
    case .prometheus: name = metric.kind == .counter ? base + "_total" : base
    case .openMetrics: name = base
    }
    append("# HELP \(name) ")
    for byte in metric.help.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): append("\\\\")
      case UInt8(ascii: "\n"): append("\\n")
      case UInt8(ascii: "\"") where format == .openMetrics: append("\\\"")
      default: text.append(byte)
      }
    }
    append("\n# TYPE \(name) \(metric.kind.rawValue)\n")
    if format == .openMetrics, let suffix = metric.unit.suffix { append("# UNIT \(name) \(suffix)\n") }
  }

  /// One line: `base suffix {labels} value ÷ divisor`.
  mutating func sample(suffix: String = "", labels: [UInt8], value: Value, divisor: Double) {
    append(base)
    append(suffix)
    if !labels.isEmpty {
      text.append(UInt8(ascii: "{"))
      text.append(contentsOf: labels)
      text.append(UInt8(ascii: "}"))
    }
    text.append(UInt8(ascii: " "))
    switch value {
    case .integer(let number) where divisor == 1: append(String(number))
    case .integer(let number): append(Self.text(of: Double(number) / divisor))
    case .real(let number): append(Self.text(of: number / divisor))
    }
    text.append(UInt8(ascii: "\n"))
  }

  /// The lines of one histogram: its buckets, their sum and their count.
  mutating func histogram(_ histogram: Histogram, labels: [UInt8], unit: MetricUnit) {
    let prefix = labels.isEmpty ? [] : labels + [UInt8(ascii: ",")]
    let counts = histogram.cumulativeCounts
    for (place, count) in counts.enumerated() {
      let bound = place < histogram.bounds.count ? "\(Double(histogram.bounds[place]) / unit.divisor)" : "+Inf"
      sample(suffix: "_bucket", labels: prefix + LabelText.pair("le", bound), value: .integer(count), divisor: 1)
    }
    sample(suffix: "_sum", labels: labels, value: .integer(histogram.sum), divisor: unit.divisor)
    sample(suffix: "_count", labels: labels, value: .integer(counts[counts.count - 1]), divisor: 1)
  }

  consuming func finish() -> [UInt8] {
    if format == .openMetrics { append("# EOF\n") }
    return text
  }

  private mutating func append(_ string: String) {
    text.append(contentsOf: string.utf8)
  }

  /// The shortest digits that are read back as the same number; a whole number without its fraction.
  private static func text(of number: Double) -> String {
    if number.isNaN { return "NaN" }
    if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
    return Int64(exactly: number).map(String.init) ?? number.description
  }
}

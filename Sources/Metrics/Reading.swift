/// One series of a metric whose series come and go, such as those of the layers that are loaded: its labels, and what
/// it holds at the moment of a scrape.
///
/// Values come from what the process holds, never from what a client sends.
package struct Reading<Value: Sendable>: Sendable {
  /// As they are printed between the braces.
  let labelText: [UInt8]
  let value: Value

  /// - Precondition: labels have names that a label may have.
  package init(_ labels: (name: String, value: String)..., value: Value) {
    labelText = labels.reduce(into: []) { text, label in
      precondition(MetricName.isLabel(label.name), "\(label.name) is no label's name")
      if !text.isEmpty { text.append(UInt8(ascii: ",")) }
      text += LabelText.pair(label.name, label.value)
    }
    self.value = value
  }
}

extension Registry {
  /// A gauge that is asked when it is printed; in the unit's base (seconds, not nanoseconds).
  package mutating func gauge(
    _ name: String, help: String, unit: MetricUnit = .things, read: @escaping @Sendable () -> Double
  ) {
    gauges(name, help: help, unit: unit) { [Reading(value: read())] }
  }

  /// A counter that somebody else keeps and that is asked when it is printed; in the unit's base.
  package mutating func counter(
    _ name: String, help: String, unit: MetricUnit = .things, read: @escaping @Sendable () -> Double
  ) {
    counters(name, help: help, unit: unit) { [Reading(value: read())] }
  }

  /// Gauges that are there while what they tell of is; in the unit's base.
  package mutating func gauges(
    _ name: String, help: String, unit: MetricUnit = .things, read: @escaping @Sendable () -> [Reading<Double>]
  ) {
    declare(name: name, help: help, unit: unit, kind: .gauge) { writer in
      for reading in read() { writer.sample(labels: reading.labelText, value: .real(reading.value), divisor: 1) }
    }
  }

  /// Counters that are there while what they tell of is; in the unit's base.
  package mutating func counters(
    _ name: String, help: String, unit: MetricUnit = .things, read: @escaping @Sendable () -> [Reading<Double>]
  ) {
    declare(name: name, help: help, unit: unit, kind: .counter) { writer in
      for reading in read() {
        writer.sample(suffix: "_total", labels: reading.labelText, value: .real(reading.value), divisor: 1)
      }
    }
  }

  /// Histograms that are there while what they tell of is.
  package mutating func histograms(
    _ name: String, help: String, unit: MetricUnit = .things, read: @escaping @Sendable () -> [Reading<Histogram>]
  ) {
    declare(name: name, help: help, unit: unit, kind: .histogram) { writer in
      for reading in read() { writer.histogram(reading.value, labels: reading.labelText, unit: unit) }
    }
  }
}

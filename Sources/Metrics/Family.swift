/// The series of one metric: an instrument for each combination of its labels' values, all made at the start.
///
/// `requests[.ffn, .done].add()` is an index computation and an atomic addition.
package struct Family<Instrument: Sendable, each Label: MetricLabel>: Sendable {
  /// In the order of the labels' values, the last label's varying fastest.
  let instruments: [Instrument]
  /// For each series its labels, as they are printed between the braces.
  let labelTexts: [[UInt8]]
  /// How many values each label has.
  private let sizes: [Int]

  init(_ make: () -> Instrument) {
    var texts: [[UInt8]] = [[]]
    var sizes: [Int] = []
    for values in repeat (each Label).labelPairs {
      sizes.append(values.count)
      texts = texts.flatMap { text in values.map { text.isEmpty ? $0 : text + [UInt8(ascii: ",")] + $0 } }
    }
    self.sizes = sizes
    labelTexts = texts
    instruments = texts.map { _ in make() }
  }

  package subscript(label: repeat each Label) -> Instrument {
    var (place, known) = (0, 0)
    for value in repeat each label {
      place = place * sizes[known] + value.rawValue
      known += 1
    }
    return instruments[place]
  }
}

extension MetricLabel {
  /// `name="value"` for every value, in order.
  static var labelPairs: [[UInt8]] {
    let cases = allCases.sorted { $0.rawValue < $1.rawValue }
    precondition(cases.map(\.rawValue) == Array(0..<cases.count), "the raw values of \(Self.self) count from 0")
    return cases.map { LabelText.pair(labelName, $0.labelValue) }
  }
}

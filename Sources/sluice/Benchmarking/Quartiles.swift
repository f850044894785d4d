/// What repeated measurements come to: the middle, and how far they lie around it.
struct Quartiles {
  let least: Double
  let lower: Double
  let median: Double
  let upper: Double

  /// nil where nothing was measured.
  init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    // The value at a fraction of the way from the least to the greatest, between two of them by their distance.
    func value(at fraction: Double) -> Double {
      let place = fraction * Double(sorted.count - 1)
      let below = Int(place)
      let above = min(below + 1, sorted.count - 1)
      return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }
    least = sorted[0]
    lower = value(at: 0.25)
    median = value(at: 0.5)
    upper = value(at: 0.75)
  }

  /// Half the distance between the quartiles, as a share of the median.
  var spread: Double { median == 0 ? 0 : (upper - lower) / 2 / median }
}

extension Double {
  /// With `digits` digits after the point; what has no digits, as Swift prints it.
  func fixed(_ digits: Int) -> String {
    guard isFinite, magnitude < 1e15 else { return description }
    let scale = (0..<digits).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((magnitude * Double(scale)).rounded())
    let sign = self < 0 && scaled > 0 ? "-" : ""
    guard digits > 0 else { return sign + "\(scaled)" }
    let fraction = "\(scaled % scale)"
    return sign + "\(scaled / scale)." + String(repeating: "0", count: digits - fraction.count) + fraction
  }

  /// As a whole percentage.
  var percent: String { "\((100 * self).fixed(0))%" }
}

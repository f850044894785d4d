extension [Double] {
  var median: Double { isEmpty ? 0 : sorted()[count / 2] }
}

extension Double {
  /// With `digits` digits after the point.
  func shown(_ digits: Int) -> String {
    guard isFinite else { return description }
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((magnitude * scale).rounded())
    let fraction = String(scaled % Int(scale)).leading(zerosTo: digits)
    return (self < 0 ? "-" : "") + "\(scaled / Int(scale))" + (digits > 0 ? ".\(fraction)" : "")
  }
}

extension String {
  func padded(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

  fileprivate func leading(zerosTo width: Int) -> String {
    String(repeating: "0", count: max(0, width - count)) + self
  }
}

import Glibc

/// A relative error for people: two digits, as in `2.9e-3`.
enum RelativeError {
  static func text(_ error: Double) -> String {
    guard error > 0, error.isFinite else { return "\(error)" }
    let exponent = floor(log10(error))
    let digits = (error / pow(10, exponent) * 10).rounded() / 10
    return digits < 10 ? "\(digits)e\(Int(exponent))" : "\(digits / 10)e\(Int(exponent) + 1)"
  }
}

import FeedForward
import Foundation

/// A derivative in float64 with the size of what it is the sum of, which is what float32's error is in proportion to.
struct Slope {
  var value: Double
  var size: Double

  /// `S + w·S′`
  init(_ s: Double, _ rest: Double = 0) {
    value = s + rest
    size = abs(s) + abs(rest)
  }

  static func * (slope: Slope, factor: Double) -> Slope {
    var product = slope
    product.value *= factor
    product.size *= abs(factor)
    return product
  }
}

extension Oracle {
  static func sigmoidSlope(_ x: Double) -> Double { sigmoid(x) * sigmoid(-x) }

  static func tanhSlope(_ x: Double) -> Double { 1 / (cosh(x) * cosh(x)) }

  static func reluSlope(_ x: Double) -> Double { x > 0 ? 1 : 0 }

  static func geluSlope(_ x: Double) -> Slope {
    Slope(0.5 * erfc(-x / 2.0.squareRoot()), x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
  }

  /// `(x·σ(u))′ = σ(u) + x·u′·σ′(u)`; where σ′ is 0, so is its product.
  static func sigmoidProductSlope(_ u: Double, _ w: Double) -> Slope {
    let slope = sigmoidSlope(u)
    return Slope(sigmoid(u), slope == 0 ? 0 : w * slope)
  }

  static func geluTanhSlope(_ x: Double) -> Slope {
    let factor = 2 * (2 / Double.pi).squareRoot()
    return sigmoidProductSlope(factor * (x + 0.044715 * x * x * x), factor * (x + 3 * 0.044715 * x * x * x))
  }

  static func derivatives(_ gate: Gate, _ a: Double, _ b: Double) -> (a: Slope, b: Slope) {
    switch gate {
    case .glu: return (Slope(sigmoid(b)), Slope(a * sigmoidSlope(b)))
    case .gtu: return (Slope(tanhSlope(a) * sigmoid(b)), Slope(tanh(a) * sigmoidSlope(b)))
    case .bilinear: return (Slope(b), Slope(a))
    case .reglu: return (Slope(reluSlope(a) * b), Slope(relu(a)))
    case .geglu: return (geluSlope(a) * b, Slope(gelu(a)))
    case .gegluTanh: return (geluTanhSlope(a) * b, Slope(geluTanh(a)))
    case .gegluQuick: return (sigmoidProductSlope(1.702 * a, 1.702 * a) * b, Slope(a * sigmoid(1.702 * a)))
    case .swiglu(let beta):
      let u = Double(beta) * a
      return (sigmoidProductSlope(u, u) * b, Slope(a * sigmoid(u)))
    case .relu2glu: return (Slope(2 * relu(a) * b), Slope(relu(a) * relu(a)))
    case .swigluClamped(let alpha, let limit):
      let (limit, gate) = (Double(limit), min(a, Double(limit)))
      let u = Double(alpha) * gate
      return (
        sigmoidProductSlope(u, u) * (a > limit ? 0 : max(-limit, min(b, limit)) + 1),
        Slope(abs(b) > limit ? 0 : gate * sigmoid(u))
      )
    case .regluSigmoid: return (Slope(reluSlope(a) * sigmoid(b)), Slope(relu(a) * sigmoidSlope(b)))
    case .gegluSigmoid: return (geluSlope(a) * sigmoid(b), Slope(gelu(a) * sigmoidSlope(b)))
    }
  }
}

import FeedForward
import Foundation

/// The layer in float64, straight from the formulas, without a thought for speed.
enum Oracle {
  static func sigmoid(_ x: Double) -> Double { x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)) }

  static func gelu(_ x: Double) -> Double { x * 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// x/2·(1 + tanh(u)) = x·σ(2u), which is the same number without the cancellation below zero.
  static func geluTanh(_ x: Double) -> Double {
    x * sigmoid(2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))
  }

  /// max(0, x), which keeps NaN.
  static func relu(_ x: Double) -> Double { x <= 0 ? 0 : x }

  static func apply(_ gate: Gate, _ a: Double, _ b: Double) -> Double {
    switch gate {
    case .glu: return a * sigmoid(b)
    case .gtu: return tanh(a) * sigmoid(b)
    case .bilinear: return a * b
    case .reglu: return relu(a) * b
    case .geglu: return gelu(a) * b
    case .gegluTanh: return geluTanh(a) * b
    case .gegluQuick: return a * sigmoid(1.702 * a) * b
    case .swiglu(let beta): return a * sigmoid(Double(beta) * a) * b
    case .relu2glu: return relu(a) * relu(a) * b
    case .swigluClamped(let alpha, let limit):
      let gate = a > Double(limit) ? Double(limit) : a
      let up = b > Double(limit) ? Double(limit) : b < -Double(limit) ? -Double(limit) : b
      return (up + 1) * gate * sigmoid(Double(alpha) * gate)
    case .regluSigmoid: return relu(a) * sigmoid(b)
    case .gegluSigmoid: return gelu(a) * sigmoid(b)
    }
  }

  /// What a layer returns for one row.
  struct Row {
    var output: [Double]
    var gate: [Double]
    var up: [Double]
    var hidden: [Double]
  }

  static func forward(_ layer: DenseLayer, row x: ArraySlice<Float>) -> Row {
    let x = x.map(Double.init)
    let gate = product(layer.gateProj, x, bias: layer.gateBias)
    let up = product(layer.upProj, x, bias: layer.upBias)
    let hidden = zip(gate, up).map { gate, up in
      switch layer.gate {
      case .glu, .gtu, .regluSigmoid, .gegluSigmoid: apply(layer.gate, up, gate)
      default: apply(layer.gate, gate, up)
      }
    }
    let output = layer.dOut == 0 ? hidden : product(layer.downProj, hidden, bias: layer.downBias)
    return Row(output: output, gate: gate, up: up, hidden: hidden)
  }

  /// W·x + b, W `[out, in]`.
  private static func product(_ w: [Float], _ x: [Double], bias: [Float]?) -> [Double] {
    (0..<w.count / x.count).map { row in
      var sum = bias.map { Double($0[row]) } ?? 0
      for k in 0..<x.count { sum += Double(w[row * x.count + k]) * x[k] }
      return sum
    }
  }
}

/// |value − exact| in units in the last place of the float32 nearest to `exact`; a subnormal's unit is 2⁻¹⁴⁹.
func unitsInTheLastPlace(_ value: Float, from exact: Double) -> Double {
  let nearest = Float(exact)
  if nearest == value || (nearest.isNaN && value.isNaN) { return 0 }
  guard nearest.isFinite, value.isFinite else {
    // One side of the overflow threshold each: within a unit when the finite one is the largest.
    return abs(nearest.isFinite ? nearest : value) == .greatestFiniteMagnitude ? 1 : .infinity
  }
  return abs(Double(value) - exact) / Double(nearest.ulp)
}

import Foundation

/// Feed-forward layers in float64, written from the formulas and from nothing else.
struct Oracle {
  var variant: String
  var beta = 1.0
  var alpha = 1.702
  var limit = 7.0
  /// `[dFF][dIn]`
  var gateProj: [[Double]]
  /// `[dFF][dIn]`
  var upProj: [[Double]]
  /// `[dOut][dFF]`
  var downProj: [[Double]]?
  var gateBias: [Double]?
  var upBias: [Double]?
  var downBias: [Double]?

  struct Row {
    let gate: [Double]
    let up: [Double]
    let hidden: [Double]
    let output: [Double]
  }

  func apply(_ x: [Double]) -> Row {
    let gate = Self.project(x, gateProj, gateBias)
    let up = Self.project(x, upProj, upBias)
    let hidden = zip(gate, up).map { join(gate: $0, up: $1) }
    return Row(
      gate: gate, up: up, hidden: hidden, output: downProj.map { Self.project(hidden, $0, downBias) } ?? hidden)
  }

  /// The gates, each with the branch that `gate_proj` feeds where its paper has it.
  private func join(gate g: Double, up u: Double) -> Double {
    switch variant {
    case "glu": u * sigmoid(g)
    case "gtu": tanh(u) * sigmoid(g)
    case "bilinear": g * u
    case "reglu": max(0, g) * u
    case "geglu": gelu(g) * u
    case "geglu_tanh": g / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (g + 0.044715 * g * g * g))) * u
    case "geglu_quick": g * sigmoid(1.702 * g) * u
    case "swiglu": g * sigmoid(beta * g) * u
    case "relu2glu": max(0, g) * max(0, g) * u
    case "swiglu_clamped":
      (max(-limit, min(u, limit)) + 1) * min(g, limit) * sigmoid(alpha * min(g, limit))
    case "reglu_sigmoid": max(0, u) * sigmoid(g)
    case "geglu_sigmoid": gelu(u) * sigmoid(g)
    default: .nan
    }
  }

  private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
  private func gelu(_ x: Double) -> Double { x / 2 * (1 + erf(x / 2.0.squareRoot())) }

  private static func project(_ x: [Double], _ matrix: [[Double]], _ bias: [Double]?) -> [Double] {
    matrix.enumerated().map { row, weights in
      zip(weights, x).reduce(bias?[row] ?? 0) { $0 + $1.0 * $1.1 }
    }
  }

  /// The embedded model's layer, from its documented rule.
  static func demo(_ variant: String) -> Oracle {
    func matrix(_ rows: Int, _ columns: Int, _ eighths: (Int, Int) -> Int) -> [[Double]] {
      (0..<rows).map { row in (0..<columns).map { column in Double(eighths(row, column)) / 8 } }
    }
    return Oracle(
      variant: variant,
      gateProj: matrix(8, 4) { f, d in (3 * f + 5 * d + 1) % 11 - 5 },
      upProj: matrix(8, 4) { f, d in (5 * f + 7 * d + 2) % 13 - 6 },
      downProj: matrix(4, 8) { d, f in (7 * d + 3 * f + 4) % 9 - 4 })
  }
}

/// Whether float32 results are the oracle's, to within what sums of this size round off.
func isClose(_ found: [Float], _ expected: [Double], tolerance: Double = 1e-5) -> Bool {
  found.count == expected.count
    && zip(found, expected).allSatisfy { abs(Double($0) - $1) <= tolerance * max(1, abs($1)) }
}

let variants = [
  "glu", "gtu", "bilinear", "reglu", "geglu", "geglu_tanh", "geglu_quick", "swiglu", "relu2glu", "swiglu_clamped",
  "reglu_sigmoid", "geglu_sigmoid",
]

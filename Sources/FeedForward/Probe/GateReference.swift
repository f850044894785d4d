internal import Glibc

extension Gate {
  /// The gate's formula in float64, as its description writes it: what the kernels' results are held against.
  func reference(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .glu: a * sigmoid(b)
    case .gtu: tanh(a) * sigmoid(b)
    case .bilinear: a * b
    case .reglu: max(0, a) * b
    case .geglu: a * normalDistribution(a) * b
    case .gegluTanh: a / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (a + 0.044715 * a * a * a))) * b
    case .gegluQuick: a * sigmoid(1.702 * a) * b
    case .swiglu(let beta): a * sigmoid(Double(beta) * a) * b
    case .relu2glu: max(0, a) * max(0, a) * b
    case .swigluClamped(let alpha, let limit):
      (max(-Double(limit), min(b, Double(limit))) + 1) * min(a, Double(limit))
        * sigmoid(Double(alpha) * min(a, Double(limit)))
    case .regluSigmoid: max(0, a) * sigmoid(b)
    case .gegluSigmoid: a * normalDistribution(a) * sigmoid(b)
    }
  }
}

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// Φ(x)
private func normalDistribution(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }

import FeedForward

/// The activations of a gated layer's gate branch, by the names that `config.json` files give them.
enum Activation {
  /// What published names mean: the gate that multiplies the activated branch with the other one.
  private static let table: [(names: [String], gate: Gate)] = [
    (["silu", "swish"], .swiglu),
    (["gelu", "gelu_python"], .geglu),
    (["gelu_pytorch_tanh", "gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh"], .gegluTanh),
    (["quick_gelu"], .gegluQuick),
    (["relu"], .reglu),
    (["relu2"], .relu2glu),
    (["linear"], .bilinear),
    // σ(gate)·up is Dauphin's GLU: the sigmoid is on gate_proj's branch.
    (["sigmoid"], .glu),
  ]

  /// Every name that has a gate.
  static var names: [String] { table.flatMap(\.names) }

  static func gate(named name: String) -> Gate? {
    table.first { $0.names.contains(name) }?.gate
  }
}

extension Gate {
  /// What the layer computes between its projections, in words.
  ///
  /// - Parameters:
  ///   - gate: what to call gate_proj's branch.
  ///   - up: what to call up_proj's branch.
  func rule(gate: String, up: String) -> String {
    switch self {
    case .glu: "\(up) · sigmoid(\(gate))"
    case .gtu: "tanh(\(up)) · sigmoid(\(gate))"
    case .bilinear: "\(gate) · \(up)"
    case .reglu: "relu(\(gate)) · \(up)"
    case .geglu: "gelu(\(gate)) · \(up)"
    case .gegluTanh: "gelu_tanh(\(gate)) · \(up)"
    case .gegluQuick: "quick_gelu(\(gate)) · \(up)"
    case .swiglu(let beta): beta == 1 ? "silu(\(gate)) · \(up)" : "swish(\(gate), β = \(beta)) · \(up)"
    case .relu2glu: "relu²(\(gate)) · \(up)"
    case .swigluClamped(let alpha, let limit):
      "(clamp(\(up), ±\(limit)) + 1) · g · sigmoid(\(alpha) · g), g = min(\(gate), \(limit))"
    case .regluSigmoid: "relu(\(up)) · sigmoid(\(gate))"
    case .gegluSigmoid: "gelu(\(up)) · sigmoid(\(gate))"
    }
  }
}

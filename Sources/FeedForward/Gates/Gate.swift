/// The element-wise function that joins the two branches of a gated layer: `gate(a, b)`, `a` and `b` of one shape.
///
/// The S family (Shazeer 2020) activates `a`, which is `gate_proj`'s branch; the gates whose sigmoid is on `b`
/// (Dauphin et al. 2017, `torch.nn.GLU`, and the two `…Sigmoid` forms) take `a` as the value, which is `up_proj`'s.
/// `gate_proj` therefore always feeds what gates: see ``gateProjectionIsFirstOperand``.
package enum Gate: Sendable, Equatable {
  /// `a ⊙ σ(b)` (Dauphin et al. 2017; `torch.nn.GLU`: value first, gate second)
  case glu
  /// `tanh(a) ⊙ σ(b)` (Dauphin et al. 2017)
  case gtu
  /// `a ⊙ b` (Dauphin et al. 2017, Shazeer 2020)
  case bilinear
  /// `max(0, a) ⊙ b` (Shazeer 2020)
  case reglu
  /// `GELU(a) ⊙ b`, `GELU(x) = x·Φ(x)` with the exact normal distribution Φ (Shazeer 2020)
  case geglu
  /// `GELU(a) ⊙ b`, `GELU(x) ≈ x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))` (Gemma, T5 v1.1)
  case gegluTanh
  /// `a·σ(1.702·a) ⊙ b`
  case gegluQuick
  /// `a·σ(β·a) ⊙ b`; β = 1 is SiLU, any other is Swish with its parameter (Shazeer 2020)
  case swiglu(beta: Float)
  /// `max(0, a)² ⊙ b` (BitNet)
  case relu2glu
  /// `(clamp(b, −L, L) + 1)·g·σ(α·g)`, `g = min(a, L)` (gpt-oss: α = 1.702, L = 7)
  case swigluClamped(alpha: Float, limit: Float)
  /// `max(0, a) ⊙ σ(b)`, what tutorials call "ReGLU"
  case regluSigmoid
  /// `GELU(a) ⊙ σ(b)` with the exact GELU, what tutorials call "GeGLU"
  case gegluSigmoid

  /// SwiGLU as published models use it: β = 1.
  package static let swiglu = Gate.swiglu(beta: 1)
  /// The clamped SwiGLU with gpt-oss's parameters.
  package static let swigluClamped = Gate.swigluClamped(alpha: 1.702, limit: 7)

  /// Every gate once, with its default parameters, in the order of the documentation.
  package static let all: [Gate] = [
    .glu, .gtu, .bilinear, .reglu, .geglu, .gegluTanh, .gegluQuick, .swiglu, .relu2glu, .swigluClamped,
    .regluSigmoid, .gegluSigmoid,
  ]

  /// The name that requests, replies and checkpoints' metadata use.
  package var wireName: String {
    switch self {
    case .glu: "glu"
    case .gtu: "gtu"
    case .bilinear: "bilinear"
    case .reglu: "reglu"
    case .geglu: "geglu"
    case .gegluTanh: "geglu_tanh"
    case .gegluQuick: "geglu_quick"
    case .swiglu: "swiglu"
    case .relu2glu: "relu2glu"
    case .swigluClamped: "swiglu_clamped"
    case .regluSigmoid: "reglu_sigmoid"
    case .gegluSigmoid: "geglu_sigmoid"
    }
  }

  /// The gate of that name with its default parameters; `nil` for a name that is not in the vocabulary.
  package init?(wireName: String) {
    guard let gate = Gate.all.first(where: { $0.wireName == wireName }) else { return nil }
    self = gate
  }

  /// Which operand `gate_proj`'s branch is: `a` where the gate activates `a`, `b` where its sigmoid is on `b`.
  package var gateProjectionIsFirstOperand: Bool {
    switch self {
    case .glu, .gtu, .regluSigmoid, .gegluSigmoid: false
    case .bilinear, .reglu, .geglu, .gegluTanh, .gegluQuick, .swiglu, .relu2glu, .swigluClamped: true
    }
  }
}

/// A number that belongs to a gate's formula and may stand beside its name.
package enum GateParameter: String, Sendable, CaseIterable {
  /// β of `swiglu`: any finite number.
  case beta
  /// α of `swiglu_clamped`: any finite number.
  case alpha
  /// L of `swiglu_clamped`: a finite number above zero.
  case limit
}

extension Gate {
  /// The parameters of this gate's formula, in the order of its description; most gates have none.
  package var parameters: [(name: GateParameter, value: Float)] {
    switch self {
    case .swiglu(let beta): [(.beta, beta)]
    case .swigluClamped(let alpha, let limit): [(.alpha, alpha), (.limit, limit)]
    case .glu, .gtu, .bilinear, .reglu, .geglu, .gegluTanh, .gegluQuick, .relu2glu, .regluSigmoid, .gegluSigmoid: []
    }
  }

  /// This gate with one parameter replaced; `nil` where its formula lacks the parameter or the value is outside of
  /// the parameter's range.
  package func setting(_ parameter: GateParameter, to value: Float) -> Gate? {
    guard value.isFinite else { return nil }
    switch (self, parameter) {
    case (.swiglu, .beta): return .swiglu(beta: value)
    case (.swigluClamped(_, let limit), .alpha): return .swigluClamped(alpha: value, limit: limit)
    case (.swigluClamped(let alpha, _), .limit) where value > 0: return .swigluClamped(alpha: alpha, limit: value)
    default: return nil
    }
  }
}

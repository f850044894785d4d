/// What a gated feed-forward layer is made of, before it is packed.
///
/// `y = W_down·norm(gate(W_gate·x + b_gate, W_up·x + b_up)) + b_down`; without `downProj` the layer ends at the gate.
package struct LayerWeights: Sendable {
  package var gate: Gate
  /// `[dFF, dIn]`
  package var gateProj: MatrixView
  /// `[dFF, dIn]`
  package var upProj: MatrixView
  /// `[dOut, dFF]`
  package var downProj: MatrixView?
  /// `[dFF]`
  package var gateBias: VectorView?
  /// `[dFF]`
  package var upBias: VectorView?
  /// `[dOut]`
  package var downBias: VectorView?
  /// What the hidden row goes through before the down projection.
  package var hiddenNorm: HiddenNormWeights?

  package init(
    gate: Gate, gateProj: MatrixView, upProj: MatrixView, downProj: MatrixView? = nil,
    gateBias: VectorView? = nil, upBias: VectorView? = nil, downBias: VectorView? = nil,
    hiddenNorm: HiddenNormWeights? = nil
  ) {
    self.gate = gate
    self.gateProj = gateProj
    self.upProj = upProj
    self.downProj = downProj
    self.gateBias = gateBias
    self.upBias = upBias
    self.downBias = downBias
    self.hiddenNorm = hiddenNorm
  }
}

/// RMSNorm of a layer's hidden row: `h·weight/√(mean(h²) + ε)` (Zhang and Sennrich 2019, arXiv 1910.07467).
package struct HiddenNormWeights: Sendable {
  /// `[dFF]`
  package var weight: VectorView
  /// ε, at least zero.
  package var epsilon: Float

  package init(weight: VectorView, epsilon: Float) {
    self.weight = weight
    self.epsilon = epsilon
  }
}

/// One of the tensors of a layer, named as requests and errors name it.
package enum LayerTensor: String, Sendable, CaseIterable {
  case gateProj = "gate_proj"
  case upProj = "up_proj"
  case downProj = "down_proj"
  case gateBias = "gate_proj_bias"
  case upBias = "up_proj_bias"
  case downBias = "down_proj_bias"
}

/// Why weights do not make a layer. In a request this is a 422 at the tensor's pointer; in a checkpoint, a refusal.
package enum LayerError: Error, Equatable {
  /// The tensor's shape is not the one that the others ask for; `expected` holds the dimensions that they fix.
  case shape(LayerTensor, found: [Int], expected: [Int])
  /// A dimension of the tensor is zero.
  case empty(LayerTensor)
  /// There is a bias for the down projection, and no down projection.
  case biasWithoutProjection(LayerTensor)
  /// The norm's weight is not as long as a hidden row, which without a down projection has no norm at all.
  case hiddenNorm(found: Int, expected: Int)
  /// The file behind the weights could not be read.
  case unreadable
  /// The machine has no memory for the packed weights.
  case outOfMemory(bytes: Int)
}

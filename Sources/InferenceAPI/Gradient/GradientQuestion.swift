internal import FeedForward
internal import TensorCoding

/// What a request for gradients asks beside the forward pass: the vector–Jacobian product of the layer.
struct GradientQuestion: Sendable {
  /// `[…, dOut]`: the gradient of some scalar by the output.
  let gradOutput: Tensor
  /// Whether the gradients by the weights and biases are wanted as well.
  let wantsWeights: Bool
}

/// The scalar's gradients.
struct GradientResult: Sendable {
  /// `[…, dIn]`
  let input: Tensor
  /// Each of its tensor's shape, in the order of ``LayerTensor``; those that the layer lacks are left out.
  let weights: [(name: LayerTensor, tensor: Tensor)]

  var tensors: [(name: String, tensor: Tensor)] {
    [(name: "grad_input", tensor: input)]
      + weights.map { (name: "grad_weights." + $0.name.rawValue, tensor: $0.tensor) }
  }
}

extension ForwardRequest.Subject {
  /// The shapes of the layer's tensors, in the order of ``LayerTensor``; nil for a mixture.
  var tensorShapes: [(name: LayerTensor, shape: Shape)]? {
    switch self {
    case .packed(.mixture), .packed(.convolution), .givenConvolution: nil
    case .packed(.layer(let layer)):
      LayerTensor.allCases.compactMap { name in
        guard layer.has(name) else { return nil }
        return (name, name.shape(dIn: layer.dIn, dFF: layer.dFF, dOut: layer.dOut))
      }
    case .given(let layer): layer.tensorShapes
    }
  }
}

extension LayerTensor {
  /// Of a layer of those widths.
  fileprivate func shape(dIn: Int, dFF: Int, dOut: Int) -> Shape {
    switch self {
    case .gateProj, .upProj: Shape(rows: dFF, columns: dIn)
    case .downProj: Shape(rows: dOut, columns: dFF)
    case .gateBias, .upBias: Shape(count: dFF)
    case .downBias: Shape(count: dOut)
    }
  }
}

extension FeedForwardLayer {
  fileprivate func has(_ tensor: LayerTensor) -> Bool {
    switch tensor {
    case .gateProj, .upProj: true
    case .downProj: hasDownProjection
    case .gateBias: hasGateBias
    case .upBias: hasUpBias
    case .downBias: hasDownBias
    }
  }
}

extension FFNSubject {
  /// Checks what a question for gradients adds to the forward pass.
  ///
  /// - Throws: `.gradientOfMixture`, `.gradOutputShape`, `.weightsGradientTooLarge`, `.tooManyRows`.
  func check(
    _ gradient: GradientQuestion, _ request: FFNRequest, _ configuration: APIConfiguration
  ) throws(APIError) {
    guard let tensors = layer.tensorShapes else { throw .gradientOfMixture }
    let input = request.input.tensor.shape
    let output = input.replacingLast(with: dOut)
    guard gradient.gradOutput.shape == output else {
      throw .gradOutputShape(found: gradient.gradOutput.shape, expected: output)
    }
    let limit = configuration.resultElementsLimit
    let weights = gradient.wantsWeights ? tensors.reduce(0) { $0 + $1.shape.count } : 0
    let ofRow = dOut + dIn + widths.total(of: request.activations)
    guard limit - weights >= ofRow else { throw .weightsGradientTooLarge(elements: weights, limit: limit - ofRow) }
    let byReply = (limit - weights) / ofRow
    // A backward pass holds the branches, the hidden rows and their gradients of one chunk, whatever the widths.
    let hidden = limit / (Self.hiddenPlanes * widths.hidden)
    let byWorkspace = hidden < Workspace.chunkRows ? max(1, hidden) : .max
    let byTime = configuration.multiplyAddsLimit / (multiplyAddsOfRow * (gradient.wantsWeights ? 3 : 2))
    let rows = min(byReply, byWorkspace, byTime)
    if input.leading > rows { throw .tooManyRows(found: input.leading, limit: rows) }
  }

  /// a, b, hidden, grad_hidden, grad_a and grad_b.
  private static let hiddenPlanes = 6
}

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
  /// By what weights the experts that a request chose: `[…, choices]`.
  let expertWeights: Tensor?
  /// Each of its tensor's shape, in the order of ``GradientTensors``; those that the layer lacks are left out.
  let weights: [(name: String, tensor: Tensor)]

  var tensors: [(name: String, tensor: Tensor)] {
    [(name: "grad_input", tensor: input)] + (expertWeights.map { [(name: "grad_expert_weights", tensor: $0)] } ?? [])
      + weights.map { (name: "grad_weights." + $0.name, tensor: $0.tensor) }
  }
}

extension FFNSubject {
  /// Checks what a question for gradients adds to the forward pass.
  ///
  /// - Throws: `.notFeedForward`, `.gradOutputShape`, `.weightsGradientTooLarge`, `.tooManyRows`.
  func check(
    _ gradient: GradientQuestion, _ request: FFNRequest, _ configuration: APIConfiguration
  ) throws(APIError) {
    guard let tensors = GradientTensors(of: layer, isRouted: request.experts == nil) else { throw .notFeedForward }
    let input = request.input.tensor.shape
    let output = input.replacingLast(with: dOut)
    guard gradient.gradOutput.shape == output else {
      throw .gradOutputShape(found: gradient.gradOutput.shape, expected: output)
    }
    let limit = configuration.resultElementsLimit
    let weights = gradient.wantsWeights ? tensors.elements : 0
    let choices = request.experts?.choices
    let ofRow = dOut + dIn + (choices ?? 0) + widths.total(of: request.activations)
    guard limit - weights >= ofRow else { throw .weightsGradientTooLarge(elements: weights, limit: limit - ofRow) }
    let byReply = (limit - weights) / ofRow
    // A backward pass holds the branches, the hidden rows and their gradients of one chunk, whatever the widths.
    let hidden = limit / (Self.hiddenPlanes * widths.hidden)
    let byWorkspace = hidden < Workspace.chunkRows ? max(1, hidden) : .max
    let byTime = configuration.multiplyAddsLimit / (passMultiplyAdds(choices) * (gradient.wantsWeights ? 3 : 2))
    let rows = min(byReply, byWorkspace, byTime)
    if input.leading > rows { throw .tooManyRows(found: input.leading, limit: rows) }
  }

  /// a, b, hidden, grad_hidden, grad_a and grad_b.
  private static let hiddenPlanes = 6
}

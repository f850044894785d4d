/// Rows of a backward pass: what comes in, and where its results go.
///
/// Unsafe pointers: the caller owns all of the memory, whose lengths follow from `count` and the layer's widths; the
/// results overlap neither each other nor the inputs.
package struct GradientRows {
  /// `[count, dIn]`, row-major.
  package var input: UnsafePointer<Float>
  /// `[count, dOut]`: how the scalar that is differentiated depends on the output.
  package var gradOutput: UnsafePointer<Float>
  package var count: Int
  /// `[count, dOut]`: the forward pass's result.
  package var output: UnsafeMutablePointer<Float>
  /// `[count, dIn]`
  package var gradInput: UnsafeMutablePointer<Float>
  /// Where the layer's inner values go as well, if anywhere.
  package var activations: ActivationOutputs
  /// Where the gradients of the weights go, if anywhere.
  package var weights: WeightGradientOutputs?
  /// Whether these are added to what stands there.
  package var addsToWeights: Bool

  package init(
    input: UnsafePointer<Float>, gradOutput: UnsafePointer<Float>, count: Int, output: UnsafeMutablePointer<Float>,
    gradInput: UnsafeMutablePointer<Float>, activations: ActivationOutputs = ActivationOutputs(),
    weights: WeightGradientOutputs? = nil, addsToWeights: Bool = false
  ) {
    self.input = input
    self.gradOutput = gradOutput
    self.count = count
    self.output = output
    self.gradInput = gradInput
    self.activations = activations
    self.weights = weights
    self.addsToWeights = addsToWeights
  }

  /// The rows from `first` on, `count` of them.
  func chunk(from first: Int, count: Int, of layer: FeedForwardLayer) -> GradientRows {
    GradientRows(
      input: input + first * layer.dIn, gradOutput: gradOutput + first * layer.dOut, count: count,
      output: output + first * layer.dOut, gradInput: gradInput + first * layer.dIn,
      activations: activations.advanced(by: first * layer.dFF), weights: weights,
      addsToWeights: addsToWeights || first > 0)
  }
}

/// Where a backward pass writes the gradients of a layer's weights: `∂L/∂W`, summed over the rows of the pass.
///
/// Each has the shape of its tensor, row-major, and is overwritten unless ``GradientRows/addsToWeights``; a bias only
/// where the layer has one.
package struct WeightGradientOutputs {
  /// `[dFF, dIn]`
  package var gateProj: UnsafeMutablePointer<Float>
  /// `[dFF, dIn]`
  package var upProj: UnsafeMutablePointer<Float>
  /// `[dOut, dFF]`; nil where the layer has no such projection.
  package var downProj: UnsafeMutablePointer<Float>?
  /// `[dFF]`
  package var gateBias: UnsafeMutablePointer<Float>?
  /// `[dFF]`
  package var upBias: UnsafeMutablePointer<Float>?
  /// `[dOut]`
  package var downBias: UnsafeMutablePointer<Float>?

  package init(
    gateProj: UnsafeMutablePointer<Float>, upProj: UnsafeMutablePointer<Float>,
    downProj: UnsafeMutablePointer<Float>? = nil, gateBias: UnsafeMutablePointer<Float>? = nil,
    upBias: UnsafeMutablePointer<Float>? = nil, downBias: UnsafeMutablePointer<Float>? = nil
  ) {
    self.gateProj = gateProj
    self.upProj = upProj
    self.downProj = downProj
    self.gateBias = gateBias
    self.upBias = upBias
    self.downBias = downBias
  }
}

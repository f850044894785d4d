/// Rows of a mixture's backward pass: what comes in, and where its results go.
///
/// Unsafe pointers: the caller owns all of the memory, whose lengths follow from `count` and the mixture's widths; the
/// results overlap neither each other nor the inputs.
package struct MixtureGradientRows {
  /// `[count, dIn]`, row-major.
  package var input: UnsafePointer<Float>
  /// `[count, dOut]`: how the scalar that is differentiated depends on the output.
  package var gradOutput: UnsafePointer<Float>
  package var count: Int
  /// `[count, dOut]`: the forward pass's result.
  package var output: UnsafeMutablePointer<Float>
  /// `[count, dIn]`
  package var gradInput: UnsafeMutablePointer<Float>
  /// Where the router's decisions go as well, if anywhere.
  package var routes: RouteOutputs
  /// The experts that somebody else has chosen, where the router is not asked.
  package var chosen: ChosenExperts?
  /// Where the gradients of the weights go, if anywhere.
  package var weights: MixtureGradientOutputs?

  package init(
    input: UnsafePointer<Float>, gradOutput: UnsafePointer<Float>, count: Int, output: UnsafeMutablePointer<Float>,
    gradInput: UnsafeMutablePointer<Float>, routes: RouteOutputs = RouteOutputs(), chosen: ChosenExperts? = nil,
    weights: MixtureGradientOutputs? = nil
  ) {
    self.input = input
    self.gradOutput = gradOutput
    self.count = count
    self.output = output
    self.gradInput = gradInput
    self.routes = routes
    self.chosen = chosen
    self.weights = weights
  }

  /// The rows from `first` on, `count` of them.
  func chunk(from first: Int, count: Int, of mixture: MixtureLayer) -> MixtureGradientRows {
    MixtureGradientRows(
      input: input + first * mixture.dIn, gradOutput: gradOutput + first * mixture.dOut, count: count,
      output: output + first * mixture.dOut, gradInput: gradInput + first * mixture.dIn,
      routes: routes.advanced(by: first, mixture.topK, mixture.count), chosen: chosen?.advanced(by: first),
      weights: weights)
  }
}

/// Whole numbers below a mixture's ``MixtureLayer/count`` and what weights these experts, `[rows, choices]` each.
///
/// Unsafe pointers: the caller's, as above.
package struct ChosenExperts {
  package var indices: UnsafePointer<Float>
  package var weights: UnsafePointer<Float>
  package var choices: Int
  /// Where the gradients by `weights` go, if anywhere; 0 for an expert that is not here.
  package var gradWeights: UnsafeMutablePointer<Float>?

  package init(
    indices: UnsafePointer<Float>, weights: UnsafePointer<Float>, choices: Int,
    gradWeights: UnsafeMutablePointer<Float>? = nil
  ) {
    self.indices = indices
    self.weights = weights
    self.choices = choices
    self.gradWeights = gradWeights
  }

  func advanced(by rows: Int) -> ChosenExperts {
    ChosenExperts(
      indices: indices + rows * choices, weights: weights + rows * choices, choices: choices,
      gradWeights: gradWeights.map { $0 + rows * choices })
  }
}

/// Where a backward pass writes the gradients of a mixture's weights: `∂L/∂W`, summed over the rows of the pass.
///
/// Each has the shape of its tensor, row-major, and is overwritten. Where somebody else has chosen the experts, theirs
/// are all there are.
package struct MixtureGradientOutputs {
  /// Those of ``MixtureLayer/experts``, in their order; 0 for an expert that no row went to.
  package var experts: [WeightGradientOutputs]
  package var shared: WeightGradientOutputs?
  /// `[experts, dIn]`
  package var router: UnsafeMutablePointer<Float>?
  /// `[experts]`
  package var routerBias: UnsafeMutablePointer<Float>?
  /// `[1, dIn]`
  package var sharedGate: UnsafeMutablePointer<Float>?
  /// `[dOut]`
  package var outputBias: UnsafeMutablePointer<Float>?

  package init(
    experts: [WeightGradientOutputs], shared: WeightGradientOutputs? = nil,
    router: UnsafeMutablePointer<Float>? = nil, routerBias: UnsafeMutablePointer<Float>? = nil,
    sharedGate: UnsafeMutablePointer<Float>? = nil, outputBias: UnsafeMutablePointer<Float>? = nil
  ) {
    self.experts = experts
    self.shared = shared
    self.router = router
    self.routerBias = routerBias
    self.sharedGate = sharedGate
    self.outputBias = outputBias
  }
}

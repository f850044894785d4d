internal import FeedForward
internal import TensorCoding

/// The tensors by which a layer or mixture is differentiated, with their shapes: `gate_proj`, of a mixture
/// `experts.3.gate_proj`, `shared.gate_proj`, `router`, `router_bias`, `shared_gate` and `output_bias`.
struct GradientTensors {
  private(set) var all: [(name: String, shape: Shape)] = []

  var elements: Int { all.reduce(0) { $0 + $1.shape.count } }

  /// Nil for a convolution, which has no such gradients.
  ///
  /// - Parameter isRouted: whether a mixture's router chooses; experts that a request chose have no part but their own.
  init?(of subject: ForwardRequest.Subject, isRouted: Bool) {
    switch subject {
    case .packed(.convolution), .givenConvolution: return nil
    case .packed(.layer(let layer)): add(layer, "")
    case .packed(.mixture(let mixture)): add(mixture, isRouted: isRouted)
    case .given(let layer): all = layer.tensorShapes.map { ($0.name.rawValue, $0.shape) }
    }
  }

  private mutating func add(_ layer: FeedForwardLayer, _ prefix: String) {
    for tensor in LayerTensor.allCases where layer.has(tensor) {
      all.append((prefix + tensor.rawValue, tensor.shape(dIn: layer.dIn, dFF: layer.dFF, dOut: layer.dOut)))
    }
  }

  private mutating func add(_ mixture: MixtureLayer, isRouted: Bool) {
    if isRouted {
      all.append(("router", Shape(rows: mixture.count, columns: mixture.dIn)))
      if mixture.hasRouterBias { all.append(("router_bias", Shape(count: mixture.count))) }
    }
    for (index, expert) in zip(mixture.held, mixture.experts) { add(expert, "experts.\(index).") }
    guard isRouted else { return }
    if let shared = mixture.shared { add(shared, "shared.") }
    if mixture.hasSharedGate { all.append(("shared_gate", Shape(rows: 1, columns: mixture.dIn))) }
    if mixture.hasOutputBias { all.append(("output_bias", Shape(count: mixture.dOut))) }
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

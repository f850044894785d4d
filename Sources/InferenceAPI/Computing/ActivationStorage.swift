internal import FeedForward
internal import TensorCoding

/// How many numbers of each activation a row has; 0 for those that a layer does not have.
struct ActivationWidths: Sendable {
  /// Width of a layer's gate, or of each of a mixture's experts.
  let hidden: Int
  private let experts: Int
  private let topK: Int

  init(dFF: Int) {
    (hidden, experts, topK) = (dFF, 0, 0)
  }

  init(_ block: Block) {
    hidden = block.dFF
    switch block {
    case .layer, .convolution: (experts, topK) = (0, 0)
    case .mixture(let mixture): (experts, topK) = (mixture.count, mixture.topK)
    }
  }

  var isMixture: Bool { experts > 0 }

  subscript(activation: Activation) -> Int {
    switch activation {
    // The experts of a row have each their own: there is no such tensor of a mixture.
    case .gate, .up, .hidden: isMixture ? 0 : hidden
    case .routerLogits: experts
    case .expertIndices, .expertWeights: topK
    }
  }

  /// Numbers of a row in all of them together.
  func total(of activations: ActivationSet) -> Int {
    Activation.allCases.reduce(0) { activations.contains($1) ? $0 + self[$1] : $0 }
  }
}

/// Where the activations of some rows are written, each only if somebody wants it.
///
/// Unsafe: addresses of memory that whoever made the value keeps while it is in use.
struct ActivationPlanes {
  private var addresses = InlineArray<6, UnsafeMutablePointer<Float>?>(repeating: nil)

  subscript(activation: Activation) -> UnsafeMutablePointer<Float>? {
    get { addresses[activation.place] }
    set { addresses[activation.place] = newValue }
  }

  /// Where those of the rows from `row` on are written.
  func advanced(by row: Int, _ widths: ActivationWidths) -> ActivationPlanes {
    var planes = self
    for activation in Activation.allCases {
      planes[activation] = self[activation].map { $0 + row * widths[activation] }
    }
    return planes
  }

  var ofLayer: ActivationOutputs { ActivationOutputs(gate: self[.gate], up: self[.up], hidden: self[.hidden]) }

  var ofRouter: RouteOutputs {
    RouteOutputs(logits: self[.routerLogits], indices: self[.expertIndices], weights: self[.expertWeights])
  }
}

/// Memory for the activations that a request asked for.
struct ActivationStorage: Sendable {
  private let storages: [FloatStorage?]

  init(_ activations: ActivationSet, rows: Int, widths: ActivationWidths) {
    storages =
      activations.isEmpty
      ? []
      : Activation.allCases.map {
        activations.contains($0) ? FloatStorage(capacity: rows * widths[$0]) : nil
      }
  }

  subscript(activation: Activation) -> FloatStorage? {
    storages.isEmpty ? nil : storages[activation.place]
  }

  /// Where the engine writes.
  var planes: ActivationPlanes {
    var planes = ActivationPlanes()
    if storages.isEmpty { return planes }
    for (activation, storage) in zip(Activation.allCases, storages) { planes[activation] = storage?.mutableAddress }
    return planes
  }
}

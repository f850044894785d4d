/// What a request names as a layer, before it is packed: the feed-forward part of a Transformer layer, which is a layer
/// or a mixture of them, or a stack of gated convolutions.
package enum BlockWeights: Sendable {
  case layer(LayerWeights)
  case mixture(MixtureWeights)
  case convolution(ConvolutionStackWeights)

  package var gate: Gate {
    switch self {
    case .layer(let weights): weights.gate
    case .mixture(let weights): weights.experts[0].gate
    case .convolution(let stack): stack.layers[0].gate
    }
  }

  /// The arithmetic that takes most of the weights as they are stored.
  package var storedArithmetic: Arithmetic {
    switch self {
    case .layer(let weights): .default(for: weights.gateProj.type)
    case .mixture(let weights): .default(for: weights.experts[0].gateProj.type)
    case .convolution: .f32
    }
  }
}

/// What a layer, a mixture or a convolution takes and gives, packed or not.
package struct BlockShape: Sendable {
  /// What only a mixture has.
  package struct Mixture: Sendable {
    /// How many the router chooses from.
    package let experts: Int
    /// Those that are here, ascending.
    package let held: [Int]
    /// Experts that a row goes to.
    package let topK: Int
    package let hasShared: Bool
  }

  /// What only a stack of gated convolutions has.
  package struct Convolution: Sendable {
    /// Taps of each layer's kernel.
    package let widths: [Int]
    package let residualBlocks: Int
  }

  package let gate: Gate
  /// Inputs of a row.
  package let dIn: Int
  /// Width of the gate, in a mixture of each routed expert's, in a stack of the last convolution's.
  package let dFF: Int
  /// Outputs of a row.
  package let dOut: Int
  package let mixture: Mixture?
  package let convolution: Convolution?

  package init(_ weights: BlockWeights) {
    let first: LayerWeights
    switch weights {
    case .convolution(let stack):
      (gate, dIn, dOut) = (weights.gate, stack.layers[0].channelsIn, stack.layers[stack.layers.count - 1].channelsOut)
      (dFF, mixture) = (dOut, nil)
      convolution = Convolution(widths: stack.layers.map(\.kernel.width), residualBlocks: stack.blocks.count)
      return
    case .layer(let layer): (first, mixture) = (layer, nil)
    case .mixture(let weights):
      first = weights.experts[0]
      mixture = Mixture(
        experts: weights.count, held: weights.held ?? Array(0..<weights.count), topK: weights.topK,
        hasShared: weights.shared != nil)
    }
    convolution = nil
    gate = first.gate
    (dFF, dIn) = (first.gateProj.rows, first.gateProj.columns)
    dOut = first.downProj?.rows ?? dFF
  }

  package init(_ block: Block) {
    (gate, dIn, dFF, dOut) = (block.gate, block.dIn, block.dFF, block.dOut)
    switch block {
    case .layer: (mixture, convolution) = (nil, nil)
    case .convolution(let stack):
      mixture = nil
      convolution = Convolution(widths: stack.widths, residualBlocks: stack.blocks.count)
    case .mixture(let layer):
      convolution = nil
      mixture = Mixture(
        experts: layer.count, held: layer.held, topK: layer.topK, hasShared: layer.shared != nil)
    }
  }
}

/// What a request names as a layer, packed.
package enum Block: Sendable {
  case layer(FeedForwardLayer)
  case mixture(MixtureLayer)
  case convolution(ConvolutionStack)

  package var gate: Gate {
    switch self {
    case .layer(let layer): layer.gate
    case .mixture(let mixture): mixture.gate
    case .convolution(let stack): stack.gate
    }
  }

  /// Which block it is: packed once, it is the same wherever it is passed.
  package var identity: ObjectIdentifier {
    switch self {
    case .layer(let layer): ObjectIdentifier(layer)
    case .mixture(let mixture): ObjectIdentifier(mixture)
    case .convolution(let stack): ObjectIdentifier(stack)
    }
  }

  /// Multiply–adds of one row; of a convolution of one position.
  package var multiplyAddsOfRow: Int {
    switch self {
    case .layer(let layer): layer.dFF * (2 * layer.dIn + (layer.hasDownProjection ? layer.dOut : 0))
    case .mixture(let mixture): mixture.multiplyAddsOfRow
    case .convolution(let stack): stack.multiplyAddsOfPosition
    }
  }

  /// Inputs of a row.
  package var dIn: Int {
    switch self {
    case .layer(let layer): layer.dIn
    case .mixture(let mixture): mixture.dIn
    case .convolution(let stack): stack.channelsIn
    }
  }

  /// Width of the gate, in a mixture of each routed expert's.
  package var dFF: Int {
    switch self {
    case .layer(let layer): layer.dFF
    case .mixture(let mixture): mixture.dFF
    case .convolution(let stack): stack.channelsOut
    }
  }

  /// Outputs of a row.
  package var dOut: Int {
    switch self {
    case .layer(let layer): layer.dOut
    case .mixture(let mixture): mixture.dOut
    case .convolution(let stack): stack.channelsOut
    }
  }

  /// Bytes of the packed weights.
  package var residentBytes: Int {
    switch self {
    case .layer(let layer): layer.residentBytes
    case .mixture(let mixture): mixture.residentBytes
    case .convolution(let stack): stack.residentBytes
    }
  }
}

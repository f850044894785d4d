/// The feed-forward part of one Transformer layer, before it is packed: a layer, or a mixture of them.
package enum BlockWeights: Sendable {
  case layer(LayerWeights)
  case mixture(MixtureWeights)

  package var gate: Gate {
    switch self {
    case .layer(let weights): weights.gate
    case .mixture(let weights): weights.experts[0].gate
    }
  }

  /// The arithmetic that takes most of the weights as they are stored.
  package var storedArithmetic: Arithmetic {
    switch self {
    case .layer(let weights): .default(for: weights.gateProj.type)
    case .mixture(let weights): .default(for: weights.experts[0].gateProj.type)
    }
  }
}

/// What a layer or a mixture takes and gives, packed or not.
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

  package let gate: Gate
  /// Inputs of a row.
  package let dIn: Int
  /// Width of the gate, in a mixture of each routed expert's.
  package let dFF: Int
  /// Outputs of a row.
  package let dOut: Int
  package let mixture: Mixture?

  package init(_ weights: BlockWeights) {
    let first: LayerWeights
    switch weights {
    case .layer(let layer): (first, mixture) = (layer, nil)
    case .mixture(let weights):
      first = weights.experts[0]
      mixture = Mixture(
        experts: weights.count, held: weights.held ?? Array(0..<weights.count), topK: weights.topK,
        hasShared: weights.shared != nil)
    }
    gate = first.gate
    (dFF, dIn) = (first.gateProj.rows, first.gateProj.columns)
    dOut = first.downProj?.rows ?? dFF
  }

  package init(_ block: Block) {
    (gate, dIn, dFF, dOut) = (block.gate, block.dIn, block.dFF, block.dOut)
    switch block {
    case .layer: mixture = nil
    case .mixture(let layer):
      mixture = Mixture(
        experts: layer.count, held: layer.held, topK: layer.topK, hasShared: layer.shared != nil)
    }
  }
}

/// The feed-forward part of one Transformer layer, packed.
package enum Block: Sendable {
  case layer(FeedForwardLayer)
  case mixture(MixtureLayer)

  package var gate: Gate {
    switch self {
    case .layer(let layer): layer.gate
    case .mixture(let mixture): mixture.gate
    }
  }

  /// Which block it is: packed once, it is the same wherever it is passed.
  package var identity: ObjectIdentifier {
    switch self {
    case .layer(let layer): ObjectIdentifier(layer)
    case .mixture(let mixture): ObjectIdentifier(mixture)
    }
  }

  /// Multiply–adds of one row.
  package var multiplyAddsOfRow: Int {
    switch self {
    case .layer(let layer): layer.dFF * (2 * layer.dIn + (layer.hasDownProjection ? layer.dOut : 0))
    case .mixture(let mixture): mixture.multiplyAddsOfRow
    }
  }

  /// Inputs of a row.
  package var dIn: Int {
    switch self {
    case .layer(let layer): layer.dIn
    case .mixture(let mixture): mixture.dIn
    }
  }

  /// Width of the gate, in a mixture of each routed expert's.
  package var dFF: Int {
    switch self {
    case .layer(let layer): layer.dFF
    case .mixture(let mixture): mixture.dFF
    }
  }

  /// Outputs of a row.
  package var dOut: Int {
    switch self {
    case .layer(let layer): layer.dOut
    case .mixture(let mixture): mixture.dOut
    }
  }

  /// Bytes of the packed weights.
  package var residentBytes: Int {
    switch self {
    case .layer(let layer): layer.residentBytes
    case .mixture(let mixture): mixture.residentBytes
    }
  }
}

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

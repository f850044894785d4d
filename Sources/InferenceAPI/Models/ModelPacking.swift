package import Checkpoint
package import FeedForward

/// How layers of checkpoints are packed.
package struct ModelPacking: Sendable {
  private let kernels: Kernels
  private let arithmetic: Arithmetic?
  private let team: Team?

  /// - Parameters:
  ///   - arithmetic: without one each layer is computed as its weights are stored.
  ///   - team: threads that help where cores are idle.
  package init(kernels: Kernels, arithmetic: Arithmetic?, team: Team? = nil) {
    self.kernels = kernels
    self.arithmetic = arithmetic
    self.team = team
  }

  /// Packs one layer and holds it against its weights; their mapping is not needed afterwards, and its pages are let go
  /// as they have been read.
  ///
  /// - Throws: `.layer`, `.mixture` or `.convolution` where its tensors do not fit each other or there is no memory for
  ///   them, `.checkpoint` where a file has been cut short since it was opened, or cannot be read any more,
  ///   `.selfCheck` where it does not compute what its weights say.
  ///
  /// - Parameter stored: what an earlier packing has left of the model; none of the matrices is read then.
  package func pack(
    _ source: LayerSource, of model: String, stored: StoredPanels? = nil
  ) throws(ModelStoreError) -> PackedLayer {
    try confirm(source, of: model)
    if let stored {
      let shelf = stored.shelf(ofLayer: source.index)
      let block = try pack(source, of: model, Packing(team: team, source: .mappedFiles, shelf: shelf))
      if shelf.isAsStored {
        try confirm(source, of: model)
        return PackedLayer(block: block, error: stored.error(ofLayer: source.index), pieces: shelf.pieces)
      }
    }
    do throws(ModelStoreError) {
      let shelf = PanelShelf()
      let block = try pack(source, of: model, Packing(team: team, source: .mappedFiles, shelf: shelf))
      let error = block.probe(against: source.weights, source: .mappedFiles)
      if let error, error > block.arithmetic.faultThreshold {
        throw .selfCheck(model: model, layer: source.name, found: error, limit: block.arithmetic.faultThreshold)
      }
      try confirm(source, of: model)
      return PackedLayer(block: block, error: error, pieces: shelf.pieces)
    } catch {
      // Whatever came of a file that was cut short, that is the reason.
      try confirm(source, of: model)
      throw error
    }
  }

  private func confirm(_ source: LayerSource, of model: String) throws(ModelStoreError) {
    do { try source.confirmFiles() } catch { throw .checkpoint(model: model, error) }
  }

  /// What each layer is computed in.
  func arithmetics(of checkpoint: Checkpoint) -> [Arithmetic] {
    checkpoint.layers.map { arithmetic ?? $0.weights.storedArithmetic }
  }

  private func pack(
    _ source: LayerSource, of model: String, _ packing: Packing
  ) throws(ModelStoreError) -> Block {
    let arithmetic = arithmetic ?? source.weights.storedArithmetic
    switch source.weights {
    case .layer(let weights):
      do {
        return .layer(
          try FeedForwardLayer(weights, kernels: kernels, arithmetic: arithmetic, packing: packing))
      } catch {
        throw .layer(model: model, layer: source.name, error)
      }
    case .mixture(let weights):
      do {
        return .mixture(try MixtureLayer(weights, kernels: kernels, arithmetic: arithmetic, packing: packing))
      } catch {
        throw .mixture(model: model, layer: source.name, error)
      }
    case .convolution(let weights):
      do { return .convolution(try ConvolutionStack(weights, kernels: kernels, packing: packing)) } catch {
        throw .convolution(model: model, layer: source.name, error)
      }
    }
  }
}

/// A layer that is ready to be served.
package struct PackedLayer: Sendable {
  package let block: Block
  /// The relative error of its norm on normally distributed inputs, against its stored weights in float64; nil where
  /// these are not finite.
  package let error: Double?
  /// The panels as bytes, for writing them down.
  let pieces: PanelPieces
}

extension ServedModel {
  /// A checkpoint of which nothing is packed yet.
  init(_ checkpoint: Checkpoint, as name: String) {
    self.init(
      name: name, family: checkpoint.family, rule: checkpoint.rule,
      layers: checkpoint.layers.map {
        ServedLayer(name: $0.name, storedType: $0.storedType, shape: BlockShape($0.weights))
      })
  }

  var isReady: Bool { layers.allSatisfy { $0.block != nil } }
}

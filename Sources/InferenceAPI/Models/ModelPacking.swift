package import Checkpoint
package import FeedForward

/// How layers of checkpoints are packed.
package struct ModelPacking: Sendable {
  private let kernels: Kernels
  private let arithmetic: Arithmetic
  private let team: Team?

  /// - Parameter team: threads that help where cores are idle.
  package init(kernels: Kernels, arithmetic: Arithmetic = .f32, team: Team? = nil) {
    self.kernels = kernels
    self.arithmetic = arithmetic
    self.team = team
  }

  /// Packs one layer; its source's mapping is not needed afterwards, and its pages are let go as they have been read.
  ///
  /// - Throws: `.layer` or `.mixture` where its tensors do not fit each other or there is no memory for them,
  ///   `.checkpoint` where a file has been cut short since it was opened, or cannot be read any more.
  package func pack(_ source: LayerSource, of model: String) throws(ModelStoreError) -> Block {
    do { try source.confirmFiles() } catch { throw .checkpoint(model: model, error) }
    do throws(ModelStoreError) {
      let packing = Packing(team: team, source: .mappedFiles, shelf: PanelShelf())
      return try pack(source, of: model, packing)
    } catch {
      // A file that is too short says so by its length.
      if error.isOfReading { do { try source.confirmFiles() } catch { throw .checkpoint(model: model, error) } }
      throw error
    }
  }

  private func pack(
    _ source: LayerSource, of model: String, _ packing: Packing
  ) throws(ModelStoreError) -> Block {
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
    }
  }
}

extension ModelStoreError {
  fileprivate var isOfReading: Bool {
    switch self {
    case .layer(_, _, .unreadable), .mixture(_, _, .layer(_, .unreadable)): true
    default: false
    }
  }
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

package import Checkpoint
package import FeedForward

/// How layers of checkpoints are packed.
package struct ModelPacking: Sendable {
  private let kernels: Kernels
  private let arithmetic: Arithmetic

  package init(kernels: Kernels, arithmetic: Arithmetic = .f32) {
    self.kernels = kernels
    self.arithmetic = arithmetic
  }

  /// Packs one layer; its source's mapping is not needed afterwards.
  ///
  /// - Throws: `.layer` or `.mixture` where its tensors do not fit each other or there is no memory for them,
  ///   `.checkpoint` where a file has been cut short since it was opened.
  package func pack(_ source: LayerSource, of model: String) throws(ModelStoreError) -> Block {
    do { try source.confirmFiles() } catch { throw .checkpoint(model: model, error) }
    switch source.weights {
    case .layer(let weights):
      do { return .layer(try FeedForwardLayer(weights, kernels: kernels, arithmetic: arithmetic)) } catch {
        throw .layer(model: model, layer: source.name, error)
      }
    case .mixture(let weights):
      do { return .mixture(try MixtureLayer(weights, kernels: kernels, arithmetic: arithmetic)) } catch {
        throw .mixture(model: model, layer: source.name, error)
      }
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

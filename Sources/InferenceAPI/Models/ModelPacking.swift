package import Checkpoint
package import FeedForward

/// How far the packing of a model has come.
package struct PackingProgress: Sendable, Equatable {
  package let model: String
  package let packedLayers: Int
  package let layers: Int
  package let packedBytes: Int
  package let bytes: Int
}

extension ServedModel {
  /// Packs every layer of an opened checkpoint; its mapping is not needed afterwards.
  ///
  /// - Parameter progress: called before the first layer and after each one; bytes are those of the checkpoint.
  /// - Throws: `.layer` or `.mixture` where a layer's tensors do not fit each other or there is no memory for them, `.checkpoint`
  ///   where a file has been cut short since it was opened.
  package init(
    packing checkpoint: Checkpoint, as name: String, kernels: Kernels, progress: (PackingProgress) -> Void = { _ in }
  ) throws(CatalogError) {
    let bytes = checkpoint.layers.reduce(0) { $0 + $1.storedBytes }
    var packed: [ServedLayer] = []
    var packedBytes = 0
    func report() {
      progress(
        PackingProgress(
          model: name, packedLayers: packed.count, layers: checkpoint.layers.count, packedBytes: packedBytes,
          bytes: bytes))
    }
    report()
    for source in checkpoint.layers {
      do { try source.confirmFiles() } catch { throw .checkpoint(model: name, error) }
      let block: Block
      switch source.weights {
      case .layer(let weights):
        do { block = .layer(try FeedForwardLayer(weights, kernels: kernels)) } catch {
          throw .layer(model: name, layer: source.name, error)
        }
      case .mixture(let weights):
        do { block = .mixture(try MixtureLayer(weights, kernels: kernels)) } catch {
          throw .mixture(model: name, layer: source.name, error)
        }
      }
      packed.append(ServedLayer(name: source.name, storedType: source.storedType, block: block))
      packedBytes += source.storedBytes
      report()
    }
    self.init(name: name, family: checkpoint.family, rule: checkpoint.rule, layers: packed)
  }
}

internal import Checkpoint
internal import FeedForward

/// One model's place in a cache of packed panels.
struct ModelCache: Sendable {
  private let cache: PackedCache
  private let key: UInt64
  private let identity: UInt64
  private let layers: Int

  init(_ cache: PackedCache, _ checkpoint: Checkpoint, _ packing: ModelPacking) {
    let arithmetics = packing.arithmetics(of: checkpoint)
    self.cache = cache
    key = checkpoint.cacheKey(arithmetics: arithmetics)
    identity = checkpoint.identity(arithmetics: arithmetics)
    layers = checkpoint.layers.count
  }

  func open() -> PackedCache.Finding { cache.open(key: key, identity: identity, layers: layers) }

  func write(_ packed: [PackedLayer]) throws(CheckpointError) {
    try cache.write(
      packed.map { StoredPanels.NewLayer(pieces: $0.pieces, error: $0.error) }, key: key, identity: identity)
  }

  func remove() { cache.remove(key: key) }
}

internal import Checkpoint

/// A model that was found and checked, but not packed.
enum OpenedModel: Sendable {
  /// Whole as it is.
  case made(ServedModel)
  case checkpoint(Checkpoint)
}

/// One name of a store: what answers under it, and what is about to.
struct ModelSlot: Sendable {
  let name: String
  let source: ModelSource
  /// Counts the loadings, so that one that was overtaken can be told from the last.
  private(set) var attempt = 0
  private var serving: ServedModel?
  private var loading: (opened: OpenedModel, model: ServedModel)?
  private var failure: ModelStoreError?

  init(name: String, source: ModelSource) {
    self.name = name
    self.source = source
  }

  // MARK: Looking

  /// What requests and listings get: the model that serves, or one that is loaded for the first time as far as it is.
  var shown: ServedModel? { serving ?? loading?.model }

  var isPresent: Bool { serving != nil || loading != nil }

  /// Whether its file may have changed since it was read.
  var isReloadable: Bool {
    if case .checkpoint = source { serving != nil } else { false }
  }

  var underWay: (name: String, opened: OpenedModel, attempt: Int)? {
    loading.map { (name, $0.opened, attempt) }
  }

  /// How far the loading has come; nothing of nothing where there is nothing to be packed.
  var progress: PackingProgress {
    guard let loading, case .checkpoint(let checkpoint) = loading.opened else {
      return PackingProgress(model: name, packedLayers: 0, layers: 0, packedBytes: 0, bytes: 0)
    }
    let packed = loading.model.layers.indices.filter { loading.model.layers[$0].block != nil }
    return PackingProgress(
      model: name, packedLayers: packed.count, layers: checkpoint.layers.count,
      packedBytes: packed.reduce(0) { $0 + checkpoint.layers[$1].storedBytes },
      bytes: checkpoint.layers.reduce(0) { $0 + $1.storedBytes })
  }

  var entry: ModelEntry {
    if serving != nil { return ModelEntry(name: name, state: .ready) }
    if loading != nil { return ModelEntry(name: name, state: .loading(progress)) }
    return ModelEntry(name: name, state: .unavailable(reason: failure?.description ?? "unloaded"))
  }

  // MARK: Changing

  mutating func begin(_ opened: OpenedModel) {
    attempt += 1
    failure = nil
    switch opened {
    case .made(let model): loading = (opened, model)
    case .checkpoint(let checkpoint): loading = (opened, ServedModel(checkpoint, as: name))
    }
  }

  mutating func beginLayer(_ index: Int) { loading?.model.layers[index].state = .packing }

  mutating func completeLayer(_ index: Int, _ packed: PackedLayer) {
    loading?.model.layers[index].state = .ready(packed.block)
    loading?.model.layers[index].error = packed.error
  }

  /// The model that was being loaded serves from now on.
  mutating func complete() -> ServedModel {
    guard let model = loading?.model else { preconditionFailure("a loading ends once") }
    serving = model
    loading = nil
    return model
  }

  mutating func fail(_ error: ModelStoreError) {
    loading = nil
    failure = error
  }

  mutating func unload() {
    attempt += 1
    serving = nil
    loading = nil
    failure = nil
  }
}

package import Checkpoint
package import FeedForward

/// Where a model comes from.
package enum ModelSource: Sendable {
  /// A directory with config.json, a safetensors file, or the index of a sharded one.
  case checkpoint(path: String)
  /// No file: it is made under the name that it gets.
  case made(@Sendable (_ name: String, Kernels) throws(ModelStoreError) -> ServedModel)

  /// The embedded model.
  package static let demo = ModelSource.made { name, kernels throws(ModelStoreError) in
    try DemoModel.make(named: name, kernels: kernels)
  }
}

/// A model that is loaded from the start, as the command line names it.
package struct GivenModel: Sendable {
  package let name: String
  package let source: ModelSource

  package init(name: String, source: ModelSource) {
    self.name = name
    self.source = source
  }
}

/// What the store knows of one model, loaded or not.
package struct ModelEntry: Sendable, Equatable {
  package enum State: Sendable, Equatable {
    /// All its layers answer.
    case ready
    /// Not all its layers answer yet.
    case loading(PackingProgress)
    /// Not loaded, and why: nobody has asked for it, it has been unloaded, or its last loading failed.
    case unavailable(reason: String)
  }

  package let name: String
  package let state: State

  package init(name: String, state: State) {
    self.name = name
    self.state = state
  }
}

/// How far the packing of a model has come.
package struct PackingProgress: Sendable, Equatable {
  package let model: String
  package let packedLayers: Int
  package let layers: Int
  /// Of the checkpoint.
  package let packedBytes: Int
  package let bytes: Int
}

/// What happens in a store, for whoever logs it.
package enum ModelEvent: Sendable {
  /// A checkpoint has been found and checked, and is about to be packed.
  case packing(model: String, Checkpoint)
  /// Before the first layer and after each one.
  case progress(PackingProgress)
  /// All layers of the model answer; those of an older one under its name no longer do.
  case loaded(ServedModel)
  /// - Parameter servesOlder: whether what was loaded before goes on answering.
  case failed(model: String, ModelStoreError, servesOlder: Bool)
  case unloaded(model: String)
  /// Packed panels in the cache are not used; they are packed anew, and written again.
  case cacheIgnored(model: String, reason: String)
  /// The next start will pack again.
  case cacheNotWritten(model: String, reason: String)
}

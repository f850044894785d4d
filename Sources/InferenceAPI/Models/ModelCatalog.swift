package import Checkpoint
package import FeedForward

/// What is served: models by name, the first of them the default. A value that never changes; a request looks its layer
/// up once and goes on with what it found.
package struct ModelCatalog: Sendable {
  /// In the order in which they were given; never empty.
  package let models: [ServedModel]
  private let placeOfName: [String: Int]

  /// - Throws: `.noModels`, `.duplicateModel`, or `.invalidName` for a name that no path and no `model` could hold.
  package init(_ models: [ServedModel]) throws(CatalogError) {
    if models.isEmpty { throw .noModels }
    var placeOfName: [String: Int] = [:]
    for (place, model) in models.enumerated() {
      if model.name.isEmpty || model.name.contains("/") { throw .invalidName(model.name) }
      if placeOfName.updateValue(place, forKey: model.name) != nil { throw .duplicateModel(model.name) }
    }
    self.models = models
    self.placeOfName = placeOfName
  }

  package var defaultModel: ServedModel { models[0] }

  package subscript(name: String) -> ServedModel? { placeOfName[name].map { models[$0] } }

  /// Bytes of all packed weights.
  package var residentBytes: Int { models.reduce(0) { $0 + $1.residentBytes } }
}

/// One checkpoint, or the embedded model.
package struct ServedModel: Sendable {
  package let name: String
  /// The family whose rule names its tensors: `llama`, `bare`, `demo`…
  package let family: String
  /// What its layers compute, in words: `down_proj(silu(gate_proj x) · up_proj x)`.
  package let rule: String
  /// In the order of the checkpoint; a layer's index is its place here. Never empty.
  package let layers: [ServedLayer]
  /// The place of the layer that answers where a request names none.
  package let defaultLayer: Int
  private let placeOfName: [String: Int]

  package init(name: String, family: String, rule: String, layers: [ServedLayer], defaultLayer: Int = 0) {
    precondition(layers.indices.contains(defaultLayer), "a model has layers")
    self.name = name
    self.family = family
    self.rule = rule
    self.layers = layers
    self.defaultLayer = defaultLayer
    placeOfName = Dictionary(layers.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  func place(ofLayer name: String) -> Int? { placeOfName[name] }

  /// Bytes of the packed weights.
  package var residentBytes: Int { layers.reduce(0) { $0 + $1.block.residentBytes } }
}

/// A packed layer or mixture under its name.
package struct ServedLayer: Sendable {
  /// Its tensors' prefix without the last dot: `model.layers.0.mlp`.
  package let name: String
  /// The dtype of its tensors in the checkpoint, as safetensors writes it.
  package let storedType: String
  package let block: Block

  package init(name: String, storedType: String, block: Block) {
    self.name = name
    self.storedType = storedType
    self.block = block
  }
}

/// Why there is no catalog.
package enum CatalogError: Error, Equatable {
  case noModels
  case duplicateModel(String)
  /// Empty, or with a slash.
  case invalidName(String)
  case layer(model: String, layer: String, LayerError)
  case mixture(model: String, layer: String, MixtureError)
  /// A file was cut short after it was opened.
  case checkpoint(model: String, CheckpointError)
}

extension CatalogError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .noModels: "there is no model to serve"
    case .duplicateModel(let name): "two models have the name \"\(name)\""
    case .invalidName(let name): "\"\(name)\" cannot be a model's name: a name is not empty and holds no slash"
    case .layer(let model, let layer, let error): "model \"\(model)\", layer \"\(layer)\": \(error)"
    case .mixture(let model, let layer, let error): "model \"\(model)\", layer \"\(layer)\": \(error)"
    case .checkpoint(let model, let error): "model \"\(model)\": \(error)"
    }
  }
}

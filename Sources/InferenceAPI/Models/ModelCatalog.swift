package import FeedForward

/// What is served at one moment: models by name, the first of them the default. A value that never changes; a request
/// looks its layer up once and goes on with what it found, whatever is loaded or unloaded meanwhile.
package struct ModelCatalog: Sendable {
  /// In the order in which they were given, then in that in which they were loaded; empty where nothing is loaded.
  package let models: [ServedModel]
  private let placeOfName: [String: Int]

  /// - Parameter models: of different names.
  init(_ models: [ServedModel]) {
    self.models = models
    placeOfName = Dictionary(models.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The model that answers where a request names none.
  package var defaultModel: ServedModel? { models.first }

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
  package internal(set) var layers: [ServedLayer]
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

  /// What the layer's requests are told apart by.
  func label(of layer: ServedLayer, _ block: Block) -> LayerLabel {
    LayerLabel(
      model: name, layer: layer.name, meter: layer.meter, multiplyAddsOfRow: block.multiplyAddsOfRow)
  }

  /// Bytes of the packed weights.
  package var residentBytes: Int { layers.reduce(0) { $0 + $1.residentBytes } }
}

/// A layer or mixture under its name, packed or about to be.
package struct ServedLayer: Sendable {
  package enum State: Sendable {
    /// Others are packed before it.
    case waiting
    case packing
    case ready(Block)
  }

  /// Its tensors' prefix without the last dot: `model.layers.0.mlp`.
  package let name: String
  /// The dtype of its tensors in the checkpoint, as safetensors writes it.
  package let storedType: String
  package let shape: BlockShape
  package internal(set) var state: State
  /// The relative error of its norm, measured as it was packed; nil before, and for what is made and not loaded.
  package internal(set) var error: Double?
  /// What its requests and passes come to.
  let meter = LayerMeter()

  /// A layer of which nothing is packed yet.
  init(name: String, storedType: String, shape: BlockShape) {
    self.name = name
    self.storedType = storedType
    self.shape = shape
    state = .waiting
  }

  package init(name: String, storedType: String, block: Block) {
    self.name = name
    self.storedType = storedType
    shape = BlockShape(block)
    state = .ready(block)
  }

  /// What computes the layer, once it is packed.
  package var block: Block? { if case .ready(let block) = state { block } else { nil } }

  /// Bytes of the packed weights, 0 before they are.
  package var residentBytes: Int { block?.residentBytes ?? 0 }
}

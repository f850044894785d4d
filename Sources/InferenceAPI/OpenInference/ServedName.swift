internal import FeedForward
internal import HTTP1
internal import TensorCoding

/// A layer under the name that the Open Inference Protocol's paths give it.
///
/// A checkpoint's name alone is its default layer; `NAME.INDEX` and `NAME.LAYERNAME` are any of its layers. The name of
/// a checkpoint may hold dots itself: of several ways to read a name the one with the longest checkpoint's name counts.
struct ServedName: Sendable {
  /// There is one version of everything that is served; a request may name it or not.
  static let version = "1"

  /// As the path has it.
  let text: String
  let model: ServedModel
  /// The layer's place in the model.
  let index: Int
  /// Whether the name says which layer is meant.
  let namesLayer: Bool

  private let block: Block

  /// - Throws: `.layerNotReady`.
  init(text: String, model: ServedModel, index: Int, namesLayer: Bool) throws(APIError) {
    let layer = model.layers[index]
    guard let block = layer.block else { throw .layerNotReady(layer: layer.name, model: model.name) }
    self.text = text
    self.model = model
    self.index = index
    self.namesLayer = namesLayer
    self.block = block
  }

  var layer: ServedLayer { model.layers[index] }
  var subject: FFNSubject { FFNSubject(block, label: label) }
  var label: LayerLabel { model.label(of: layer, block) }
}

extension ModelCatalog {
  /// - Parameter parameters: of a path: the name and, where the path has one, the version.
  /// - Throws: `.unknownModel`, `.unknownVersion`, `.layerNotReady`.
  func served(_ parameters: [String]) throws(APIError) -> ServedName {
    if parameters.count > 1, parameters[1] != ServedName.version { throw .unknownVersion(parameters[1]) }
    return try served(parameters[0])
  }

  private func served(_ name: String) throws(APIError) -> ServedName {
    if let model = self[name] {
      return try ServedName(text: name, model: model, index: model.defaultLayer, namesLayer: false)
    }
    for dot in name.indices.reversed() where name[dot] == "." {
      guard let model = self[String(name[..<dot])] else { continue }
      let rest = String(name[name.index(after: dot)...])
      guard let index = model.place(of: LayerReference(inName: rest)) else { continue }
      return try ServedName(text: name, model: model, index: index, namesLayer: true)
    }
    throw .unknownModel(name)
  }
}

extension ServedName {
  /// The same model's layer `reference`, as a request's parameter has it.
  ///
  /// - Throws: `.unknownLayer`, `.layerNotReady`; `.openInference` where the name says already which layer is meant.
  func selecting(_ reference: LayerReference?) throws(APIError) -> ServedName {
    guard let reference else { return self }
    if namesLayer { throw .openInference(.layerNamedTwice) }
    guard let index = model.place(of: reference) else { throw .unknownLayer(reference, model: model.name) }
    return try ServedName(text: text, model: model, index: index, namesLayer: true)
  }
}

extension LayerReference {
  /// What stands behind a checkpoint's name: decimal digits are an index.
  fileprivate init(inName text: String) {
    if text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }), let index = Int(text) {
      self = .index(index)
    } else {
      self = .name(text)
    }
  }
}

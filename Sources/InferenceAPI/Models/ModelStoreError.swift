package import Checkpoint
package import FeedForward

/// Why a model is not loaded, or not unloaded.
package enum ModelStoreError: Error, Equatable {
  case duplicateModel(String)
  /// Empty, or with a slash: no path and no `model` could hold it.
  case invalidName(String)
  /// Neither loaded nor in the repository.
  case unknownModel(String)
  /// Asked to go, and not there.
  case notLoaded(String)
  /// Unloaded, or loaded once more, before it was ready.
  case superseded(String)
  /// What was found cannot be served, or a file was cut short after it was opened.
  case checkpoint(model: String, CheckpointError)
  /// A layer's tensors do not fit each other, or there is no memory for them.
  case layer(model: String, layer: String, LayerError)
  case mixture(model: String, layer: String, MixtureError)
  case convolution(model: String, layer: String, ConvolutionError)
  /// The packed layer does not compute what its stored weights say: a fault of the program or of the machine.
  ///
  /// - Parameters: relative errors of the norm.
  case selfCheck(model: String, layer: String, found: Double, limit: Double)
}

extension ModelStoreError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .duplicateModel(let name): "two models have the name \"\(name)\""
    case .invalidName(let name): "\"\(name)\" cannot be a model's name: a name is not empty and holds no slash"
    case .unknownModel(let name): "there is no model \"\(name)\" to be loaded"
    case .notLoaded(let name): "model \"\(name)\" is not loaded"
    case .superseded(let name): "model \"\(name)\" was unloaded or loaded anew before it was ready"
    case .checkpoint(let model, let error): "model \"\(model)\": \(error)"
    case .layer(let model, let layer, let error): "model \"\(model)\", layer \"\(layer)\": \(error)"
    case .mixture(let model, let layer, let error): "model \"\(model)\", layer \"\(layer)\": \(error)"
    case .convolution(let model, let layer, let error): "model \"\(model)\", layer \"\(layer)\": \(error)"
    case .selfCheck(let model, let layer, let found, let limit):
      """
      model "\(model)", layer "\(layer)": the packed layer differs from its stored weights by \(found) of the norm, \
      more than \(limit): it is not served
      """
    }
  }
}

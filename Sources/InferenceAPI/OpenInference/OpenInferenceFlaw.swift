internal import TensorCoding

/// What can be wrong with a request of the Open Inference Protocol beside what is wrong with any request.
enum OpenInferenceFlaw: Sendable, Equatable {
  /// `MODEL.LAYER` in the path, and `layer` among the parameters.
  case layerNamedTwice
}

extension Problem {
  init(_ flaw: OpenInferenceFlaw) {
    switch flaw {
    case .layerNamedTwice:
      self.init(
        type: .conflictingMember, detail: "The path names a layer already.", location: .pointer("/parameters/layer"))
    }
  }
}

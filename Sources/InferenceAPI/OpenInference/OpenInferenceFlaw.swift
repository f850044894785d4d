internal import TensorCoding

/// What can be wrong with a request of the Open Inference Protocol beside what is wrong with any request.
enum OpenInferenceFlaw: Sendable {
  /// `MODEL.LAYER` in the path, and `layer` among the parameters.
  case layerNamedTwice
  /// `Inference-Header-Content-Length` is no length of a part of the body.
  case headerLength(String, bodyBytes: Int)
  /// The inputs in binary declare another number of bytes than there are behind the JSON.
  case binaryBytes(declared: Int, found: Int)
  /// A raw body is not a number of rows.
  case rawBytes(found: Int, row: Int)
  case missingInput(InferenceInput.Name)
  /// A parameter of an output that asks for something that the server does not do.
  case unsupported(String)
}

extension Problem {
  init(_ error: ModelStoreError) {
    let type: ProblemType =
      switch error {
      case .unknownModel, .notLoaded, .invalidName: .unknownModel
      case .superseded, .duplicateModel: .modelSuperseded
      case .checkpoint, .layer, .mixture, .convolution, .selfCheck: .modelUnservable
      }
    let text = error.description
    self.init(type: type, detail: text.prefix(1).uppercased() + text.dropFirst() + ".")
  }

  init(_ flaw: OpenInferenceFlaw) {
    switch flaw {
    case .layerNamedTwice:
      self.init(
        type: .conflictingMember, detail: "The path names a layer already.", location: .pointer("/parameters/layer"))
    case .headerLength(let text, let bodyBytes):
      self.init(
        type: .malformedRequest,
        detail: "Inference-Header-Content-Length is \"\(JSONError.quoted(text))\"; the body has \(bodyBytes) bytes.")
    case .binaryBytes(let declared, let found):
      self.init(
        type: .shapeMismatch,
        detail: "The inputs declare \(declared) bytes of binary data; \(found) follow the JSON.",
        location: .pointer("/inputs"))
    case .rawBytes(let found, let row):
      self.init(
        type: .shapeMismatch, detail: "A raw body is rows of \(row) bytes, FP32; this one has \(found) bytes.")
    case .missingInput(let name):
      self.init(
        type: .missingMember, detail: "The input \"\(name.rawValue)\" is missing.", location: .pointer("/inputs"))
    case .unsupported(let parameter):
      self.init(
        type: .invalidValue, detail: "The server has no \(parameter): outputs are tensors in the reply.",
        location: .pointer("/outputs"))
    }
  }
}

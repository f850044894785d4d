package import FeedForward
package import TensorCoding

/// Why a checkpoint is not served: which file, what was found there, what would be needed.
package enum CheckpointError: Error, Equatable {
  // Files.

  /// The system refused to open, map or read the file.
  case unreadable(path: String, reason: String)
  /// The system refused to write the file.
  case unwritable(path: String, reason: String)
  /// The path names a directory, a pipe or a device.
  case notARegularFile(path: String)
  /// A JSON file that should be small is not.
  case tooLarge(path: String, bytes: Int, limit: Int)
  /// The file has become shorter since it was opened.
  case shrunk(path: String, opened: Int, found: Int)
  /// A directory without weights in it that could be recognised.
  case noWeights(directory: String)
  /// The weights are not bare, and no `config.json` beside them says which family they are of.
  case noConfiguration(path: String, found: [String])

  // What is in them.

  /// A safetensors file that lies.
  case safetensors(path: String, SafetensorsError)
  /// A JSON file that is no JSON, or has a value of the wrong kind.
  case malformedJSON(path: String, JSONError)
  /// A member that is needed and missing.
  case missingMember(path: String, member: String)
  /// A name that stands twice in an object where it must not.
  case duplicateMember(path: String, member: String)
  /// The index points out of its own directory.
  case shardOutsideDirectory(index: String, tensor: String, shard: String)
  /// The index says a tensor is in a shard, which does not have it.
  case tensorNotInShard(index: String, tensor: String, shard: String)

  // What it would mean.

  /// A family that this program knows and does not serve.
  case refusedFamily(modelType: String, reason: String)
  /// A family that this program does not know.
  case unknownFamily(modelType: String?, tensors: [String])
  /// An activation without a gate in this program.
  case unsupportedActivation(family: String, found: String)
  /// The bare file's metadata names no gate, or gives a gate a parameter that it lacks or that is no number.
  case unknownVariant(path: String, found: String)
  case variantParameter(path: String, variant: String, parameter: String, found: String)
  /// No tensor of any layer is there.
  case noLayers(family: String, expected: String, found: [String])
  /// Layers stand under several prefixes at once.
  case ambiguousLayers(family: String, prefixes: [String])
  /// - Parameter found: the names of some tensors that stand below the same prefix.
  case missingTensor(name: String, expected: String, found: [String])
  case misshapenTensor(name: String, expected: String, found: [Int])
  case unsupportedElementType(tensor: String, found: ElementType)
  /// A tensor has another size than `config.json` says.
  case contradiction(tensor: String, shape: [Int], member: String, value: String)

  /// The tensors and the configuration do not make a mixture together.
  case mixture(name: String, MixtureError)
  /// The tensors do not make a gated convolution, or a stack of them, together.
  case convolution(name: String, ConvolutionError)

  // What was asked for.

  case layerSelection(found: String)
  case layerOutOfRange(requested: Int, count: Int)
  case expertSelection(found: String)
  case expertOutOfRange(layer: String, requested: Int, count: Int)
}

extension CheckpointError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unreadable(let path, let reason), .unwritable(let path, let reason):
      "\(path): \(reason)"
    case .notARegularFile(let path):
      "\(path) is not a regular file"
    case .tooLarge(let path, let bytes, let limit):
      "\(path) has \(bytes) bytes, at most \(limit) are read of such a file"
    case .shrunk(let path, let opened, let found):
      "\(path) had \(opened) bytes when it was opened and has \(found) now"
    case .noWeights(let directory):
      "\(directory) holds no weights: needed is model.safetensors, or model.safetensors.index.json and its shards"
    case .noConfiguration(let path, let found):
      """
      \(path) has tensors such as \(Self.list(found)), and no config.json beside it says of which family: needed is a \
      config.json with a model_type, or a file with gate_proj.weight, up_proj.weight and down_proj.weight
      """
    case .safetensors(let path, let error):
      "\(path): \(error)"
    case .malformedJSON(let path, let error):
      "\(path): \(Self.words(error))"
    case .missingMember(let path, let member):
      "\(path) has no \(member)"
    case .duplicateMember(let path, let member):
      "\(path) has \(member) twice"
    case .shardOutsideDirectory(let index, let tensor, let shard):
      "\(index) puts tensor \(tensor) into \"\(shard)\": a shard is a plain file name beside the index"
    case .tensorNotInShard(let index, let tensor, let shard):
      "\(index) puts tensor \(tensor) into \(shard), which does not have it"
    case .refusedFamily(let modelType, let reason):
      "model_type \(modelType) is not served: \(reason)"
    case .unknownFamily(let modelType, let tensors):
      """
      \(modelType.map { "model_type \($0) is not known" } ?? "config.json names no model_type") \
      (tensors such as \(Self.list(tensors))): needed is one of \(Family.knownModelTypes.joined(separator: ", ")), \
      or a bare file with gate_proj.weight, up_proj.weight and down_proj.weight
      """
    case .unsupportedActivation(let family, let found):
      """
      \(family) with the activation \(found) is not served: needed is one of \
      \(Activation.names.joined(separator: ", "))
      """
    case .unknownVariant(let path, let found):
      "\(path): the metadata's variant \(found) is no gate"
    case .variantParameter(let path, let variant, let parameter, let found):
      "\(path): the metadata's \(parameter) \"\(found)\" is not a number that \(variant) takes"
    case .noLayers(let family, let expected, let found):
      "no layer of family \(family) found: expected \(expected), found \(Self.list(found))"
    case .ambiguousLayers(let family, let prefixes):
      "several stacks of \(family) layers found, below \(Self.list(prefixes)): needed is one"
    case .missingTensor(let name, let expected, let found):
      """
      tensor \(name) of shape \(expected) is missing\
      \(found.isEmpty ? "" : "; beside it stand \(Self.list(found))")
      """
    case .misshapenTensor(let name, let expected, let found):
      "tensor \(name) has shape \(found), expected \(expected)"
    case .unsupportedElementType(let tensor, let found):
      "tensor \(tensor) is stored as \(found.rawValue): weights are computed from F32, F16, BF16, F8_E4M3 and MXFP4"
    case .contradiction(let tensor, let shape, let member, let value):
      "tensor \(tensor) has shape \(shape), but config.json says \(member) is \(value)"
    case .mixture(let name, let error):
      "\(name) is no mixture: \(Self.words(error))"
    case .convolution(let name, let error):
      "\(name) is no gated convolution: \(error)"
    case .layerSelection(let found):
      "\"\(found)\" selects no layers: expected numbers and ranges such as 0-3,7"
    case .layerOutOfRange(let requested, let count):
      "there is no layer \(requested): the checkpoint has \(count), counted from 0"
    case .expertSelection(let found):
      "\"\(found)\" selects no experts: expected numbers and ranges such as 0-31"
    case .expertOutOfRange(let layer, let requested, let count):
      "there is no expert \(requested) in \(layer): it has \(count), counted from 0"
    }
  }

  private static func list(_ names: [String]) -> String {
    names.isEmpty ? "nothing" : names.joined(separator: ", ")
  }

  static func words(_ error: MixtureError) -> String {
    switch error {
    case .layer(let part, let error): "\(part): \(error)"
    case .shape(let part, let found, let expected): "\(part) has shape \(found), expected \(expected)"
    case .topK(let topK, let experts): "a row goes to \(topK) experts, and there are \(experts)"
    case .groups(let groups, let kept, let experts):
      "\(groups) groups of which \(kept) are kept cannot be made of \(experts) experts"
    }
  }

  static func words(_ error: JSONError) -> String {
    switch error {
    case .syntax(let offset, let expected): "malformed JSON at byte \(offset), expected \(expected)"
    case .mismatch(let pointer, let mismatch): "at \(pointer.isEmpty ? "the root" : pointer), \(mismatch)"
    }
  }
}

internal import TensorCoding

/// One of the `outputs` that a request asks for: `{"name", "parameters"?}`.
struct InferenceOutput: Sendable {
  enum Name: Sendable, Equatable {
    case output
    case activation(Activation)

    init?(_ text: String) {
      if text == TensorName.output {
        self = .output
      } else {
        guard let activation = Activation(rawValue: text) else { return nil }
        self = .activation(activation)
      }
    }

    var text: String {
      switch self {
      case .output: TensorName.output
      case .activation(let activation): activation.rawValue
      }
    }
  }

  let name: Name
  /// Nil where the request's own parameter decides.
  var isBinary: Bool?
  /// What the elements are rounded to; experts' indices are INT64 whatever it says.
  var datatype = Datatype.fp32
  /// What the protocol offers beside and this server does not: `classification`, shared memory.
  var unsupported: String?

  init(_ name: Name) {
    self.name = name
  }

  init(reading reader: inout JSONReader) throws(JSONError) {
    var keys = KeySet()
    var name: Name?
    var found = Self(.output)
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "name": name = try reader.readWord(Name.init)
      case "parameters": try found.readParameters(&reader)
      default: throw .here(.unknownMember)
      }
    }
    guard let name else { throw .here(.missingMember("name")) }
    self = found.named(name)
  }

  private func named(_ name: Name) -> InferenceOutput {
    var output = Self(name)
    (output.isBinary, output.datatype, output.unsupported) = (isBinary, datatype, unsupported)
    return output
  }

  private mutating func readParameters(_ reader: inout JSONReader) throws(JSONError) {
    var keys = KeySet()
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "binary_data": isBinary = try reader.readBool()
      case "datatype": datatype = try reader.readWord(Datatype.init(rawValue:))
      case "classification":
        if try reader.readInt(in: 0...Int.max) > 0 { unsupported = key }
      case "shared_memory_region", "shared_memory_offset", "shared_memory_byte_size":
        unsupported = key
        try reader.skipValue()
      default: throw .here(.unknownMember)
      }
    }
  }
}

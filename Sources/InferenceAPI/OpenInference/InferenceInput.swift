internal import TensorCoding

/// One of the `inputs` of a request: `{"name", "shape", "datatype", "parameters"?, "data"?}`.
struct InferenceInput: Sendable {
  enum Name: String, Sendable {
    case input
    case expertIndices = "expert_indices"
    case expertWeights = "expert_weights"
  }

  /// Where its elements are.
  enum Elements: Sendable {
    case numbers(Tensor)
    /// Behind the JSON, so many bytes.
    case binary(Int)
  }

  let name: Name
  let shape: Shape
  let type: NumericType
  let elements: Elements

  init(reading reader: inout JSONReader, limits: TensorLimits) throws(JSONError) {
    var keys = KeySet()
    var name: Name?
    var shape: Shape?
    var type: NumericType?
    var binaryBytes: Int?
    var data: Tensor?
    // Where data stands that came before its datatype.
    var early: JSONReader?
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "name": name = try reader.readWord(Name.init(rawValue:))
      case "shape": shape = try reader.readShape(limits)
      case "datatype": type = try Self.readType(&reader)
      case "parameters": binaryBytes = try Self.readBinaryBytes(&reader, limits)
      case "data":
        if let type {
          data = try reader.readNumbers(as: type, limit: limits)
        } else {
          early = reader
          try reader.skipValue()
        }
      default: throw .here(.unknownMember)
      }
    }
    guard let name else { throw .here(.missingMember("name")) }
    guard let shape else { throw .here(.missingMember("shape")) }
    guard let type else { throw .here(.missingMember("datatype")) }
    if var early {
      do throws(JSONError) { data = try early.readNumbers(as: type, limit: limits) } catch {
        throw error.nested(below: "data")
      }
    }
    (self.name, self.shape, self.type) = (name, shape, type)
    switch (data, binaryBytes) {
    case (let data?, nil): elements = .numbers(try Self.shaped(data, shape))
    case (nil, let bytes?): elements = .binary(bytes)
    case (nil, nil): throw .here(.missingMember("data"))
    case (_?, _?): throw JSONError.here(.conflictingMember("binary_data_size")).nested(below: "data")
    }
  }

  /// The tensor of its elements.
  ///
  /// - Parameter bytes: as many as `elements` says, where it says binary.
  func tensor(_ bytes: RawSpan) throws(JSONError) -> Tensor {
    switch elements {
    case .numbers(let tensor): tensor
    case .binary: try Tensor(decoding: bytes, as: type, shape: shape)
    }
  }

  private static func readType(_ reader: inout JSONReader) throws(JSONError) -> NumericType {
    let name = try reader.readString()
    guard let type = NumericType(rawValue: name) else { throw .here(.notNumeric(JSONError.quoted(name))) }
    return type
  }

  /// Reads the tensor's own parameters, of which there is one.
  private static func readBinaryBytes(_ reader: inout JSONReader, _ limits: TensorLimits) throws(JSONError) -> Int? {
    var keys = KeySet()
    var bytes: Int?
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      guard key == "binary_data_size" else { throw .here(.unknownMember) }
      bytes = try reader.readInt(in: 0...NumericType.fp64.byteCount * limits.maxElements)
    }
    return bytes
  }

  /// A flat array takes the shape that stands beside it; a nested one has to have it.
  private static func shaped(_ data: Tensor, _ shape: Shape) throws(JSONError) -> Tensor {
    guard data.shape.count == shape.count else {
      throw JSONError.here(.elementCount(expected: shape.count, found: data.shape.count)).nested(below: "data")
    }
    guard data.shape.rank == 1 || data.shape == shape else {
      throw JSONError.here(.nesting(expected: shape, found: data.shape)).nested(below: "data")
    }
    return Tensor(shape: shape, storage: data.storage)
  }
}

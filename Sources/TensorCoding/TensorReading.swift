/// Tensors out of JSON, in the three forms of `TensorEncoding`.
extension JSONReader {
  /// Reads a tensor straight into float32 memory.
  ///
  /// Throws a mismatch for anything that is no tensor within the limits: another kind of value, a rank outside 1…8, a
  /// dimension of size 0, arrays of different lengths side by side, a number beyond float32 (or beyond the datatype
  /// that the object names), a NaN or an infinity in base64, an unknown, missing or repeated member, data that doesn't
  /// fill the shape. The pointer leads to the element where there is one: `/1/3`, `/data/17`, `/shape/0`.
  package mutating func readTensor(limit limits: TensorLimits) throws(JSONError) -> WireTensor {
    switch try peek() {
    case .array: WireTensor(tensor: try readNestedTensor(limits), encoding: .nested, datatype: .fp32)
    case .object: try readTensorObject(limits)
    case let found: throw .here(.notATensor(found: found))
    }
  }

  // MARK: Nested arrays

  /// What the arrays that are complete say about the tensor's shape.
  private struct NestedShape {
    /// By axis; 0 while no array of that axis is complete.
    var sizes = InlineArray<8, Int>(repeating: 0)
    /// 0 until the first number.
    var rank = 0

    var shape: Shape? { Shape((0..<rank).map { sizes[$0] }) }
  }

  private mutating func readNestedTensor(_ limits: TensorLimits) throws(JSONError) -> Tensor {
    if let crew, let matrix = readMatrix(by: crew, limits) { return matrix }
    var shape = NestedShape()
    var sink = FloatSink(expected: expectedNumbers, limit: limits.maxElements)
    try readNested(axis: 0, into: &sink, shape: &shape)
    guard let shape = shape.shape else { throw .here(.tooManyElements(limit: limits.maxElements)) }
    return Tensor(shape: shape, storage: sink.finished())
  }

  /// How many numbers the rest of the text may hold: most texts spend at least 8 bytes on one.
  private var expectedNumbers: Int { (end - position) / 8 + 1 }

  /// Reads the array at the cursor, whose elements are the tensor's slices along `axis`.
  private mutating func readNested(
    axis: Int, into sink: inout FloatSink, shape: inout NestedShape
  ) throws(JSONError) {
    guard axis < Shape.maxRank else { throw .here(.rankAbove8) }
    try descend()
    skipWhitespace()
    if position < end, position.pointee == UInt8(ascii: "]") { throw .here(.emptyDimension) }
    let found = try peek()
    let isInnermost = shape.rank == 0 ? found != .array : axis == shape.rank - 1
    var count = 0
    if isInnermost {
      shape.rank = axis + 1
      count = try readNumberRow(into: &sink)
    } else {
      repeat {
        do throws(JSONError) {
          try expect(.array)
          try readNested(axis: axis + 1, into: &sink, shape: &shape)
        } catch { throw error.nested(below: String(count)) }
        count += 1
      } while skip(UInt8(ascii: ","))
      guard skip(UInt8(ascii: "]")) else { throw unexpected(.commaOrEndOfArray) }
    }
    ascend()
    if shape.sizes[axis] == 0 { shape.sizes[axis] = count }
    guard shape.sizes[axis] == count else { throw .here(.ragged(expected: shape.sizes[axis], found: count)) }
  }

  // MARK: Objects

  /// What stands in an object's `data` or `base64`.
  private enum Elements {
    case numbers(FloatStorage)
    case base64(JSONText)
  }

  private mutating func readTensorObject(_ limits: TensorLimits) throws(JSONError) -> WireTensor {
    var keys = KeySet()
    var shape: Shape?
    var datatype: Datatype?
    var elements: Elements?
    try readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "shape": shape = try reader.readShape(limits)
      case "datatype": datatype = try reader.readDatatype()
      case "data":
        guard !keys.contains("base64") else { throw .here(.conflictingMember("base64")) }
        elements = .numbers(try reader.readFlatNumbers(limits))
      case "base64":
        guard !keys.contains("data") else { throw .here(.conflictingMember("data")) }
        elements = .base64(try reader.readText())
      default: throw .here(.unknownMember)
      }
    }
    guard let shape else { throw .here(.missingMember("shape")) }
    guard let datatype else { throw .here(.missingMember("datatype")) }
    switch elements {
    case .numbers(let storage):
      guard storage.count == shape.count else {
        throw .here(.elementCount(expected: shape.count, found: storage.count)).nested(below: "data")
      }
      try JSONReader.round(storage, to: datatype)
      return WireTensor(tensor: Tensor(shape: shape, storage: storage), encoding: .flat, datatype: datatype)
    case .base64(let text):
      do throws(JSONError) {
        let storage = try text.decodedFloats(count: shape.count, datatype)
        return WireTensor(tensor: Tensor(shape: shape, storage: storage), encoding: .base64, datatype: datatype)
      } catch { throw error.nested(below: "base64") }
    case nil: throw .here(.missingMember("data"))
    }
  }

  /// Reads a flat array of at least one number.
  private mutating func readFlatNumbers(_ limits: TensorLimits) throws(JSONError) -> FloatStorage {
    try expect(.array)
    try descend()
    if skip(UInt8(ascii: "]")) { throw .here(.emptyDimension) }
    var sink = FloatSink(expected: expectedNumbers, limit: limits.maxElements)
    _ = try readNumberRow(into: &sink)
    ascend()
    return sink.finished()
  }

  /// Reads `[2, 3, 512]`: 1 to 8 sizes of at least 1 whose product is within the limits.
  package mutating func readShape(_ limits: TensorLimits) throws(JSONError) -> Shape {
    var sizes: [Int] = []
    try readArray { reader, _ throws(JSONError) in
      let size = try reader.readInt(in: 0...Int.max)
      guard size > 0 else { throw .here(.emptyDimension) }
      guard sizes.count < Shape.maxRank else { throw .here(.rankAbove8) }
      sizes.append(size)
    }
    guard !sizes.isEmpty else { throw .here(.rankBelow1) }
    guard let shape = Shape(sizes), shape.count <= limits.maxElements else {
      throw .here(.tooManyElements(limit: limits.maxElements))
    }
    return shape
  }

  private mutating func readDatatype() throws(JSONError) -> Datatype {
    let name = try readString()
    guard let datatype = Datatype(rawValue: name) else { throw .here(.unknownDatatype(JSONError.quoted(name))) }
    return datatype
  }

  /// Numbers that were written for a narrower datatype are taken as its elements: rounded to nearest, ties to even.
  private static func round(_ storage: FloatStorage, to datatype: Datatype) throws(JSONError) {
    guard datatype != .fp32 else { return }
    if let index = BinaryFloats.firstNonFinite(storage.baseAddress, count: storage.count, as: datatype) {
      throw .here(.notFinite(datatype, index: index)).nested(below: String(index)).nested(below: "data")
    }
    BinaryFloats.round(storage.mutableAddress, count: storage.count, to: datatype)
  }
}

/// The number types in which a tensor may come that is to become float32, under the names that the Open Inference
/// Protocol gives them.
///
/// FP16 and BF16 are contained in float32. The wider ones are not: of them only values are taken that float32 has.
package enum NumericType: String, Sendable, CaseIterable {
  case fp32 = "FP32"
  case fp16 = "FP16"
  case bf16 = "BF16"
  case fp64 = "FP64"
  case int8 = "INT8"
  case int16 = "INT16"
  case int32 = "INT32"
  case int64 = "INT64"
  case uint8 = "UINT8"
  case uint16 = "UINT16"
  case uint32 = "UINT32"
  case uint64 = "UINT64"

  /// Bytes of one element.
  package var byteCount: Int {
    switch self {
    case .int8, .uint8: 1
    case .fp16, .bf16, .int16, .uint16: 2
    case .fp32, .int32, .uint32: 4
    case .fp64, .int64, .uint64: 8
    }
  }

  /// The datatype of the same name, of those whose every value float32 has.
  package var datatype: Datatype? {
    switch self {
    case .fp32: .fp32
    case .fp16: .fp16
    case .bf16: .bf16
    case .fp64, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64: nil
    }
  }
}

/// Little-endian elements of any number type to float32, without rounding.
///
/// Unsafe pointers: bodies are not aligned to their elements, and the loops become vector code only without a bounds
/// check in each turn. Every function touches exactly `count` elements.
enum BinaryNumbers {
  /// - Parameters:
  ///   - bytes: `count · type.byteCount` of them, of any alignment.
  ///   - floats: room for `count`.
  /// - Returns: the index of the first element that is not finite or that float32 does not have.
  static func decode(
    _ bytes: UnsafeRawPointer, count: Int, as type: NumericType, into floats: UnsafeMutablePointer<Float>
  ) -> Int? {
    switch type {
    case .fp32, .fp16, .bf16:
      BinaryFloats.decode(bytes, count: count, as: type.datatype ?? .fp32, into: floats)
      return BinaryFloats.firstNonFinite(floats, count: count, as: .fp32)
    case .fp64:
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)
        let value = Double(bitPattern: UInt64(littleEndian: bits))
        floats[index] = Float(value)
        guard Double(floats[index]) == value, value.isFinite else { return index }
      }
      return nil
    case .int8: return decode(bytes, count, Int8.self, floats)
    case .int16: return decode(bytes, count, Int16.self, floats)
    case .int32: return decode(bytes, count, Int32.self, floats)
    case .int64: return decode(bytes, count, Int64.self, floats)
    case .uint8: return decode(bytes, count, UInt8.self, floats)
    case .uint16: return decode(bytes, count, UInt16.self, floats)
    case .uint32: return decode(bytes, count, UInt32.self, floats)
    case .uint64: return decode(bytes, count, UInt64.self, floats)
    }
  }

  @inline(__always)
  private static func decode<Integer: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: UnsafeRawPointer, _ count: Int, _: Integer.Type, _ floats: UnsafeMutablePointer<Float>
  ) -> Int? {
    for index in 0..<count {
      let stored = bytes.loadUnaligned(fromByteOffset: MemoryLayout<Integer>.size * index, as: Integer.self)
      guard let float = Float(exactly: Integer(littleEndian: stored)) else { return index }
      floats[index] = float
    }
    return nil
  }
}

extension Tensor {
  /// Decodes elements in binary.
  ///
  /// - Parameter bytes: `shape.count · type.byteCount` of them.
  /// - Throws: a mismatch for the first element that is not finite or that float32 does not have.
  package init(decoding bytes: RawSpan, as type: NumericType, shape: Shape) throws(JSONError) {
    precondition(bytes.byteCount == shape.count * type.byteCount)
    let storage = FloatStorage(capacity: shape.count)
    let wrong = bytes.withUnsafeBytes { bytes in
      BinaryNumbers.decode(bytes.baseAddress!, count: shape.count, as: type, into: storage.mutableAddress)
    }
    if let wrong { throw .here(type.datatype.map { .notFinite($0, index: wrong) } ?? .notExact(type, index: wrong)) }
    storage.setCount(shape.count)
    self.init(shape: shape, storage: storage)
  }
}

extension JSONReader {
  /// Reads an array of numbers, nested or not, as elements of `type`: rounded to the narrower types, and taken exactly
  /// or not at all in the wider ones.
  ///
  /// - Throws: a mismatch as ``readTensor(limit:)`` does for an array, and for an element that is none of `type` or
  ///   that float32 does not have.
  package mutating func readNumbers(as type: NumericType, limit limits: TensorLimits) throws(JSONError) -> Tensor {
    try expect(.array)
    let before = self
    let tensor = try readTensor(limit: limits).tensor
    if let datatype = type.datatype {
      if let index = tensor.firstNonFinite(as: datatype) { throw .here(.notFinite(datatype, index: index)) }
      BinaryFloats.round(tensor.storage.mutableAddress, count: tensor.shape.count, to: datatype)
    } else {
      try before.checkNumbers(tensor.shape.count, as: type)
    }
    return tensor
  }

  /// Looks at the first `count` numbers behind the cursor, whatever brackets and commas stand between them.
  private func checkNumbers(_ count: Int, as type: NumericType) throws(JSONError) {
    var reader = self
    for index in 0..<count {
      while try reader.skipBracketOrComma() {}
      let token = try reader.readNumber()
      guard token.isExactly(type) else { throw .here(.notExact(type, index: index)) }
    }
  }

  private mutating func skipBracketOrComma() throws(JSONError) -> Bool {
    skip(UInt8(ascii: ",")) || skip(UInt8(ascii: "[")) || skip(UInt8(ascii: "]"))
  }
}

extension NumberToken {
  /// Whether the number is one of `type` and of float32.
  fileprivate func isExactly(_ type: NumericType) -> Bool {
    func fits<Integer: FixedWidthInteger>(_: Integer.Type) -> Bool {
      guard isInteger else { return double.flatMap { Integer(exactly: $0) }.flatMap { Float(exactly: $0) } != nil }
      let bound = isNegative ? UInt64(Integer.min.magnitude) : UInt64(Integer.max)
      return exponent == 0 && significand <= bound && Float(exactly: significand) != nil
    }
    switch type {
    case .fp32, .fp16, .bf16: return float != nil
    case .fp64: return double.map { Double(Float($0)) == $0 } ?? false
    case .int8: return fits(Int8.self)
    case .int16: return fits(Int16.self)
    case .int32: return fits(Int32.self)
    case .int64: return fits(Int64.self)
    case .uint8: return fits(UInt8.self)
    case .uint16: return fits(UInt16.self)
    case .uint32: return fits(UInt32.self)
    case .uint64: return fits(UInt64.self)
    }
  }
}

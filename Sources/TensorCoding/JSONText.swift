/// A string's content as it stands in the text, validated but not yet copied: base64 is decoded straight from it.
///
/// Points into the text that its reader reads, and must not outlive that either.
///
/// Unsafe pointers: they are the reader's, and a text is used up before its reader returns.
struct JSONText {
  private let content: UnsafeBufferPointer<UInt8>
  /// `\/` is how some writers put base64's slash.
  private let hasEscapes: Bool

  /// The elements that the string encodes, little-endian, as float32.
  ///
  /// Throws a mismatch for anything but base64 of `count` finite elements. A string has no deeper pointer: the mismatch
  /// itself says which character or element it is.
  func decodedFloats(count: Int, _ datatype: Datatype) throws(JSONError) -> FloatStorage {
    if hasEscapes {
      return try JSONReader.unescaped(content).withUnsafeBufferPointer { bytes throws(JSONError) in
        try JSONText(content: bytes, hasEscapes: false).decodedFloats(count: count, datatype)
      }
    }
    let expected = count * datatype.byteCount
    guard let found = Base64.decodedCount(content) else { throw .here(.notBase64(index: content.count)) }
    guard found == expected else { throw .here(.byteCount(expected: expected, found: found)) }
    let storage = FloatStorage(capacity: count)
    let wrong: Int?
    if datatype == .fp32 {
      let bytes = UnsafeMutableRawPointer(storage.mutableAddress)
      wrong = Base64.decode(content, into: bytes)
      // In place, which is nothing to do where the host is little-endian itself.
      if 1.littleEndian != 1 { BinaryFloats.decode(bytes, count: count, as: .fp32, into: storage.mutableAddress) }
    } else {
      wrong = withUnsafeTemporaryAllocation(byteCount: expected, alignment: 8) { bytes in
        let wrong = Base64.decode(content, into: bytes.baseAddress!)
        if wrong == nil {
          BinaryFloats.decode(bytes.baseAddress!, count: count, as: datatype, into: storage.mutableAddress)
        }
        return wrong
      }
    }
    if let wrong { throw .here(.notBase64(index: wrong)) }
    storage.setCount(count)
    if let index = BinaryFloats.firstNonFinite(storage.baseAddress, count: count, as: .fp32) {
      throw .here(.notFinite(datatype, index: index))
    }
    return storage
  }

  init(content: UnsafeBufferPointer<UInt8>, hasEscapes: Bool) {
    self.content = content
    self.hasEscapes = hasEscapes
  }
}

extension JSONReader {
  /// Moves behind a string and returns where its content stands.
  mutating func readText() throws(JSONError) -> JSONText {
    try expect(.string)
    let content = position + 1
    let hasEscapes = try skipString()
    return JSONText(
      content: UnsafeBufferPointer(start: content, count: position - 1 - content), hasEscapes: hasEscapes)
  }
}

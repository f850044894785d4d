import TensorCoding

/// The header's statements as they stand in the JSON, before any of them is believed.
///
/// Flaws of the JSON itself are thrown; the first flaw of what it says is kept in ``flaw``, so that it comes out as
/// the case of ``SafetensorsError`` that it is.
struct HeaderEntries {
  /// One tensor's description as written; `nil` where a member is missing.
  struct Entry {
    let name: String
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?
  }

  private(set) var metadata: [String: String] = [:]
  private(set) var tensors: [Entry] = []
  private(set) var flaw: SafetensorsError?

  /// Reads the whole object; nothing but white space may surround it.
  init(parsing json: [UInt8]) throws(JSONError) {
    self = try JSONReader.read(json) { (reader) throws(JSONError) in
      var entries = HeaderEntries()
      try entries.read(&reader)
      return entries
    }
  }

  private init() {}

  private mutating func read(_ reader: inout JSONReader) throws(JSONError) {
    var names: Set<String> = []
    try reader.readObject { (reader, name) throws(JSONError) in
      if !names.insert(name).inserted {
        note(name == "__metadata__" ? .duplicateMetadata(key: name) : .duplicateTensor(name: name))
      }
      if name == "__metadata__" {
        try readMetadata(&reader)
      } else {
        try readTensor(&reader, name: name)
      }
    }
  }

  private mutating func note(_ flaw: SafetensorsError) {
    if self.flaw == nil { self.flaw = flaw }
  }

  private mutating func readMetadata(_ reader: inout JSONReader) throws(JSONError) {
    try reader.readObject { (reader, key) throws(JSONError) in
      if metadata.updateValue(try reader.readString(), forKey: key) != nil { note(.duplicateMetadata(key: key)) }
    }
  }

  private mutating func readTensor(_ reader: inout JSONReader, name: String) throws(JSONError) {
    var entry = Entry(name: name)
    try reader.readObject { (reader, member) throws(JSONError) in
      let again: Bool
      switch member {
      case "dtype":
        again = entry.dtype != nil
        entry.dtype = try reader.readString()
      case "shape":
        again = entry.shape != nil
        entry.shape = try Self.readIntegers(&reader)
      case "data_offsets":
        again = entry.offsets != nil
        entry.offsets = try Self.readIntegers(&reader)
      default:
        again = false
        note(.unknownMember(tensor: name, member: member))
        try reader.skipValue()
      }
      if again { note(.duplicateMember(tensor: name, member: member)) }
    }
    tensors.append(entry)
  }

  private static func readIntegers(_ reader: inout JSONReader) throws(JSONError) -> [Int] {
    var integers: [Int] = []
    try reader.readArray { (reader, _) throws(JSONError) in integers.append(try readInteger(&reader)) }
    return integers
  }

  /// An integer that is written as one: `2.0` and `-0` are no sizes to the format's own reader.
  private static func readInteger(_ reader: inout JSONReader) throws(JSONError) -> Int {
    _ = try reader.peek()
    let start = reader.offset
    let integer = try reader.readInt()
    guard reader.offset - start == String(integer).utf8.count else {
      throw .mismatch(pointer: "", .notAnInteger)
    }
    return integer
  }
}

extension HeaderEntries.Entry {
  /// The description as a tensor, if it is whole and agrees with itself.
  ///
  /// - Parameter dataStart: where the data begins in the file, in bytes.
  func checked(dataStart: Int) throws(SafetensorsError) -> SafetensorsHeader.Tensor {
    guard let dtype else { throw .missingMember(tensor: name, member: "dtype") }
    guard let shape else { throw .missingMember(tensor: name, member: "shape") }
    guard let offsets else { throw .missingMember(tensor: name, member: "data_offsets") }
    guard let elementType = ElementType(rawValue: dtype) else {
      throw .unknownElementType(tensor: name, found: dtype)
    }
    guard shape.allSatisfy({ $0 >= 0 }) else { throw .negativeDimension(tensor: name, shape: shape) }
    guard offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1] else {
      throw .malformedOffsets(tensor: name, found: offsets)
    }
    let needed = try bytes(of: shape, elementType)
    guard offsets[1] - offsets[0] == needed else {
      throw .sizeMismatch(tensor: name, needed: needed, spanned: offsets[1] - offsets[0])
    }
    let (end, overflow) = offsets[1].addingReportingOverflow(dataStart)
    guard !overflow else { throw .sizeOverflow(tensor: name, shape: shape) }
    return SafetensorsHeader.Tensor(
      name: name, elementType: elementType, shape: shape, bytes: end - needed..<end)
  }

  /// product(shape) · bits / 8, every step checked.
  private func bytes(of shape: [Int], _ elementType: ElementType) throws(SafetensorsError) -> Int {
    var bits = elementType.bits
    for dimension in shape {
      let (product, overflow) = bits.multipliedReportingOverflow(by: dimension)
      guard !overflow else { throw .sizeOverflow(tensor: name, shape: shape) }
      bits = product
    }
    guard bits.isMultiple(of: 8) else { throw .partialByte(tensor: name, bits: bits) }
    return bits / 8
  }
}

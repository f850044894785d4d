package import TensorCoding

/// The ways in which a safetensors file can lie about itself, one case each.
package enum SafetensorsError: Error, Equatable {
  /// The file is shorter than the 8 bytes of the header's length.
  case noHeaderLength(fileSize: Int)
  /// The header claims more than ``SafetensorsHeader/lengthLimit`` bytes.
  case headerTooLong(length: UInt64)
  /// The header would end beyond the end of the file.
  case headerBeyondFile(length: Int, fileSize: Int)
  /// The header is not JSON, or a member of it has a value of the wrong kind; the error holds the byte offset within
  /// the header, or the pointer to the member.
  case malformedHeader(JSONError)
  /// A tensor's name stands twice.
  case duplicateTensor(name: String)
  /// `__metadata__` itself, or a key of it, stands twice.
  case duplicateMetadata(key: String)
  /// A member of one tensor's description stands twice.
  case duplicateMember(tensor: String, member: String)
  /// A tensor's description lacks `dtype`, `shape` or `data_offsets`.
  case missingMember(tensor: String, member: String)
  /// A tensor's description has a member that the format does not define and that could change its meaning.
  case unknownMember(tensor: String, member: String)
  /// The element type is none of ``ElementType``.
  case unknownElementType(tensor: String, found: String)
  /// A dimension is negative.
  case negativeDimension(tensor: String, shape: [Int])
  /// The shape's product, or its size in bits, overflows.
  case sizeOverflow(tensor: String, shape: [Int])
  /// Elements narrower than a byte do not fill a whole number of bytes.
  case partialByte(tensor: String, bits: Int)
  /// `data_offsets` is not a pair of numbers, 0 ≤ begin ≤ end.
  case malformedOffsets(tensor: String, found: [Int])
  /// The offsets span another number of bytes than the shape and the element type need.
  case sizeMismatch(tensor: String, needed: Int, spanned: Int)
  /// Bytes before this tensor belong to no tensor.
  case gap(tensor: String, expectedBegin: Int, begin: Int)
  /// The tensor begins before its predecessor ends.
  case overlap(tensor: String, expectedBegin: Int, begin: Int)
  /// The last tensor ends beyond the end of the file.
  case dataBeyondFile(tensor: String, end: Int, dataSize: Int)
  /// Bytes after the last tensor belong to no tensor.
  case trailingBytes(count: Int)
}

extension SafetensorsError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .noHeaderLength(let fileSize):
      "the file has \(fileSize) bytes, fewer than the 8 of a header's length"
    case .headerTooLong(let length):
      "the header's length is \(length) bytes, beyond the format's limit of \(SafetensorsHeader.lengthLimit)"
    case .headerBeyondFile(let length, let fileSize):
      "a header of \(length) bytes does not fit into a file of \(fileSize)"
    case .malformedHeader(let error):
      "the header is malformed: \(CheckpointError.words(error))"
    case .duplicateTensor(let name):
      "tensor \(name) is described twice"
    case .duplicateMetadata(let key):
      "metadata key \(key) stands twice"
    case .duplicateMember(let tensor, let member):
      "tensor \(tensor) has two members \(member)"
    case .missingMember(let tensor, let member):
      "tensor \(tensor) has no \(member)"
    case .unknownMember(let tensor, let member):
      "tensor \(tensor) has a member \(member), which the format does not define"
    case .unknownElementType(let tensor, let found):
      "tensor \(tensor) has the unknown dtype \(found)"
    case .negativeDimension(let tensor, let shape):
      "tensor \(tensor) has a negative dimension in its shape \(shape)"
    case .sizeOverflow(let tensor, let shape):
      "tensor \(tensor) of shape \(shape) is larger than any file"
    case .partialByte(let tensor, let bits):
      "tensor \(tensor) takes \(bits) bits, which is no whole number of bytes"
    case .malformedOffsets(let tensor, let found):
      "tensor \(tensor) has data_offsets \(found), not a begin and an end"
    case .sizeMismatch(let tensor, let needed, let spanned):
      "tensor \(tensor) needs \(needed) bytes, its data_offsets span \(spanned)"
    case .gap(let tensor, let expectedBegin, let begin):
      "tensor \(tensor) begins at \(begin), which leaves a hole after \(expectedBegin)"
    case .overlap(let tensor, let expectedBegin, let begin):
      "tensor \(tensor) begins at \(begin), inside the tensor that ends at \(expectedBegin)"
    case .dataBeyondFile(let tensor, let end, let dataSize):
      "tensor \(tensor) ends at \(end), the file holds \(dataSize) bytes of data"
    case .trailingBytes(let count):
      "\(count) bytes at the end of the file belong to no tensor"
    }
  }
}

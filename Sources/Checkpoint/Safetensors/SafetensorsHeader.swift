/// What a safetensors file says about itself, believed only after every statement has been checked.
///
/// The layout: 8 bytes, the header's length N as a little-endian u64; N bytes of JSON, white space around it allowed;
/// then the tensors' bytes. The header maps each tensor's name to `{"dtype", "shape", "data_offsets": [begin, end]}`,
/// offsets counted from the end of the header, and `__metadata__` to a map of strings.
///
/// Once parsed: every tensor's ``Tensor/bytes`` lie within the file, their sizes are those of shape and element type,
/// and sorted by offset they cover everything after the header exactly once. No alignment is promised.
package struct SafetensorsHeader: Sendable, Equatable {
  /// One tensor's description.
  package struct Tensor: Sendable, Equatable {
    package let name: String
    package let elementType: ElementType
    /// Dimensions, slowest first; empty for a scalar, and 0 is a dimension like any other.
    package let shape: [Int]
    /// Where the elements lie, counted from the start of the file.
    package let bytes: Range<Int>
  }

  /// A header longer than this is refused unread: the format's own limit.
  package static let lengthLimit = 100_000_000

  /// The bytes before the header: its length.
  package static let prefixBytes = 8

  /// The tensors in the order of their bytes.
  package let tensors: [Tensor]
  /// `__metadata__`, or empty.
  package let metadata: [String: String]
  /// Where the header ends and the tensors begin, from the start of the file.
  package let dataStart: Int

  /// How many bytes of JSON follow the first 8.
  ///
  /// - Parameters:
  ///   - start: the file's first bytes; 8 are looked at.
  ///   - fileSize: bytes in the whole file.
  /// - Throws: ``SafetensorsError`` when there is no room for such a header.
  package static func length(of start: some Collection<UInt8>, fileSize: Int) throws(SafetensorsError) -> Int {
    guard fileSize >= prefixBytes, start.count >= prefixBytes else {
      throw .noHeaderLength(fileSize: min(fileSize, start.count))
    }
    let length = start.prefix(prefixBytes).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(lengthLimit) else { throw .headerTooLong(length: length) }
    guard Int(length) <= fileSize - prefixBytes else {
      throw .headerBeyondFile(length: Int(length), fileSize: fileSize)
    }
    return Int(length)
  }

  /// Parses the header at the start of a file.
  ///
  /// - Parameters:
  ///   - start: the file's first bytes, at least the 8 of the length and the header; more are not looked at.
  ///   - fileSize: bytes in the whole file.
  /// - Throws: ``SafetensorsError``, one case for each way in which the header and the file disagree.
  package init(parsing start: [UInt8], fileSize: Int) throws(SafetensorsError) {
    let length = try Self.length(of: start, fileSize: fileSize)
    guard start.count - Self.prefixBytes >= length else {
      throw .headerBeyondFile(length: length, fileSize: start.count)
    }
    dataStart = Self.prefixBytes + length
    let entries: HeaderEntries
    do {
      entries = try HeaderEntries(parsing: Array(start[Self.prefixBytes..<dataStart]))
    } catch {
      throw .malformedHeader(error)
    }
    if let flaw = entries.flaw { throw flaw }
    metadata = entries.metadata
    tensors = try Self.laidOut(entries.tensors, dataStart: dataStart, dataSize: fileSize - dataStart)
  }

  /// Checks each tensor by itself, then that together they cover the data without hole or overlap.
  private static func laidOut(
    _ entries: [HeaderEntries.Entry], dataStart: Int, dataSize: Int
  ) throws(SafetensorsError) -> [Tensor] {
    var tensors: [Tensor] = []
    tensors.reserveCapacity(entries.count)
    for entry in entries {
      tensors.append(try entry.checked(dataStart: dataStart))
    }
    tensors.sort {
      ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name) < ($1.bytes.lowerBound, $1.bytes.upperBound, $1.name)
    }
    var end = dataStart
    for tensor in tensors {
      let begin = tensor.bytes.lowerBound
      guard begin <= end else {
        throw .gap(tensor: tensor.name, expectedBegin: end - dataStart, begin: begin - dataStart)
      }
      guard begin == end else {
        throw .overlap(tensor: tensor.name, expectedBegin: end - dataStart, begin: begin - dataStart)
      }
      end = tensor.bytes.upperBound
      guard end - dataStart <= dataSize else {
        throw .dataBeyondFile(tensor: tensor.name, end: end - dataStart, dataSize: dataSize)
      }
    }
    guard end - dataStart == dataSize else { throw .trailingBytes(count: dataSize - (end - dataStart)) }
    return tensors
  }
}

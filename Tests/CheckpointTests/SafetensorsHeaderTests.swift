import Checkpoint
import TensorCoding
import Testing

@Suite struct SafetensorsHeaderTests {
  private func parse(_ file: [UInt8]) throws(SafetensorsError) -> SafetensorsHeader {
    try SafetensorsHeader(parsing: file, fileSize: file.count)
  }

  // MARK: Right files

  @Test func describesEveryTensorInTheOrderOfItsBytes() throws {
    let file = SafetensorsWriter.file(
      header: """
        {"b":{"dtype":"F16","shape":[2,3],"data_offsets":[4,16]},"__metadata__":{"format":"pt","a":"ü"},\
        "a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"}}
        """, data: [UInt8](repeating: 0, count: 16))
    let header = try parse(file)
    #expect(header.metadata == ["format": "pt", "a": "ü"])
    #expect(header.dataStart == file.count - 16)
    #expect(header.tensors.map(\.name) == ["a", "b"])
    #expect(header.tensors.map(\.shape) == [[], [2, 3]])
    #expect(header.tensors.map(\.elementType) == [.f32, .f16])
    #expect(header.tensors.map { $0.bytes.lowerBound - header.dataStart } == [0, 4])
    #expect(header.tensors.map(\.bytes.count) == [4, 12])
  }

  @Test(arguments: [
    ("{}", 0),
    (" \n\t\r{ } \r\n", 0),
    (#"{"__metadata__":{}}"#, 0),
    // Zero-size tensors, one of them between two others and one at the end.
    (#"{"a":{"dtype":"F64","shape":[3,0],"data_offsets":[0,0]}}"#, 0),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},"#
        + #""c":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},"d":{"dtype":"I8","shape":[0],"data_offsets":[3,3]}}"#,
      3
    ),
    // The names themselves are anything that JSON can say.
    (#"{"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#, 1),
    (#"{"a\u0000\/\ud83d\ude00":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}"#, 1),
    (#"{"a":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]}}"#, 3),
    (#"{"a":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,3]}}"#, 3),
  ])
  func acceptsWhatTheFormatAllows(header: String, dataBytes: Int) throws {
    _ = try parse(SafetensorsWriter.file(header: header, data: [UInt8](repeating: 7, count: dataBytes)))
  }

  @Test(arguments: [
    ("BOOL", 8), ("U8", 8), ("I8", 8), ("F8_E5M2", 8), ("F8_E4M3", 8), ("F8_E8M0", 8), ("F8_E4M3FNUZ", 8),
    ("F8_E5M2FNUZ", 8), ("I16", 16), ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32),
    ("C64", 64), ("F64", 64), ("I64", 64), ("U64", 64), ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6),
  ])
  func knowsTheSizeOf(dtype: String, bits: Int) throws {
    let header = #"{"a":{"dtype":"\#(dtype)","shape":[8],"data_offsets":[0,\#(bits)]}}"#
    let parsed = try parse(SafetensorsWriter.file(header: header, data: [UInt8](repeating: 0, count: bits)))
    #expect(parsed.tensors[0].elementType.rawValue == dtype)
    #expect(ElementType.allCases.count == 22)
  }

  // MARK: Files that lie

  struct Lie: Sendable, CustomTestStringConvertible {
    let header: String
    var data = 0
    let error: SafetensorsError
    var testDescription: String { header }
  }

  private static func tensor(
    dtype: String = "U8", shape: String = "[2]", offsets: String = "[0,2]", more: String = ""
  ) -> String {
    #"{"a":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)\#(more)}}"#
  }

  static let lies: [Lie] = [
    Lie(header: "", error: .malformedHeader(.syntax(offset: 0, expected: .value))),
    Lie(header: "{", error: .malformedHeader(.syntax(offset: 1, expected: .memberName))),
    Lie(header: "{}{}", error: .malformedHeader(.syntax(offset: 2, expected: .endOfText))),
    Lie(header: "{}\0", error: .malformedHeader(.syntax(offset: 2, expected: .endOfText))),
    Lie(
      header: "[]",
      error: .malformedHeader(.mismatch(pointer: "", .kind(expected: .object, found: .array)))),
    Lie(
      header: #"{"a":1}"#,
      error: .malformedHeader(.mismatch(pointer: "/a", .kind(expected: .object, found: .number)))),
    Lie(
      header: #"{"__metadata__":{"k":1}}"#,
      error: .malformedHeader(.mismatch(pointer: "/__metadata__/k", .kind(expected: .string, found: .number)))),
    Lie(
      header: tensor(shape: "[2.0]"), data: 2,
      error: .malformedHeader(.mismatch(pointer: "/a/shape/0", .notAnInteger))),
    Lie(
      header: tensor(offsets: "[-0,2]"), data: 2,
      error: .malformedHeader(.mismatch(pointer: "/a/data_offsets/0", .notAnInteger))),
    Lie(
      header: tensor(offsets: "[0,18446744073709551616]"), data: 2,
      error: .malformedHeader(.mismatch(pointer: "/a/data_offsets/1", .outOfRange(.min ... .max)))),
    Lie(
      header:
        #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
      error: .duplicateTensor(name: "a")),
    Lie(
      header:
        #"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#,
      error: .duplicateTensor(name: "a")),
    Lie(header: #"{"__metadata__":{},"__metadata__":{}}"#, error: .duplicateMetadata(key: "__metadata__")),
    Lie(header: #"{"__metadata__":{"k":"","k":""}}"#, error: .duplicateMetadata(key: "k")),
    Lie(
      header: tensor(more: #","dtype":"I8""#), data: 2, error: .duplicateMember(tensor: "a", member: "dtype")),
    Lie(
      header: tensor(more: #","shape":[2]"#), data: 2, error: .duplicateMember(tensor: "a", member: "shape")),
    Lie(
      header: tensor(more: #","data_offsets":[0,2]"#), data: 2,
      error: .duplicateMember(tensor: "a", member: "data_offsets")),
    Lie(
      header: tensor(more: #","strides":[2]"#), data: 2, error: .unknownMember(tensor: "a", member: "strides")),
    Lie(header: #"{"a":{}}"#, error: .missingMember(tensor: "a", member: "dtype")),
    Lie(header: #"{"a":{"dtype":"U8"}}"#, error: .missingMember(tensor: "a", member: "shape")),
    Lie(header: #"{"a":{"dtype":"U8","shape":[]}}"#, error: .missingMember(tensor: "a", member: "data_offsets")),
    Lie(header: tensor(dtype: "F128"), data: 2, error: .unknownElementType(tensor: "a", found: "F128")),
    Lie(header: tensor(dtype: "f32"), data: 2, error: .unknownElementType(tensor: "a", found: "f32")),
    Lie(header: tensor(shape: "[-1,-2]"), data: 2, error: .negativeDimension(tensor: "a", shape: [-1, -2])),
    Lie(
      header: tensor(shape: "[4294967296,4294967296]"), data: 2,
      error: .sizeOverflow(tensor: "a", shape: [1 << 32, 1 << 32])),
    Lie(
      header: tensor(dtype: "F64", shape: "[1152921504606846976]"), data: 2,
      error: .sizeOverflow(tensor: "a", shape: [1 << 60])),
    Lie(
      header: tensor(shape: "[0]", offsets: "[9223372036854775807,9223372036854775807]"),
      error: .sizeOverflow(tensor: "a", shape: [0])),
    Lie(header: tensor(dtype: "F4", shape: "[3]"), data: 2, error: .partialByte(tensor: "a", bits: 12)),
    Lie(header: tensor(dtype: "F6_E3M2", shape: "[2]"), data: 2, error: .partialByte(tensor: "a", bits: 12)),
    Lie(header: tensor(offsets: "[0]"), data: 2, error: .malformedOffsets(tensor: "a", found: [0])),
    Lie(header: tensor(offsets: "[0,1,2]"), data: 2, error: .malformedOffsets(tensor: "a", found: [0, 1, 2])),
    Lie(header: tensor(offsets: "[2,0]"), data: 2, error: .malformedOffsets(tensor: "a", found: [2, 0])),
    Lie(header: tensor(offsets: "[-2,0]"), data: 2, error: .malformedOffsets(tensor: "a", found: [-2, 0])),
    Lie(header: tensor(offsets: "[0,3]"), data: 3, error: .sizeMismatch(tensor: "a", needed: 2, spanned: 3)),
    Lie(header: tensor(shape: "[]"), data: 2, error: .sizeMismatch(tensor: "a", needed: 1, spanned: 2)),
    Lie(header: tensor(offsets: "[1,3]"), data: 3, error: .gap(tensor: "a", expectedBegin: 0, begin: 1)),
    Lie(
      header:
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
      data: 3, error: .overlap(tensor: "b", expectedBegin: 2, begin: 1)),
    Lie(
      header:
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#,
      data: 2, error: .overlap(tensor: "b", expectedBegin: 2, begin: 0)),
    Lie(
      header:
        #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}}"#,
      data: 2, error: .overlap(tensor: "b", expectedBegin: 2, begin: 1)),
    Lie(header: tensor(), data: 1, error: .dataBeyondFile(tensor: "a", end: 2, dataSize: 1)),
    Lie(header: tensor(), data: 5, error: .trailingBytes(count: 3)),
    Lie(header: "{}", data: 1, error: .trailingBytes(count: 1)),
  ]

  @Test(arguments: lies)
  func refuses(_ lie: Lie) throws {
    let file = SafetensorsWriter.file(header: lie.header, data: [UInt8](repeating: 0, count: lie.data))
    #expect(throws: lie.error) { try parse(file) }
    #expect(!"\(lie.error)".isEmpty)
  }

  @Test(arguments: 0..<8)
  func refusesAFileWithoutALength(size: Int) {
    #expect(throws: SafetensorsError.noHeaderLength(fileSize: size)) {
      try parse([UInt8](repeating: 0, count: size))
    }
  }

  @Test(
    arguments: [
      (100_000_001, SafetensorsError.headerTooLong(length: 100_000_001)),
      (.max, .headerTooLong(length: .max)),
      (1 << 63, .headerTooLong(length: 1 << 63)),
      (100_000_000, .headerBeyondFile(length: 100_000_000, fileSize: 10)),
      (3, .headerBeyondFile(length: 3, fileSize: 10)),
    ] as [(UInt64, SafetensorsError)])
  func refusesAFalseLength(length: UInt64, error: SafetensorsError) {
    #expect(throws: error) { try parse(SafetensorsWriter.file(length: length, header: "{}", data: [])) }
  }

  @Test func needsOnlyTheStartOfALargeFile() throws {
    let file = SafetensorsWriter.file(
      header: #"{"a":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}"#, data: [])
    let header = try SafetensorsHeader(parsing: file, fileSize: file.count + (1 << 40))
    #expect(header.tensors[0].bytes == file.count..<file.count + (1 << 40))
  }

  // MARK: Damage

  @Test func everyTruncationIsAnError() throws {
    let file = SafetensorsWriter.file(
      [TensorFixture("model.a", [2, 2]), TensorFixture("model.ü", [1])], metadata: ["format": "pt"])
    _ = try parse(file)
    for count in 0..<file.count {
      #expect(throws: SafetensorsError.self) { try parse(Array(file[..<count])) }
      // The file's size may be right while the bytes at hand are not all of the header.
      if count < file.count - 20 {
        #expect(throws: SafetensorsError.self) {
          try SafetensorsHeader(parsing: Array(file[..<count]), fileSize: file.count)
        }
      }
    }
  }

  /// Whatever a header says, either it is refused or its tensors cover the data exactly.
  @Test(arguments: 0..<8)
  func everyMutationIsRefusedOrConsistent(seed: UInt64) {
    let original = SafetensorsWriter.file(
      [TensorFixture("a", [2, 3]), TensorFixture("b", dtype: "F4", [4], data: [1, 2]), TensorFixture("c", [])],
      metadata: ["variant": "swiglu"])
    var random = SplitMix64(state: seed)
    let alphabet = Array(#"{}[]:,"0123456789-.eE\u /_abFU\#u{7F}"#.utf8) + [0, 0x80, 0xC3, 0xFF]
    for _ in 0..<4000 {
      var file = original
      for _ in 0..<1 + random.next() % 4 {
        let place = Int(random.next() % UInt64(file.count))
        let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
        switch random.next() % 4 {
        case 0: file[place] = byte
        case 1: file.insert(byte, at: place)
        case 2: file.remove(at: place)
        default: file[place] ^= 1 << UInt8(random.next() % 8)
        }
      }
      guard let header = try? parse(file) else { continue }
      var end = header.dataStart
      for tensor in header.tensors {
        #expect(tensor.bytes.lowerBound == end)
        #expect(tensor.bytes.count * 8 == tensor.shape.reduce(tensor.elementType.bits, *))
        end = tensor.bytes.upperBound
      }
      #expect(end == file.count)
    }
  }
}

/// Steele, Lea and Flood 2014: a generator whose sequence is fixed by its state.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

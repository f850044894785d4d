import TensorCoding
import Testing

/// Number types wider than float32, and narrower: what is taken is exact, what is not exact is named.
@Suite struct NumericTypeTests {
  @Test(arguments: [
    (NumericType.fp32, [0x00, 0x00, 0x80, 0x3F] as [UInt8], 1 as Float), (.fp16, [0x00, 0xBC], -1),
    (.bf16, [0x80, 0x3F], 1),
    (.fp16, [0x01, 0x00], 0x1p-24), (.fp64, [0, 0, 0, 0, 0, 0, 0xE0, 0x3F], 0.5), (.int8, [0x80], -128),
    (.uint8, [0xFF], 255),
    (.int16, [0xFE, 0xFF], -2), (.uint16, [0xFF, 0xFF], 65_535), (.int32, [0xFF, 0xFF, 0xFF, 0xFF], -1),
    (.uint32, [0, 0, 0, 0x80], 0x1p31), (.int64, [0, 0, 0, 0, 0, 0, 0, 0x80], -0x1p63),
    (.uint64, [0, 0, 0, 0, 0, 0, 0, 0x80], 0x1p63),
  ])
  func elementsAreLittleEndian(_ type: NumericType, _ bytes: [UInt8], _ value: Float) throws {
    #expect(type.byteCount == bytes.count)
    let shape = try #require(Shape([1, 2]))
    let tensor = try Tensor(decoding: (bytes + bytes).span.bytes, as: type, shape: shape)
    #expect(tensor.floats == [value, value] && tensor.shape == shape)
  }

  @Test(arguments: [
    (NumericType.fp32, [0, 0, 0xC0, 0x7F] as [UInt8]), (.fp16, [0x00, 0x7C]), (.bf16, [0x80, 0xFF]),
    (.fp64, [0, 0, 0, 0, 0, 0, 0xF0, 0x7F]), (.fp64, [1, 0, 0, 0, 0, 0, 0xF0, 0x3F]),
    (.int32, [1, 0, 0, 1]), (.uint32, [0xFF, 0xFF, 0xFF, 0xFF]), (.int64, [1, 0, 0, 1, 0, 0, 0, 0]),
    (.uint64, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
  ])
  func whatFloat32DoesNotHaveIsNamed(_ type: NumericType, _ bytes: [UInt8]) throws {
    let zeros = [UInt8](repeating: 0, count: type.byteCount)
    let shape = try #require(Shape([3]))
    let expected: JSONMismatch =
      type.datatype.map { .notFinite($0, index: 1) } ?? .notExact(type, index: 1)
    #expect(throws: JSONError.here(expected)) {
      try Tensor(decoding: (zeros + bytes + zeros).span.bytes, as: type, shape: shape)
    }
  }

  @Test(arguments: [
    (NumericType.int8, "[-128, 127]", nil as Int?), (.int8, "[0, 128]", 1), (.uint8, "[-1]", 0), (.uint8, "[-0]", nil),
    (.int32, "[16777216, 16777217]", 1), (.int32, "[3.0, 3e2]", nil), (.int32, "[[1], [0.5]]", 1),
    (.int64, "[-9223372036854775808]", nil), (.int64, "[9223372036854775807]", 0),
    (.uint64, "[9223372036854775808]", nil), (.uint64, "[18446744073709551616]", 0),
    (.fp64, "[0.5, 1e-40]", 1), (.fp64, "[0.1]", 0), (.fp64, "[1e10]", nil), (.fp32, "[0.1]", nil),
    (.bf16, "[0.1]", nil),
  ])
  func numbersInTextAreTakenExactly(_ type: NumericType, _ text: String, _ wrong: Int?) throws {
    func read() throws(JSONError) -> Tensor {
      try JSONReader.read(Array(text.utf8)) { reader throws(JSONError) in
        try reader.readNumbers(as: type, limit: TensorLimits(maxElements: 16))
      }
    }
    guard let wrong else {
      _ = try read()
      return
    }
    #expect(throws: JSONError.here(.notExact(type, index: wrong))) { try read() }
  }

  /// 0.1 is 0x3DCCCCCD; its upper half rounds to 0x3DCD.
  @Test func narrowTypesRound() throws {
    let tensor = try JSONReader.read(Array("[[0.1]]".utf8)) { reader throws(JSONError) in
      try reader.readNumbers(as: .bf16, limit: TensorLimits(maxElements: 16))
    }
    #expect(tensor.floats.map(\.bitPattern) == [0x3DCD_0000])
    var text: [UInt8] = []
    text.appendBinary(tensor, as: .bf16)
    #expect(text == [0xCD, 0x3D])
  }

  @Test(arguments: [
    (0 as UInt64, "           0"), (42, "          42"), (999_999_999_999, "999999999999"), (.max, "999999999999"),
  ])
  func integersMayComeLater(_ value: UInt64, _ digits: String) {
    var writer = JSONWriter()
    var place: IntegerPlace?
    writer.object { writer in
      writer.member("a")
      place = writer.integerToCome()
      writer.member("b")
      writer.integer(1)
    }
    var text = (consume writer).text
    text.setInteger(value, at: place!)
    #expect(String(decoding: text, as: UTF8.self) == "{\"a\":\(digits),\"b\":1}")
  }
}

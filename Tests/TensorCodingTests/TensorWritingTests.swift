import TensorCoding
import Testing

@Suite struct TensorWritingTests {
  private static func tensor(_ dims: [Int], _ floats: [Float]) -> Tensor {
    Tensor(shape: Shape(dims)!, storage: FloatStorage(floats))
  }

  private static func text(_ tensor: Tensor, _ encoding: TensorEncoding, _ datatype: Datatype = .fp32) -> String {
    var bytes: [UInt8] = []
    bytes.appendTensor(tensor, encoding: encoding, datatype: datatype)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test(
    arguments: [
      ([1], [0.5], "[0.5]"), ([3], [1, 2, 3], "[1.0,2.0,3.0]"), ([2, 2], [1, 2, 3, 4], "[[1.0,2.0],[3.0,4.0]]"),
      ([3, 1], [1, 2, 3], "[[1.0],[2.0],[3.0]]"), ([1, 1, 1], [7], "[[[7.0]]]"),
      ([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8], "[[[1.0,2.0],[3.0,4.0]],[[5.0,6.0],[7.0,8.0]]]"),
      ([2, 1, 2, 1], [1, 2, 3, 4], "[[[[1.0],[2.0]]],[[[3.0],[4.0]]]]"),
    ] as [([Int], [Float], String)])
  func nested(_ dims: [Int], _ floats: [Float], _ text: String) {
    #expect(Self.text(Self.tensor(dims, floats), .nested) == text)
  }

  @Test func objects() {
    let tensor = Self.tensor([1, 2], [1, -2])
    #expect(Self.text(tensor, .flat) == "{\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1.0,-2.0]}")
    #expect(Self.text(tensor, .flat, .bf16) == "{\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1.0,-2.0]}")
    #expect(Self.text(tensor, .base64) == "{\"shape\":[1,2],\"datatype\":\"FP32\",\"base64\":\"AACAPwAAAMA=\"}")
    #expect(Self.text(tensor, .base64, .fp16) == "{\"shape\":[1,2],\"datatype\":\"FP16\",\"base64\":\"ADwAwA==\"}")
    #expect(Self.text(tensor, .base64, .bf16) == "{\"shape\":[1,2],\"datatype\":\"BF16\",\"base64\":\"gD8AwA==\"}")
  }

  /// What is written reads back with the same bits, at sizes around the writers' slices.
  @Test(arguments: [[1023], [1024], [1025], [3072], [3073], [5, 1, 2049], [7, 997], [4, 3, 2, 5]])
  func roundTrip(_ dims: [Int]) {
    var random = SplitMix64(seed: UInt64(dims.reduce(1, *)))
    let count = dims.reduce(1, *)
    let floats = (0..<count).map { _ in
      Float(bitPattern: UInt32(random.next() % 0x7F7F_0000) | UInt32(random.next() & 1) << 31)
    }
    let tensor = Self.tensor(dims, floats)
    for encoding in TensorEncoding.allCases {
      let read = readTensor(Self.text(tensor, encoding)).value
      #expect(read?.tensor.shape == tensor.shape)
      #expect(read?.tensor.floats.map(\.bitPattern) == floats.map(\.bitPattern))
    }
    let narrow = readTensor(Self.text(tensor, .base64, .bf16)).value
    #expect(narrow?.datatype == .bf16)
    for (wide, narrow) in zip(floats, narrow?.tensor.floats ?? []) {
      #expect(narrow == wide || abs(narrow - wide) <= wide.ulp * 0x8000)
    }
  }

  @Test func firstNonFinite() {
    func index(_ floats: [Float], _ datatype: Datatype) -> Int? {
      Self.tensor([floats.count], floats).firstNonFinite(as: datatype)
    }
    #expect(index([1, .greatestFiniteMagnitude, -.greatestFiniteMagnitude], .fp32) == nil)
    #expect(index([1, 2, .nan, .infinity], .fp32) == 2)
    #expect(index([-.infinity], .fp32) == 0)
    #expect(index([65504, Float(65520).nextDown, -65520], .fp16) == 2)
    #expect(index([Float(bitPattern: 0x7F7F_7FFF), Float(bitPattern: 0x7F7F_8000)], .bf16) == 1)
    for position in [0, 255, 256, 511, 999] {
      var floats = [Float](repeating: 1, count: 1000)
      floats[position] = -.nan
      #expect(index(floats, .fp32) == position)
    }
  }

  @Test func writer() {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("id")
      writer.string("a\"b\\c\u{1}\u{1F}\n\t\r\u{8}\u{C}/\u{E9}\u{1D11E}\u{7F}")
      writer.member("empty")
      writer.object { _ in }
      writer.member("list")
      writer.array { writer in
        writer.integer(0)
        writer.integer(Int.min)
        writer.integer(UInt64.max)
        writer.array { _ in }
        writer.bool(true)
        writer.bool(false)
        writer.null()
        writer.float(0.25)
      }
      writer.member("output")
      writer.tensor(Self.tensor([2], [1, 2]), encoding: .nested)
    }
    #expect(
      String(decoding: writer.text, as: UTF8.self)
        == "{\"id\":\"a\\\"b\\\\c\\u0001\\u001f\\n\\t\\r\\b\\f/\u{E9}\u{1D11E}\u{7F}\",\"empty\":{},"
        + "\"list\":[0,-9223372036854775808,18446744073709551615,[],true,false,null,0.25],\"output\":[1.0,2.0]}")
    #expect(validate(writer.text) == nil)
  }
}

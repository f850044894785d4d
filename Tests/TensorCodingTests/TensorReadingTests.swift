import TensorCoding
import Testing

/// Tensors in their three forms, and where the malformed ones are wrong.
@Suite struct TensorReadingTests {
  @Test(
    arguments: [
      ("[1]", [1], [1]), ("[1, 2.5]", [2], [1, 2.5]), ("[[1],[2]]", [2, 1], [1, 2]),
      ("[[0.5, -1.0, 2.0], [3, 4e0, -0.25]]", [2, 3], [0.5, -1, 2, 3, 4, -0.25]),
      ("[[[1,2],[3,4],[5,6]]]", [1, 3, 2], [1, 2, 3, 4, 5, 6]), ("[[[[[[[[7]]]]]]]]", [1, 1, 1, 1, 1, 1, 1, 1], [7]),
      (" [ [ 1 , 2 ] ,\n\t[ 3 ,4\r\n] ] ", [2, 2], [1, 2, 3, 4]),
    ] as [(String, [Int], [Float])])
  func nested(_ text: String, _ shape: [Int], _ floats: [Float]) {
    let tensor = readTensor(text).value
    #expect(tensor?.tensor.shape == Shape(shape))
    #expect(tensor?.tensor.floats == floats)
    #expect(tensor?.encoding == .nested)
    #expect(tensor?.datatype == .fp32)
  }

  @Test(
    arguments: [
      ("{\"shape\": [2, 2], \"datatype\": \"FP32\", \"data\": [1, 2, 3, 4]}", [2, 2], .flat, .fp32, [1, 2, 3, 4]),
      ("{\"data\": [1, 2], \"shape\": [1, 2, 1], \"datatype\": \"FP32\"}", [1, 2, 1], .flat, .fp32, [1, 2]),
      // Numbers for a narrower datatype are its nearest elements, ties to even.
      (
        "{\"shape\": [3], \"datatype\": \"FP16\", \"data\": [0.1, 2049, 65519]}", [3], .flat, .fp16,
        [0.099975586, 2048, 65504]
      ),
      ("{\"shape\": [2], \"datatype\": \"BF16\", \"data\": [0.1, 257]}", [2], .flat, .bf16, [0.100097656, 256]),
      ("{\"shape\": [2], \"datatype\": \"FP32\", \"base64\": \"AACAPwAAAMA=\"}", [2], .base64, .fp32, [1, -2]),
      (
        "{\"base64\": \"ADwAwAAB\", \"datatype\": \"FP16\", \"shape\": [3]}", [3], .base64, .fp16,
        [1, -2, 1.5258789e-05]
      ),
      ("{\"shape\": [1, 2], \"datatype\": \"BF16\", \"base64\": \"gD8AwA==\"}", [1, 2], .base64, .bf16, [1, -2]),
      ("{\"shape\": [1], \"datatype\": \"BF16\", \"base64\": \"\\/z8=\"}", [1], .base64, .bf16, [1.9921875]),
      ("{\"shape\": [1], \"datatype\": \"BF16\", \"base64\": \"\\u002fz8=\"}", [1], .base64, .bf16, [1.9921875]),
    ] as [(String, [Int], TensorEncoding, Datatype, [Float])])
  func objects(_ text: String, _ shape: [Int], _ encoding: TensorEncoding, _ datatype: Datatype, _ floats: [Float]) {
    let result = readTensor(text)
    #expect(result.error == nil)
    #expect(result.value?.tensor.shape == Shape(shape))
    #expect(result.value?.tensor.floats == floats)
    #expect(result.value?.encoding == encoding)
    #expect(result.value?.datatype == datatype)
  }

  @Test(
    arguments: [
      ("1", "", .notATensor(found: .number)), ("null", "", .notATensor(found: .null)),
      ("\"[1]\"", "", .notATensor(found: .string)),
      ("[]", "", .emptyDimension), ("[[]]", "/0", .emptyDimension), ("[[1],[]]", "/1", .emptyDimension),
      ("[[1,2],[3]]", "/1", .ragged(expected: 2, found: 1)), ("[[1,2],[3,4,5]]", "/1", .ragged(expected: 2, found: 3)),
      ("[[[1],[2]],[[3]]]", "/1", .ragged(expected: 2, found: 1)),
      ("[[[1],[2]],[[3],[4,5]]]", "/1/1", .ragged(expected: 1, found: 2)),
      ("[1, [2]]", "/1", .kind(expected: .number, found: .array)),
      ("[[1], 2]", "/1", .kind(expected: .array, found: .number)),
      ("[[1, 2, 3], [1, 2, 3, \"4\"]]", "/1/3", .kind(expected: .number, found: .string)),
      ("[[[1]], [2]]", "/1/0", .kind(expected: .array, found: .number)),
      ("[[1], [[2]]]", "/1/0", .kind(expected: .number, found: .array)),
      ("[null]", "/0", .kind(expected: .number, found: .null)),
      ("[true]", "/0", .kind(expected: .number, found: .boolean)),
      ("[{}]", "/0", .kind(expected: .number, found: .object)),
      ("[[0.5, {\"a\": 1}]]", "/0/1", .kind(expected: .number, found: .object)),
      ("[[[[[[[[[1]]]]]]]]]", "/0/0/0/0/0/0/0/0", .rankAbove8), ("[1, 2, 3e39]", "/2", .notFiniteInFloat32),
      ("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]", "/16", .tooManyElements(limit: 16)),
      ("[[1,2,3,4,5,6,7,8,9,10],[11,12,13,14,15,16,17,18,19,20]]", "/1/6", .tooManyElements(limit: 16)),

      ("{}", "", .missingMember("shape")), ("{\"shape\": [1], \"data\": [1]}", "", .missingMember("datatype")),
      ("{\"shape\": [1], \"datatype\": \"FP32\"}", "", .missingMember("data")),
      ("{\"shape\": [1], \"datatype\": \"FP32\", \"data\": [1], \"x\": 1}", "/x", .unknownMember),
      ("{\"shape\": [1], \"shape\": [1]}", "/shape", .duplicateMember),
      ("{\"shape\": [1], \"datatype\": \"FP64\", \"data\": [1]}", "/datatype", .unknownDatatype("FP64")),
      ("{\"shape\": [1], \"datatype\": \"fp32\", \"data\": [1]}", "/datatype", .unknownDatatype("fp32")),
      ("{\"datatype\": 32}", "/datatype", .kind(expected: .string, found: .number)),
      ("{\"data\": [1], \"base64\": \"\"}", "/base64", .conflictingMember("data")),
      ("{\"base64\": \"\", \"data\": [1]}", "/data", .conflictingMember("base64")),
      ("{\"shape\": 4}", "/shape", .kind(expected: .array, found: .number)), ("{\"shape\": []}", "/shape", .rankBelow1),
      ("{\"shape\": [0]}", "/shape/0", .emptyDimension), ("{\"shape\": [2, -1]}", "/shape/1", .outOfRange(0...Int.max)),
      ("{\"shape\": [2, 1.5]}", "/shape/1", .notAnInteger),
      ("{\"shape\": [\"2\"]}", "/shape/0", .kind(expected: .number, found: .string)),
      ("{\"shape\": [1,1,1,1,1,1,1,1,1]}", "/shape/8", .rankAbove8),
      ("{\"shape\": [4, 5]}", "/shape", .tooManyElements(limit: 16)),
      ("{\"shape\": [9223372036854775807, 2]}", "/shape", .tooManyElements(limit: 16)),
      ("{\"shape\": [3], \"datatype\": \"FP32\", \"data\": [1, 2]}", "/data", .elementCount(expected: 3, found: 2)),
      ("{\"shape\": [1], \"datatype\": \"FP32\", \"data\": [1, 2]}", "/data", .elementCount(expected: 1, found: 2)),
      ("{\"data\": []}", "/data", .emptyDimension),
      ("{\"data\": [[1]]}", "/data/0", .kind(expected: .number, found: .array)),
      ("{\"data\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]}", "/data/16", .tooManyElements(limit: 16)),
      ("{\"data\": [0.5, 1.5, false]}", "/data/2", .kind(expected: .number, found: .boolean)),
      ("{\"data\": [0.5, 1e40]}", "/data/1", .notFiniteInFloat32),
      ("{\"data\": \"AAAA\"}", "/data", .kind(expected: .array, found: .string)),
      ("{\"shape\": [2], \"datatype\": \"FP16\", \"data\": [1, 65520]}", "/data/1", .notFinite(.fp16, index: 1)),
      ("{\"shape\": [1], \"datatype\": \"BF16\", \"data\": [3.4028235e38]}", "/data/0", .notFinite(.bf16, index: 0)),
      (
        "{\"shape\": [1], \"datatype\": \"FP32\", \"base64\": \"AACAPwAAAMA=\"}", "/base64",
        .byteCount(expected: 4, found: 8)
      ),
      ("{\"shape\": [1], \"datatype\": \"FP32\", \"base64\": \"\"}", "/base64", .byteCount(expected: 4, found: 0)),
      ("{\"shape\": [1], \"datatype\": \"FP32\", \"base64\": \"AACAPw\"}", "/base64", .notBase64(index: 6)),
      ("{\"shape\": [1], \"datatype\": \"FP32\", \"base64\": \"AACA-w==\"}", "/base64", .notBase64(index: 4)),
      ("{\"shape\": [1], \"datatype\": \"FP32\", \"base64\": \"AAC\\u0000Pw==\"}", "/base64", .notBase64(index: 3)),
      ("{\"shape\": [1], \"datatype\": \"FP32\", \"base64\": [0]}", "/base64", .kind(expected: .string, found: .array)),
      (
        "{\"shape\": [2], \"datatype\": \"FP32\", \"base64\": \"AACAPwAAgH8=\"}", "/base64", .notFinite(.fp32, index: 1)
      ),
      ("{\"shape\": [2], \"datatype\": \"FP16\", \"base64\": \"ADwAfg==\"}", "/base64", .notFinite(.fp16, index: 1)),
      ("{\"shape\": [2], \"datatype\": \"BF16\", \"base64\": \"gP+APw==\"}", "/base64", .notFinite(.bf16, index: 0)),
    ] as [(String, String, JSONMismatch)])
  func malformed(_ text: String, _ pointer: String, _ mismatch: JSONMismatch) {
    #expect(readTensor(text, maxElements: 16).error == .mismatch(pointer: pointer, mismatch))
    // The same far from the end of the text, where the fast row scanner is at work.
    let padded = text + String(repeating: " ", count: 100)
    #expect(readTensor(padded, maxElements: 16).error == .mismatch(pointer: pointer, mismatch))
  }

  @Test(
    arguments: [
      ("[1, 2", 5, .commaOrEndOfArray), ("[1, 2,]", 6, .value), ("[1, 2.]", 6, .digit), ("[1, 02]", 5, .noLeadingZero),
      ("[1, 2e]", 6, .digit), ("[0.5, 0.25x]", 10, .commaOrEndOfArray), ("[1, NaN]", 4, .value), ("[1,, 2]", 3, .value),
      ("[[1], [2]", 9, .commaOrEndOfArray), ("[1] ]", 4, .endOfText), ("[-]", 2, .digit),
      ("[1.5 2.5]", 5, .commaOrEndOfArray),
      ("[\"a\", 1.5", 9, .commaOrEndOfArray), ("[[1],[2,3],[4]", 14, .commaOrEndOfArray),
      ("[0.12345678901234567890123456789.5]", 32, .commaOrEndOfArray), ("[1234567890123.]", 15, .digit),
    ] as [(String, Int, JSONExpectation)])
  func malformedJSON(_ text: String, _ offset: Int, _ expected: JSONExpectation) {
    #expect(readTensor(text).error == .syntax(offset: offset, expected: expected))
    if expected != .commaOrEndOfArray || offset < text.utf8.count {
      let padded = text + String(repeating: " ", count: 100)
      #expect(readTensor(padded).error == .syntax(offset: offset, expected: expected))
    }
  }

  /// What stands behind the last byte of the text is never read into it, whatever the alignment of its end.
  @Test func theTextEndsWhereItEnds() {
    let memory = Array("[0.25,1.5,0.12345678,3]999999999999999999999999999999999999999999999999999999999999".utf8)
    for end in 1...memory.count {
      memory.withUnsafeBufferPointer { buffer in
        var reader = JSONReader(UnsafeBufferPointer(rebasing: buffer[..<end]))
        let tensor = try? reader.readTensor(limit: TensorLimits(maxElements: 100))
        if end < 23 { #expect(tensor == nil) } else { #expect(tensor?.tensor.floats == [0.25, 1.5, 0.12345678, 3]) }
      }
    }
  }

  @Test func aTensorBeyondItsFirstEstimateGrows() {
    let text = "[" + Array(repeating: "1", count: 100_000).joined(separator: ",") + "]"
    let tensor = readTensor(text).value
    #expect(tensor?.tensor.shape == Shape([100_000]))
    #expect(tensor?.tensor.floats.allSatisfy { $0 == 1 } == true)
  }

  @Test func valid64LevelsAroundATensor() {
    let text = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
    #expect(readTensor(text).error == .mismatch(pointer: "/0/0/0/0/0/0/0/0", .rankAbove8))
    #expect(readTensor("[" + text + "]").error == .syntax(offset: 64, expected: .shallowerNesting))
  }

  @Test func shapes() {
    #expect(Shape([]) == nil)
    #expect(Shape([2, 0]) == nil)
    #expect(Shape([-1]) == nil)
    #expect(Shape([1 << 32, 1 << 32]) == nil)
    #expect(Shape(Array(repeating: 1, count: 9)) == nil)
    #expect(Shape([2, 3, 5])?.count == 30)
    #expect(Shape([2, 3, 5])?.leading == 6)
    #expect(Shape([2, 3, 5])?.replacingLast(with: 7) == Shape([2, 3, 7]))
    #expect(Shape([2, 3, 5])?.replacingLast(with: 7).count == 42)
    #expect(Shape([4, 8]) == Shape(rows: 4, columns: 8))
    #expect(Shape([4, 8]) != Shape([32]))
    #expect(Shape([4, 8])?.description == "[4, 8]")
  }
}

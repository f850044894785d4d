import Foundation
import HTTP1
import InferenceAPI
import Testing

private typealias Message = OpenInferenceMessage

/// POST /v2/models/{model}/infer, by bytes written out by hand.
@Suite struct OpenInferenceTests {
  static let x: [Float] = [0.5, -1, 2, 0.25]
  static let expected = Oracle.demo("swiglu").apply(x.map(Double.init)).output
  static let declared = #""name":"input","shape":[1,4],"datatype":"FP32""#
  static let input = #"{\#(declared),"data":[0.5,-1,2,0.25]}"#
  static let binaryInput = #"{\#(declared),"parameters":{"binary_data_size":16}}"#

  @Test(
    arguments: [
      "[0.5,-1,2,0.25]", "[[0.5,-1,2,0.25]]", "[ [ 0.5 , -1.0,\n2e0, 25e-2 ] ]",
    ], [nil, "application/json", "application/octet-stream", "text/plain"])
  func jsonDataIsFlatOrNested(_ data: String, _ contentType: String?) async throws {
    let harness = try Harness()
    let answer = await harness.send(
      Message.infer(#"{"id":"r\"1","inputs":[{\#(Self.declared),"data":\#(data)}]}"#, contentType: contentType))
    #expect(answer.status == 200, "\(answer.text)")
    #expect(answer.fields.first(.contentType) == "application/json")
    #expect(answer.fields.first(.inferenceHeaderContentLength) == nil)
    let reply = Inferred(answer)
    #expect(Set(reply.json.keys) == ["model_name", "model_version", "id", "parameters", "outputs"])
    #expect(reply.json["model_name"] as? String == "demo")
    #expect(reply.json["model_version"] as? String == "1")
    #expect(reply.json["id"] as? String == "r\"1")
    #expect(reply.names == ["output"] && reply.shape() == [1, 4] && reply.datatype() == "FP32")
    // A client takes any parameters of an output for the size of binary data.
    #expect(reply.output()["parameters"] == nil)
    #expect((reply.output()["data"] as? [Double])?.count == 4)
    #expect(isClose(reply.floats(), Self.expected))
    #expect(harness.outcomes.all.map(\.route) == ["/v2/models/{model}/infer"])
  }

  @Test func timingIsInTheParametersOfTheReply() async throws {
    let answer = await (try Harness()).send(Message.infer(#"{"inputs":[\#(Self.input)]}"#))
    let timing = Inferred(answer).json["parameters"] as? [String: Int] ?? [:]
    #expect(
      Set(timing.keys) == [
        "read_us", "decode_us", "queue_us", "compute_us", "encode_us", "total_us", "batch_rows", "batch_requests",
      ])
    #expect(timing["batch_rows"] == 1 && timing["batch_requests"] == 1)
    let metrics = (answer.fields.first(.serverTiming) ?? "").components(separatedBy: ", ")
    for (index, name) in ["read", "decode", "queue", "compute", "encode", "total"].enumerated() {
      let milliseconds = Double(timing["\(name)_us"] ?? -1) / 1000
      #expect(metrics[index] == "\(name);dur=\(String(format: "%.3f", milliseconds))")
    }
    #expect((timing["total_us"] ?? 0) >= (timing["encode_us"] ?? .max))
  }

  /// Binary in and out, JSON in and out, and each with the other.
  @Test(arguments: [false, true], [false, true])
  func formsOfInputAndOutputAreIndependent(_ binaryIn: Bool, _ binaryOut: Bool) async throws {
    let harness = try Harness()
    let json = """
      {"inputs":[\(binaryIn ? Self.binaryInput : Self.input)],"parameters":{"binary_data_output":\(binaryOut)}}
      """
    let answer = await harness.send(Message.infer(json, behind: binaryIn ? Message.fp32(Self.x) : []))
    #expect(answer.status == 200, "\(answer.text)")
    let reply = Inferred(answer)
    #expect(reply.isWhole && reply.isBinary() == binaryOut && isClose(reply.floats(), Self.expected))
    #expect(answer.fields.first(.contentType) == (binaryOut ? "application/octet-stream" : "application/json"))
    #expect((answer.fields.first(.inferenceHeaderContentLength) != nil) == binaryOut)
    if binaryOut { #expect(reply.bytes().count == 16 && reply.output()["data"] == nil) }
  }

  /// An output's own parameter wins over the request's, and only where it is present.
  @Test(arguments: [
    (#""binary_data_output":true"#, "", true), (#""binary_data_output":true"#, #""binary_data":false"#, false),
    (#""binary_data_output":false"#, #""binary_data":true"#, true), ("", #""binary_data":true"#, true),
    (#""binary_data_output":true"#, #""datatype":"FP32""#, true), ("", "", false),
  ])
  func outputOverridesTheRequest(_ request: String, _ output: String, _ isBinary: Bool) async throws {
    let json = """
      {"inputs":[\(Self.input)],"parameters":{\(request)},"outputs":[{"name":"output","parameters":{\(output)}}]}
      """
    let reply = Inferred(await (try Harness()).send(Message.infer(json)))
    #expect(reply.isBinary() == isBinary && isClose(reply.floats(), Self.expected))
  }

  @Test func outputsComeInTheOrderAskedForAndMayBeMixed() async throws {
    let json = """
      {"inputs":[\(Self.input)],"outputs":[{"name":"hidden","parameters":{"binary_data":true}},{"name":"gate"},\
      {"name":"output","parameters":{"binary_data":true,"datatype":"BF16"}},{"name":"up","parameters":{"datatype":"FP16"}}]}
      """
    let answer = await (try Harness()).send(Message.infer(json))
    #expect(answer.status == 200, "\(answer.text)")
    let reply = Inferred(answer)
    let oracle = Oracle.demo("swiglu").apply(Self.x.map(Double.init))
    #expect(reply.isWhole && reply.names == ["hidden", "gate", "output", "up"])
    #expect(isClose(reply.floats("hidden"), oracle.hidden) && isClose(reply.floats("gate"), oracle.gate))
    // The demo model's projections of this row are exact in half precision.
    #expect(reply.datatype("up") == "FP16" && isClose(reply.floats("up"), oracle.up))
    #expect(reply.datatype("output") == "BF16" && reply.bytes("output").count == 8)
    for (found, right) in zip(reply.floats("output"), Self.expected) {
      #expect(abs(Double(found) - right) <= abs(right) / 256)
    }
    #expect(reply.shape("hidden") == [1, 8] && reply.shape("output") == [1, 4])
  }

  @Test(arguments: [
    ("FP32", Message.fp32(OpenInferenceTests.x)), ("FP16", Message.fp16(OpenInferenceTests.x)),
    ("BF16", Message.bf16(OpenInferenceTests.x)), ("FP64", Message.fp64(OpenInferenceTests.x.map(Double.init))),
  ])
  func floatsComeInEveryWidth(_ datatype: String, _ bytes: [UInt8]) async throws {
    let harness = try Harness()
    let json =
      #"{"inputs":[{"name":"input","shape":[4],"datatype":"\#(datatype)","parameters":{"binary_data_size":"#
      + #"\#(bytes.count)}}]}"#
    let binary = Inferred(await harness.send(Message.infer(json, behind: bytes)))
    #expect(binary.shape() == [4] && isClose(binary.floats(), Self.expected))
    let text = Inferred(
      await harness.send(
        Message.infer(
          #"{"inputs":[{"name":"input","shape":[4],"datatype":"\#(datatype)","data":[0.5,-1,2,0.25]}]}"#)))
    #expect(isClose(text.floats(), Self.expected))
    // The members may stand in any order.
    let other = Inferred(
      await harness.send(
        Message.infer(
          #"{"inputs":[{"data":[0.5,-1,2,0.25],"shape":[4],"datatype":"\#(datatype)","name":"input"}]}"#)))
    #expect(isClose(other.floats(), Self.expected))
  }

  @Test(arguments: ["INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"])
  func integersComeInEveryWidth(_ datatype: String) async throws {
    let isSigned = datatype.hasPrefix("INT")
    let values: [Int64] = isSigned ? [-3, 100, 0, 7] : [3, 100, 0, 255]
    let width = (Int(datatype.drop { $0.isLetter }) ?? 0) / 8
    let bytes = values.flatMap { Message.bytes($0).prefix(width) }
    let harness = try Harness()
    let right = Oracle.demo("swiglu").apply(values.map(Double.init)).output
    let declared = #""name":"input","shape":[1,4],"datatype":"\#(datatype)""#
    let binary = await harness.send(
      Message.infer(#"{"inputs":[{\#(declared),"parameters":{"binary_data_size":\#(bytes.count)}}]}"#, behind: bytes))
    #expect(isClose(Inferred(binary).floats(), right), "\(binary.text)")
    let text = await harness.send(Message.infer(#"{"inputs":[{\#(declared),"data":\#(values)}]}"#))
    #expect(isClose(Inferred(text).floats(), right), "\(text.text)")
  }

  /// What float32 does not have is no input, whatever type it came in: 2²⁴ + 1, 0.1 in float64, beyond the type.
  @Test(arguments: [
    ("INT32", "[16777217,0,0,0]", Message.bytes(Int32(16_777_217)) + [UInt8](repeating: 0, count: 12)),
    (
      "UINT64", "[0,18446744073709551615,0,0]",
      Message.bytes(0 as UInt64) + Message.bytes(UInt64.max) + .init(repeating: 0, count: 16)
    ),
    ("FP64", "[0,0,0.1,0]", Message.fp64([0, 0, 0.1, 0])),
    ("FP64", "[1e300,0,0,0]", Message.fp64([1e300, 0, 0, 0])),
  ])
  func valuesAreNeverRoundedSilently(_ datatype: String, _ data: String, _ bytes: [UInt8]) async throws {
    let harness = try Harness()
    let declared = #""name":"input","shape":[1,4],"datatype":"\#(datatype)""#
    for request in [
      Message.infer(#"{"inputs":[{\#(declared),"data":\#(data)}]}"#),
      Message.infer(#"{"inputs":[{\#(declared),"parameters":{"binary_data_size":\#(bytes.count)}}]}"#, behind: bytes),
    ] {
      let answer = await harness.send(request)
      #expect(answer.status == 422 && answer.json["error"] is String, "\(answer.text)")
    }
  }

  @Test(arguments: ["INT8", "UINT8", "INT32"])
  func numbersOutsideOfTheirTypeAreRefused(_ datatype: String) async throws {
    let harness = try Harness()
    let data = ["INT8": "[1,2,3,128]", "UINT8": "[1,2,3,-1]", "INT32": "[1,2,3,0.5]"][datatype] ?? ""
    let answer = await harness.send(
      Message.infer(#"{"inputs":[{"name":"input","shape":[1,4],"datatype":"\#(datatype)","data":\#(data)}]}"#))
    #expect(answer.status == 422 && answer.text.contains("Element 3"), "\(answer.text)")
  }

  @Test(arguments: [[4], [1, 4], [2, 1, 4], [1, 1, 1, 1, 1, 1, 2, 4]])
  func leadingDimensionsAreKept(_ shape: [Int]) async throws {
    let rows = shape.dropLast().reduce(1, *)
    let bytes = (0..<rows).flatMap { _ in Message.fp32(Self.x) }
    let answer = await (try Harness()).send(
      Message.infer(
        """
        {"inputs":[{"name":"input","shape":\(shape),"datatype":"FP32","parameters":{"binary_data_size":\(bytes.count)}}],\
        "outputs":[{"name":"output","parameters":{"binary_data":true}},{"name":"up"}]}
        """, behind: bytes))
    let reply = Inferred(answer)
    #expect(reply.shape() == shape && reply.shape("up") == shape.dropLast() + [8])
    #expect(isClose(reply.floats(), (0..<rows).flatMap { _ in Self.expected }))
  }

  /// JSON has no infinity and refuses it; float32 has, and so has its binary form.
  @Test func infinityComesInBinaryAlone() async throws {
    let harness = try Harness()
    let input = #"{\#(Self.declared),"data":[1e30,2e30,1e30,4e30]}"#
    let answer = await harness.send(Message.infer(#"{"inputs":[\#(input)],"parameters":{"binary_data_output":true}}"#))
    #expect(answer.status == 200 && Inferred(answer).floats().contains { !$0.isFinite })
    #expect(await harness.send(Message.infer(#"{"inputs":[\#(input)]}"#)).status == 422)
  }

  // MARK: The raw form

  @Test(arguments: [1, 3])
  func rawBodyIsTheInput(_ rows: Int) async throws {
    let body = (0..<rows).flatMap { _ in Message.fp32(Self.x) }
    let answer = await (try Harness()).send(Message.infer("demo.swiglu", "", binary: body, jsonBytes: "0"))
    #expect(answer.status == 200, "\(answer.text)")
    let reply = Inferred(answer)
    #expect(reply.isBinary() && reply.isWhole && reply.shape() == [rows, 4])
    #expect(isClose(reply.floats(), (0..<rows).flatMap { _ in Self.expected }))
  }

  @Test func rawBodyIsWholeRows() async throws {
    let answer = await (try Harness()).send(
      Message.infer("", binary: [UInt8](repeating: 0, count: 17), jsonBytes: "0"))
    #expect(answer.status == 422 && answer.json["error"] is String)
  }

  // MARK: The layer

  @Test(arguments: [
    ("demo.reglu", ""), ("demo.3", ""), ("demo", #""parameters":{"layer":"reglu"},"#),
    ("demo", #""parameters":{"layer":3},"#), ("demo/versions/1", #""parameters":{"layer":3},"#), ("d%65mo.re%67lu", ""),
  ])
  func layerIsInTheNameOrAmongTheParameters(_ name: String, _ parameters: String) async throws {
    try #require(variants[3] == "reglu")
    let answer = await (try Harness()).send(Message.infer(name, #"{\#(parameters)"inputs":[\#(Self.input)]}"#))
    #expect(answer.status == 200, "\(answer.text)")
    let reply = Inferred(answer)
    #expect(isClose(reply.floats(), Oracle.demo("reglu").apply(Self.x.map(Double.init)).output))
    #expect(reply.json["model_name"] as? String == name.components(separatedBy: "/")[0].removingPercentEncoding)
  }

  // MARK: Large bodies

  /// Decoded and encoded on workers, the same bits come out.
  @Test func sizeDoesNotChangeABit() async throws {
    let rows = (0..<50).map { row in Self.x.map { $0 + Float(row) } }
    let bytes = rows.flatMap(Message.fp32)
    let json =
      #"{"inputs":[{"name":"input","shape":[50,4],"datatype":"FP32","parameters":{"binary_data_size":800}}],"#
      + #""parameters":{"binary_data_output":true}}"#
    let small = Inferred(await (try Harness()).send(Message.infer(json, behind: bytes)))
    let harness = try Harness { $0.inline.binaryBytes = 0 }
    let large = Inferred(await harness.send(Message.infer(json, behind: bytes)))
    let text = #"{"inputs":[{"name":"input","shape":[50,4],"datatype":"FP32","data":\#(rows)}]}"#
    let spelled = Inferred(
      await (try Harness { ($0.inline.bodyBytes, $0.inline.replyNumbers) = (0, 0) }).send(Message.infer(text)))
    #expect(small.bytes().count == 800 && small.bytes() == large.bytes())
    #expect(spelled.floats() == small.floats())
  }
}

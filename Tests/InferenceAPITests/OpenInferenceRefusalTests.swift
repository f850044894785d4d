import Foundation
import HTTP1
import InferenceAPI
import Testing

private typealias Message = OpenInferenceMessage

/// What `infer` refuses: always with `{"error": "…"}`, a status that is not 200, and never 499, which a client takes
/// for its own deadline.
@Suite struct OpenInferenceRefusalTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let json: String
    var binary: [UInt8] = []
    var header: String?
    let status: Int
    /// What the text has to name.
    let names: String
    var testDescription: String { json.isEmpty ? "header \(header ?? "none")" : json }
  }

  static let input = OpenInferenceTests.input
  static let binary = OpenInferenceTests.binaryInput

  static let refusals: [Refusal] = [
    // The header.
    Refusal(json: "{}", header: "3", status: 400, names: "Inference-Header-Content-Length"),
    Refusal(json: "{}", header: "-1", status: 400, names: "Inference-Header-Content-Length"),
    Refusal(json: "{}", header: "+2", status: 400, names: "Inference-Header-Content-Length"),
    Refusal(json: "{}", header: "2.0", status: 400, names: "Inference-Header-Content-Length"),
    Refusal(json: "{}", header: "", status: 400, names: "Inference-Header-Content-Length"),
    Refusal(json: "{}", header: "99999999999999999999", status: 400, names: "Inference-Header-Content-Length"),
    // The JSON ends where the header says.
    Refusal(json: #"{"inputs":[]}"#, header: "12", status: 400, names: "byte 12"),
    Refusal(json: #"{"inputs":"#, status: 400, names: "byte 10"),
    Refusal(json: "[]", status: 422, names: "object"),
    Refusal(json: "{}", status: 422, names: "inputs"),
    Refusal(json: #"{"inputs":[],"x":1}"#, status: 422, names: "/x"),
    Refusal(json: #"{"inputs":[],"id":7}"#, status: 422, names: "/id"),
    // Inputs.
    Refusal(json: #"{"inputs":[]}"#, status: 422, names: #""input""#),
    Refusal(
      json: #"{"inputs":[{"name":"x","shape":[4],"datatype":"FP32","data":[1,2,3,4]}]}"#, status: 422,
      names: "/inputs/0/name"),
    Refusal(json: #"{"inputs":[\#(input),\#(input)]}"#, status: 422, names: "/inputs/1"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"FP32"}]}"#, status: 422, names: "/inputs/0/data"),
    Refusal(
      json: #"{"inputs":[{"name":"input","datatype":"FP32","data":[1,2,3,4]}]}"#, status: 422, names: "/inputs/0/shape"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"data":[1,2,3,4]}]}"#, status: 422, names: "/inputs/0/datatype"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"BYTES","data":["a"]}]}"#, status: 422, names: "BYTES"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"BOOL","data":[true]}]}"#, status: 422, names: "BOOL"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"FP32","data":[1,2,3]}]}"#, status: 422,
      names: "4 numbers, found 3"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[2,2],"datatype":"FP32","data":[[1,2,3,4]]}]}"#, status: 422,
      names: "/inputs/0/data"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[0,4],"datatype":"FP32","data":[]}]}"#, status: 422,
      names: "/inputs/0/shape/0"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[],"datatype":"FP32","data":[1]}]}"#, status: 422,
      names: "/inputs/0/shape"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"FP32","data":[1,2,"3",4]}]}"#, status: 422,
      names: "/inputs/0/data/2"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"FP32","data":[1,NaN,3,4]}]}"#, status: 400,
      names: "byte"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"FP16","data":[1,2,3,70000]}]}"#, status: 422,
      names: "FP16"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[3],"datatype":"FP32","data":[1,2,3]}]}"#, status: 422,
      names: "rows of 4"),
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[4],"datatype":"FP32","parameters":{"shared_memory_region":"r"}}]}"#,
      status: 422, names: "shared_memory_region"),
    // Binary data.
    Refusal(json: #"{"inputs":[\#(binary)]}"#, status: 422, names: "16 bytes"),
    Refusal(json: #"{"inputs":[\#(input)]}"#, binary: [1], status: 422, names: "1 follow"),
    Refusal(
      json: #"{"inputs":[{\#(OpenInferenceTests.declared),"parameters":{"binary_data_size":15}}]}"#,
      binary: .init(repeating: 0, count: 15), status: 422, names: "/inputs/0/parameters/binary_data_size"),
    Refusal(
      json: #"{"inputs":[{\#(OpenInferenceTests.declared),"parameters":{"binary_data_size":9223372036854775807}}]}"#,
      status: 422, names: "/inputs/0/parameters/binary_data_size"),
    Refusal(
      json: #"{"inputs":[{\#(OpenInferenceTests.declared),"data":[1,2,3,4],"parameters":{"binary_data_size":16}}]}"#,
      binary: .init(repeating: 0, count: 16), status: 422, names: "binary_data_size"),
    Refusal(
      json: #"{"inputs":[\#(binary)]}"#, binary: Message.fp32([1, .nan, 3, 4]), status: 422, names: "Element 1"),
    // Outputs.
    Refusal(json: #"{"inputs":[\#(input)],"outputs":[{"name":"logits"}]}"#, status: 422, names: "/outputs/0/name"),
    Refusal(
      json: #"{"inputs":[\#(input)],"outputs":[{"name":"output"},{"name":"output"}]}"#, status: 422,
      names: "/outputs/1"),
    Refusal(
      json: #"{"inputs":[\#(input)],"outputs":[{"name":"output","parameters":{"classification":2}}]}"#, status: 422,
      names: "classification"),
    Refusal(
      json: #"{"inputs":[\#(input)],"outputs":[{"name":"output","parameters":{"shared_memory_region":"r"}}]}"#,
      status: 422, names: "shared_memory_region"),
    Refusal(
      json: #"{"inputs":[\#(input)],"outputs":[{"name":"output","parameters":{"datatype":"INT8"}}]}"#, status: 422,
      names: "INT8"),
    Refusal(json: #"{"inputs":[\#(input)],"outputs":[{"name":"router_logits"}]}"#, status: 422, names: "router_logits"),
    // Parameters.
    Refusal(json: #"{"inputs":[\#(input)],"parameters":{"lyer":1}}"#, status: 422, names: "/parameters/lyer"),
    Refusal(json: #"{"inputs":[\#(input)],"parameters":{"layer":99}}"#, status: 404, names: "layer 99"),
    Refusal(json: #"{"inputs":[\#(input)],"parameters":{"priority":10}}"#, status: 422, names: "/parameters/priority"),
    Refusal(json: #"{"inputs":[\#(input)],"parameters":{"timeout":-1}}"#, status: 422, names: "/parameters/timeout"),
    Refusal(json: #"{"inputs":[\#(input)],"parameters":{"sequence_id":3}}"#, status: 422, names: "sequence_id"),
    Refusal(
      json: #"{"inputs":[\#(input)],"parameters":{"sequence_start":true}}"#, status: 422, names: "sequence_start"),
    Refusal(
      json: #"{"inputs":[\#(input),{"name":"expert_weights","shape":[1,1],"datatype":"FP32","data":[1]}]}"#,
      status: 422, names: "expert_indices"),
    Refusal(
      json: """
        {"inputs":[\(input),{"name":"expert_weights","shape":[1,1],"datatype":"FP32","data":[1]},\
        {"name":"expert_indices","shape":[1,1],"datatype":"INT32","data":[0]}]}
        """, status: 422, names: "mixture"),
    // A result that is not finite.
    Refusal(
      json: #"{"inputs":[{"name":"input","shape":[1,4],"datatype":"FP32","data":[1e30,2e30,1e30,4e30]}]}"#, status: 422,
      names: "output[0, 0]"),
  ]

  @Test(arguments: refusals, [48 << 10, 0])
  func refusalIsOneString(_ refusal: Refusal, _ inlineBytes: Int) async throws {
    let harness = try Harness { ($0.inline.bodyBytes, $0.inline.binaryBytes) = (inlineBytes, inlineBytes) }
    let header = refusal.header ?? (refusal.binary.isEmpty ? nil : "\(refusal.json.utf8.count)")
    let answer = await harness.send(Message.infer(refusal.json, binary: refusal.binary, jsonBytes: header))
    #expect(answer.status == refusal.status, "\(answer.text)")
    #expect(answer.fields.first(.contentType) == "application/json")
    #expect(answer.json.count == 1)
    #expect((answer.json["error"] as? String ?? "").contains(refusal.names), "\(answer.text)")
    #expect(harness.outcomes.all.count == 1)
  }

  @Test(arguments: [
    ("nothing", 404), ("demo.99", 404), ("demo/versions/2", 404), ("demo.reglu/versions/1", 422), ("demo.reglu", 422),
  ])
  func modelsAndLayersAreFoundOrNot(_ name: String, _ status: Int) async throws {
    // A layer among the parameters as well as in the name is one too many.
    let answer = await (try Harness()).send(
      Message.infer(name, #"{"parameters":{"layer":"swiglu"},"inputs":[\#(Self.input)]}"#))
    #expect(answer.status == status && answer.json["error"] is String, "\(answer.text)")
  }

  @Test func whatIsRefusedOnTheHeadIsOneStringToo() async throws {
    let loading = await (try Harness([])).send(Message.infer(#"{"inputs":[\#(Self.input)]}"#))
    #expect(loading.status == 503 && loading.json["error"] is String && loading.fields.first(.retryAfter) != nil)
    let large = await (try Harness { $0.bodyBytesLimit = 10 }).send(Message.infer(#"{"inputs":[\#(Self.input)]}"#))
    #expect(large.status == 413 && large.json["error"] is String)
    let empty = await (try Harness()).send(Message.infer(""))
    #expect(empty.status == 400 && empty.json["error"] is String)
    let got = await (try Harness()).get("/v2/models/demo/infer")
    #expect(got.status == 405 && got.json["error"] is String && got.fields.first(.allow) == "POST, OPTIONS")
  }

  @Test func reservedParametersOfOthersArePassedOver() async throws {
    let answer = await (try Harness()).send(
      Message.infer(
        """
        {"inputs":[\(Self.input)],"parameters":{"headers":{"a":1},"triton_enable_empty_final_response":true,\
        "sequence_id":0,"sequence_start":false,"sequence_end":false,"priority":0,"timeout":0}}
        """))
    #expect(answer.status == 200, "\(answer.text)")
  }

  /// A deadline of a microsecond has passed before anything is computed.
  @Test func timeoutIsInMicroseconds() async throws {
    let answer = await (try Harness(batchDelay: .milliseconds(5))).send(
      Message.infer(#"{"inputs":[\#(Self.input)],"parameters":{"timeout":1}}"#))
    #expect(answer.status == 504 && answer.json["error"] is String)
    let long = await (try Harness()).send(
      Message.infer(#"{"inputs":[\#(Self.input)],"parameters":{"timeout":60000000}}"#))
    #expect(long.status == 200)
  }
}

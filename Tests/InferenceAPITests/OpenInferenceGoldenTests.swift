import Checkpoint
import FeedForward
import Foundation
import InferenceAPI
import Testing

private typealias Message = OpenInferenceMessage

/// Goldens through the Open Inference Protocol: the bits of POST /v1/ffn.
@Suite struct OpenInferenceGoldenTests {
  private static func compare(
    _ harness: Harness, _ model: String, _ input: Golden.Values, activations: [String]
  ) async throws {
    let names = activations.map { "\"\($0)\"" }.joined(separator: ",")
    let native = await harness.ffn(
      #"{"input":\#(input.base64),"activations":[\#(names)]}"#)
    #expect(native.status == 200, "\(native.text)")
    let bytes = Message.fp32(input.floats)
    let outputs = (["output"] + activations).map { #"{"name":"\#($0)"}"# }.joined(separator: ",")
    let declared = #""name":"input","shape":\#(input.shape),"datatype":"FP32""#
    for request in [
      Message.infer(
        model,
        #"{"inputs":[{\#(declared),"parameters":{"binary_data_size":\#(bytes.count)}}],"outputs":[\#(outputs)],"#
          + #""parameters":{"binary_data_output":true}}"#, behind: bytes),
      Message.infer(model, #"{"inputs":[{\#(declared),"data":\#(input.nested)}],"outputs":[\#(outputs)]}"#),
    ] {
      let answer = await harness.send(request)
      #expect(answer.status == 200, "\(answer.text.prefix(300))")
      let reply = Inferred(answer)
      #expect(reply.isWhole && reply.shape().dropLast() == input.shape.dropLast())
      #expect(reply.floats().map(\.bitPattern) == native.output.map(\.bitPattern))
      for activation in activations {
        #expect(reply.floats(activation).map(\.bitPattern) == native.activation(activation).map(\.bitPattern))
      }
    }
  }

  @Test(arguments: GoldenTests.cases.filter { $0.parameters.isEmpty && $0.down != nil })
  func layerGivesTheSameBits(_ test: GoldenTests.Case) async throws {
    let golden = try Golden(test.file)
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: url) }
    try Golden.write(
      GoldenTests.tensors(test, golden).map { (name: $0.name, values: $0.values) },
      metadata: ["variant": test.variant], to: url)
    let harness = try Harness([GivenModel(name: "golden", source: .checkpoint(path: url.path))])
    try await Self.compare(harness, "golden", golden("input"), activations: ["gate", "up", "hidden"])
  }

  @Test(arguments: MixtureTests.cases)
  func mixtureGivesTheSameBits(_ test: MixtureTests.Case) async throws {
    let harness = try MixtureTests.with(test) { try Harness($0) }
    try await Self.compare(
      harness, "moe", Golden(test.file)("input"),
      activations: ["router_logits", "expert_indices", "expert_weights"])
  }

  /// The router's own choice sent back, indices as integers of any width, in binary and in JSON.
  @Test(arguments: ["INT32", "INT64", "UINT8", "FP32"])
  func givenExpertsGiveTheRoutersSum(_ datatype: String) async throws {
    let test = MixtureTests.cases[0]
    let input = try Golden(test.file)("input")
    let harness = try MixtureTests.with(test) { try Harness($0) }
    let bytes = Message.fp32(input.floats)
    let declared =
      #""name":"input","shape":\#(input.shape),"datatype":"FP32","parameters":{"binary_data_size":\#(bytes.count)}"#
    let routed = Inferred(
      await harness.send(
        Message.infer(
          "moe",
          #"{"inputs":[{\#(declared)}],"outputs":[{"name":"output"},{"name":"expert_indices"},{"name":"expert_weights"}],"#
            + #""parameters":{"binary_data_output":true}}"#, behind: bytes)))
    #expect(routed.datatype("expert_indices") == "INT64")
    let (indices, weights) = (routed.floats("expert_indices"), routed.floats("expert_weights"))
    let shape = routed.shape("expert_indices")
    #expect(shape == [input.shape[0], test.topK] && Set(indices).isSubset(of: Set((0..<8).map(Float.init))))
    let indexBytes: [UInt8] =
      switch datatype {
      case "INT32": indices.flatMap { Message.bytes(Int32($0)) }
      case "INT64": indices.flatMap { Message.bytes(Int64($0)) }
      case "UINT8": indices.map { UInt8($0) }
      default: Message.fp32(indices)
      }
    let weightBytes = Message.fp32(weights)
    let binary = await harness.send(
      Message.infer(
        "moe",
        """
        {"inputs":[{"name":"expert_indices","shape":\(shape),"datatype":"\(datatype)","parameters":{"binary_data_size":\
        \(indexBytes.count)}},{\(declared)},{"name":"expert_weights","shape":\(shape),"datatype":"FP32",\
        "parameters":{"binary_data_size":\(weightBytes.count)}}],"parameters":{"binary_data_output":true}}
        """, behind: indexBytes + bytes + weightBytes))
    #expect(binary.status == 200, "\(binary.text.prefix(300))")
    #expect(Inferred(binary).bytes() == routed.bytes())
    let text = await harness.send(
      Message.infer(
        "moe",
        """
        {"inputs":[{"name":"input","shape":\(input.shape),"datatype":"FP32","data":\(input.nested)},\
        {"name":"expert_indices","shape":\(shape),"datatype":"\(datatype)","data":\(indices.map { Int($0) })},\
        {"name":"expert_weights","shape":\(shape),"datatype":"FP32","data":\(weights)}]}
        """))
    #expect(text.status == 200, "\(text.text.prefix(300))")
    #expect(Inferred(text).floats() == routed.floats())

    let beyond = await harness.send(
      Message.infer(
        "moe",
        """
        {"inputs":[{"name":"input","shape":[1,64],"datatype":"FP32","data":\(Array(input.floats[..<64]))},\
        {"name":"expert_indices","shape":[1,2],"datatype":"\(datatype)","data":[0,8]},\
        {"name":"expert_weights","shape":[1,2],"datatype":"FP32","data":[0.5,0.5]}]}
        """))
    #expect(beyond.status == 422 && beyond.text.contains("expert_indices"), "\(beyond.text)")
  }
}

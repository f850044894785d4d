import Foundation
import InferenceAPI
import Synchronization
import Testing

/// Layers of published models through POST /v1/ffn, with weights in the request and from a checkpoint.
@Suite struct GoldenTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let file: String
    let variant: String
    var parameters = ""
    let gate: String
    let up: String
    let down: String?
    var testDescription: String { file }
  }

  static let cases: [Case] = {
    var cases = [
      Case(file: "llama_mlp", variant: "swiglu", gate: "gate_proj", up: "up_proj", down: "down_proj"),
      Case(file: "llama_mlp_bias", variant: "swiglu", gate: "gate_proj", up: "up_proj", down: "down_proj"),
      Case(file: "gemma_mlp", variant: "geglu_tanh", gate: "gate_proj", up: "up_proj", down: "down_proj"),
      Case(file: "t5_gated_gelu", variant: "geglu_tanh", gate: "wi_0", up: "wi_1", down: "wo"),
    ]
    for suffix in ["", "_bias"] {
      // D's value branch is W; S's activated branch is W.
      cases.append(Case(file: "glu_linear" + suffix, variant: "glu", gate: "V", up: "W", down: nil))
      cases.append(Case(file: "gtu_linear" + suffix, variant: "gtu", gate: "V", up: "W", down: nil))
      for variant in ["bilinear", "geglu", "geglu_tanh", "glu", "reglu", "swiglu"] {
        cases.append(
          Case(file: "shazeer_ffn_\(variant)\(suffix)", variant: variant, gate: "W", up: "V", down: "W2"))
      }
      cases.append(
        Case(
          file: "shazeer_ffn_swiglu_beta1.702" + suffix, variant: "swiglu", parameters: #""beta":1.702,"#, gate: "W",
          up: "V", down: "W2"))
    }
    return cases
  }()

  /// The layer's tensors under the names of a request, and of a bare checkpoint.
  static func tensors(_ test: Case, _ golden: Golden) -> [(member: String, name: String, values: Golden.Values)] {
    var tensors: [(String, String, Golden.Values)] = []
    for (source, name) in [(test.gate, "gate_proj"), (test.up, "up_proj"), (test.down ?? "", "down_proj")] {
      if let weight = golden[source + ".weight"] { tensors.append((name, name + ".weight", weight)) }
      if let bias = golden[source + ".bias"] { tensors.append((name + "_bias", name + ".bias", bias)) }
    }
    return tensors
  }

  static func distance(_ found: [Float], _ expected: [Float]) -> Double {
    found.count == expected.count
      ? zip(found, expected).map { abs(Double($0) - Double($1)) }.max() ?? .infinity : .infinity
  }

  @Test(arguments: cases, ["nested", "flat", "base64"])
  func weightsInTheRequest(_ test: Case, _ form: String) async throws {
    let golden = try Golden(test.file)
    let weights = Self.tensors(test, golden).map { "\"\($0.member)\":\($0.values.inForm(form))" }
      .joined(separator: ",")
    let answer = await (try Harness()).ffn(
      """
      {"variant":"\(test.variant)",\(test.parameters)"weights":{\(weights)},"input":\(try golden("input").inForm(form))}
      """)
    #expect(answer.status == 200)
    #expect(answer.json["model"] == nil)
    #expect(answer.json["layer"] == nil)
    #expect(answer.json["variant"] as? String == test.variant)
    #expect(Answer.shape(answer.json["output"]) == (try golden("output").shape))
    #expect(Self.distance(answer.output, try golden("output").floats) <= (try golden.bound))
  }

  @Test(arguments: cases.filter { $0.parameters.isEmpty && $0.down != nil })
  func layerOfACheckpoint(_ test: Case) async throws {
    let golden = try Golden(test.file)
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: url) }
    try Golden.write(
      Self.tensors(test, golden).map { (name: $0.name, values: $0.values) }, metadata: ["variant": test.variant],
      to: url)
    let steps = Mutex<[PackingProgress]>([])
    let harness = try Harness(
      [GivenModel(name: "golden", source: .checkpoint(path: url.path)), GivenModel(name: "demo", source: .demo)],
      loading: Harness.Loading(observe: { if case .progress(let step) = $0 { steps.withLock { $0.append(step) } } }))
    steps.withLock { steps in
      #expect(steps.map(\.packedLayers) == [0, 1])
      #expect(steps.last.map { $0.packedBytes == $0.bytes && $0.layers == 1 && $0.model == "golden" } == true)
    }

    let answer = await harness.ffn(#"{"input":\#(try golden("input").nested)}"#)
    #expect(answer.json["model"] as? String == "golden")
    #expect(answer.json["variant"] as? String == test.variant)
    #expect(Self.distance(answer.output, try golden("output").floats) <= (try golden.bound))

    let one = await harness.ffn(#"{"model":"golden","layer":0,"input":\#(try golden("input").nested)}"#)
    #expect(one.untimed == answer.untimed)
    let other = await harness.ffn(#"{"model":"demo","input":[1,2,3,4]}"#)
    #expect(other.json["model"] as? String == "demo")
  }
}

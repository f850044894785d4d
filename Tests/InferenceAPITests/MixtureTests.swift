import Checkpoint
import FeedForward
import Foundation
import InferenceAPI
import Testing

/// Mixtures of experts through POST /v1/ffn, from the published layouts.
@Suite struct MixtureTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let file: String
    /// `config.json` without its braces.
    let config: String
    let topK: Int
    let hasShared: Bool
    var testDescription: String { file }
  }

  static let cases = [
    Case(file: "mixtral_moe", config: #""model_type": "mixtral", "num_experts_per_tok": 2"#, topK: 2, hasShared: false),
    Case(
      file: "mixtral_moe_fused", config: #""model_type": "mixtral", "num_experts_per_tok": 2"#, topK: 2,
      hasShared: false),
    Case(
      file: "qwen2_moe", config: #""model_type": "qwen2_moe", "num_experts_per_tok": 3, "norm_topk_prob": false"#,
      topK: 3, hasShared: true),
    Case(
      file: "qwen2_moe_norm", config: #""model_type": "qwen2_moe", "num_experts_per_tok": 3, "norm_topk_prob": true"#,
      topK: 3, hasShared: true),
    Case(
      file: "deepseek_v3_moe",
      config: """
        "model_type": "deepseek_v3", "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2, \
        "routed_scaling_factor": 2.5, "norm_topk_prob": true
        """, topK: 3, hasShared: true),
    Case(file: "gpt_oss_moe", config: #""model_type": "gpt_oss", "num_experts_per_tok": 4"#, topK: 4, hasShared: false),
    Case(
      file: "gpt_oss_moe_clamped",
      config: #""model_type": "gpt_oss", "num_experts_per_tok": 4, "swiglu_limit": 7.0"#, topK: 4, hasShared: false),
  ]

  /// Something with the model as it would be served: the golden's file, whose other tensors are no layer's, beside a
  /// configuration.
  static func with<R>(_ test: Case, _ body: ([GivenModel]) throws -> R) throws -> R {
    let folder = FileManager.default.temporaryDirectory.appending(path: "mixture-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "FeedForwardTests/Fixtures/\(test.file).safetensors")
    try FileManager.default.copyItem(at: golden, to: folder.appending(path: "model.safetensors"))
    try Data("{\(test.config)}".utf8).write(to: folder.appending(path: "config.json"))
    return try body([GivenModel(name: "moe", source: .checkpoint(path: folder.path))])
  }

  static let router = #""activations":["router_logits","expert_indices","expert_weights"]"#

  @Test(arguments: cases, ["nested", "flat", "base64"])
  func answersAsTheGolden(_ test: Case, _ form: String) async throws {
    let golden = try Golden(test.file)
    let harness = try Self.with(test) { try Harness($0) }
    let answer = await harness.ffn(#"{"input":\#(try golden("input").inForm(form)),\#(Self.router)}"#)
    #expect(answer.status == 200, "\(answer.text)")
    #expect(GoldenTests.distance(answer.output, try golden("output").floats) <= (try golden.bound) + 1e-7)
    #expect(GoldenTests.distance(answer.activation("router_logits"), try golden("router_logits").floats) <= 4e-6)

    // Not every reference sorts its choice: compared expert by expert.
    let activations = try #require(answer.json["activations"] as? [String: Any])
    let indices = try #require(activations["expert_indices"] as? [[Int]])
    let weights = answer.activation("expert_weights")
    let (rightIndices, rightWeights) = (try golden("router_indices").floats, try golden("router_weights").floats)
    try #require(indices.count * test.topK == rightIndices.count && weights.count == rightWeights.count)
    for (row, experts) in indices.enumerated() {
      let range = row * test.topK..<(row + 1) * test.topK
      let found = Dictionary(uniqueKeysWithValues: zip(experts, weights[range]))
      for (expert, weight) in zip(rightIndices[range], rightWeights[range]) {
        #expect(abs(try #require(found[Int(expert)]) - weight) <= 1e-6)
      }
    }
  }

  /// Requests that wait together are one batch; each gets the digits that it gets alone, router and all.
  @Test(arguments: cases)
  func companyDoesNotChangeABit(_ test: Case) async throws {
    let golden = try Golden(test.file)
    let harness = try Self.with(test) { try Harness($0, workers: 1, batchDelay: .milliseconds(200)) }
    let input = try golden("input")
    let bodies = (0..<input.shape[0]).map { row in
      let values = Golden.Values(shape: [64], floats: Array(input.floats[(row * 64)..<((row + 1) * 64)]))
      return #"{"input":\#(values.nested),\#(row.isMultiple(of: 2) ? Self.router : #""activations":[]"#)}"#
    }
    let exchanges = bodies.map(harness.startFFN)
    var together: [Answer] = []
    for exchange in exchanges { together.append(Answer(await exchange.response())) }
    #expect(together.contains { ($0.json["timing"] as? [String: Int])?["batch_requests"] ?? 1 > 1 })
    for (body, answer) in zip(bodies, together) {
      #expect(answer.status == 200)
      #expect(answer.untimed == (await harness.ffn(body)).untimed)
    }
  }

  @Test func modelsSayWhatAMixtureIs() async throws {
    for test in Self.cases {
      let harness = try Self.with(test) { try Harness($0) }
      let model = (await harness.get("/v1/models/moe")).json
      let layer = try #require((model["layers"] as? [[String: Any]])?.first)
      #expect(layer["experts"] as? Int == 8)
      #expect(layer["top_k"] as? Int == test.topK)
      #expect(layer["shared"] as? Bool == test.hasShared)
    }
    let demo = (await (try Harness()).get("/v1/models/demo")).json
    #expect((demo["layers"] as? [[String: Any]])?.allSatisfy { $0["experts"] == nil && $0["shared"] == nil } == true)
  }

  // MARK: Experts that the request brings

  /// The router's own choice, sent back: the same output where there is no shared expert, alone and in company.
  @Test func givenExpertsGiveTheRoutersSum() async throws {
    let test = Self.cases[0]
    let golden = try Golden(test.file)
    let harness = try Self.with(test) { try Harness($0, workers: 1, batchDelay: .milliseconds(100)) }
    let input = try golden("input").nested
    let routed = await harness.ffn(#"{"input":\#(input),\#(Self.router)}"#)
    let activations = try #require(routed.json["activations"] as? [String: Any])
    let indices = try #require(activations["expert_indices"] as? [[Int]])
    let weights = Golden.Values(shape: [5, 2], floats: routed.activation("expert_weights"))
    func body(_ form: String) -> String {
      #"{"input":\#(input),"experts":{"indices":\#(indices),"weights":\#(weights.inForm(form))}}"#
    }
    let exchanges = ["nested", "flat", "base64"].map { harness.startFFN(body($0)) }
    for exchange in exchanges {
      let answer = Answer(await exchange.response())
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.output == routed.output)
    }
    // One expert of every row, weighted 1: the sum is linear in the weights.
    func alone(weighted weight: Int) async -> Answer {
      let weights = Array(repeating: [weight], count: 5)
      let indices = Array(repeating: [3], count: 5)
      return await harness.ffn(#"{"input":\#(input),"experts":{"indices":\#(indices),"weights":\#(weights)}}"#)
    }
    let (ones, twos) = (await alone(weighted: 1), await alone(weighted: 2))
    #expect(twos.output == ones.output.map { 2 * $0 } && !ones.output.allSatisfy { $0 == 0 })
  }

  /// A row with more experts than the router would choose counts for as many rows.
  @Test func moreExpertsAreFewerRows() async throws {
    // Of a row: the router's 64·8, and two experts of 160·(2·64 + 64).
    let multiplyAdds = 64 * 8 + 2 * 160 * (2 * 64 + 64)
    let harness = try Self.with(Self.cases[0]) { try Harness($0) { $0.multiplyAddsLimit = 2 * multiplyAdds } }
    func answer(rows: Int, choices: Int) async -> Answer {
      let indices = Array(repeating: Array(0..<choices), count: rows)
      let weights = Array(repeating: Array(repeating: 1, count: choices), count: rows)
      let input = Array(repeating: Self.row, count: rows).joined(separator: ",")
      return await harness.ffn(#"{"input":[\#(input)],"experts":{"indices":\#(indices),"weights":\#(weights)}}"#)
    }
    for (rows, choices, status) in [(2, 2, 200), (2, 1, 200), (3, 2, 422), (1, 4, 200), (2, 3, 422), (1, 5, 422)] {
      let answer = await answer(rows: rows, choices: choices)
      #expect(answer.status == status, "\(rows) rows of \(choices): \(answer.text)")
      if status == 422 { #expect(answer.pointer == "/input") }
    }
  }

  // MARK: Refusals

  static let row = "[" + Array(repeating: "1", count: 64).joined(separator: ",") + "]"

  @Test(arguments: [
    (#""activations":["gate"]"#, "conflicting-member", "/activations"),
    (#""activations":["router_logits","hidden"]"#, "conflicting-member", "/activations"),
    (#""activations":["logits"]"#, "invalid-value", "/activations/0"),
    (#""experts":{"indices":[[0,8]],"weights":[[1,1]]}"#, "invalid-value", "/experts/indices/0/1"),
    (#""experts":{"indices":[[-1,0]],"weights":[[1,1]]}"#, "invalid-value", "/experts/indices/0/0"),
    (#""experts":{"indices":[[0.5,0]],"weights":[[1,1]]}"#, "invalid-value", "/experts/indices/0/0"),
    (#""experts":{"indices":[[4,4]],"weights":[[1,1]]}"#, "invalid-value", "/experts/indices/0/1"),
    (#""experts":{"indices":[[4,5]],"weights":[[1,-1]]}"#, "invalid-value", "/experts/weights/0/1"),
    (#""experts":{"indices":[[4,5]]}"#, "missing-member", "/experts/weights"),
    (#""experts":{"weights":[[4,5]]}"#, "missing-member", "/experts/indices"),
    (#""experts":{"indices":[[4,5]],"weights":[[1]]}"#, "shape-mismatch", "/experts/weights"),
    (#""experts":{"indices":[[4],[5]],"weights":[[1],[1]]}"#, "shape-mismatch", "/experts/indices"),
    (#""experts":{"indices":[4],"weights":[1]}"#, "shape-mismatch", "/experts/indices"),
    (
      #""experts":{"indices":[[0,1,2,3,4,5,6,7,0]],"weights":[[1,1,1,1,1,1,1,1,1]]}"#, "shape-mismatch",
      "/experts/indices"
    ),
    (#""experts":{"indices":[[0]],"weights":[[1]],"missing":"add"}"#, "invalid-value", "/experts/missing"),
    (#""experts":{"indices":[[0]],"weights":[[1]],"absent":"skip"}"#, "unknown-member", "/experts/absent"),
    (#""experts":{"indices":[[0]],"missing":"skip"}"#, "missing-member", "/experts/weights"),
    (#""experts":{}"#, "missing-member", "/experts/indices"),
    (
      #""experts":{"indices":[[0]],"weights":[[1]]},"activations":["expert_weights"]"#, "conflicting-member",
      "/activations"
    ),
    (
      #""experts":{"indices":{"shape":[1,1],"datatype":"BF16","data":[1]},"weights":[[1]]}"#, "invalid-value",
      "/experts/indices/datatype"
    ),
    (
      #""experts":{"indices":{"shape":[1,2],"datatype":"FP32","data":[1,9]},"weights":[[1,1]]}"#, "invalid-value",
      "/experts/indices/data/1"
    ),
  ])
  func mixturesRefusal(_ members: String, _ problem: String, _ pointer: String) async throws {
    let harness = try Self.with(Self.cases[0]) { try Harness($0) }
    let answer = await harness.ffn(#"{"input":[\#(Self.row)],\#(members)}"#)
    #expect(answer.status == 422)
    #expect(answer.problem == problem && answer.pointer == pointer, "\(answer.text)")
  }

  @Test(arguments: [
    (#""activations":["router_logits"]"#, "conflicting-member", "/activations"),
    (#""experts":{"indices":[0],"weights":[1]}"#, "conflicting-member", "/experts"),
    (#""experts":{"missing":"skip"}"#, "conflicting-member", "/experts"),
  ])
  func layersRefusal(_ members: String, _ problem: String, _ pointer: String) async throws {
    let answer = await (try Harness()).ffn(#"{"input":[1,2,3,4],\#(members)}"#)
    #expect(answer.status == 422)
    #expect(answer.problem == problem && answer.pointer == pointer, "\(answer.text)")
  }
}

import Foundation
import Testing

/// A mixture of experts from disk to answers.
@Suite struct MixtureServingTests {
  struct Reply: Decodable {
    struct Activations: Decodable {
      let router_logits: [[Double]]
      let expert_indices: [[Int]]
      let expert_weights: [[Double]]
    }

    let layer: String
    let variant: String
    let output: [[Double]]
    let activations: Activations?
  }

  /// DeepSeek V3's layout: groups, a correction of the choice, a shared expert. `f32_max_abs_err` of the golden.
  private static let float32Error = 7.41e-7

  private static func writeCheckpoint(to folder: URL) throws -> SafetensorsFile {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "FeedForwardTests/Fixtures")
    let golden = fixtures.appending(path: "deepseek_v3_moe.safetensors")
    try FileManager.default.copyItem(at: golden, to: folder.appending(path: "model.safetensors"))
    let configuration: [String: Any] = [
      "model_type": "deepseek_v3", "hidden_size": 64, "moe_intermediate_size": 48, "n_routed_experts": 8,
      "n_shared_experts": 1, "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2, "norm_topk_prob": true,
      "routed_scaling_factor": 2.5, "num_hidden_layers": 1,
    ]
    try JSONSerialization.data(withJSONObject: configuration).write(to: folder.appending(path: "config.json"))
    return try SafetensorsFile(reading: golden)
  }

  @Test func answersAsTheGoldenAndShowsItsRoutes() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let golden = try Self.writeCheckpoint(to: folder.url)
    let server = try await RunningServer("--model", "moe=\(folder.url.path)")
    let model = try #require(server.startLine.models.first)
    #expect(model.name == "moe" && model.family == "deepseek_v3" && model.layers == 1 && model.rule.contains("expert"))

    let input = (0..<5).map { Array(golden.tensors["input"]!.values[$0 * 64..<($0 + 1) * 64]) }
    let body = folder.url.appending(path: "body.json")
    let request: [String: Any] = [
      "input": input.map { $0.map(Double.init) },
      "activations": ["router_logits", "expert_indices", "expert_weights"],
    ]
    try JSONSerialization.data(withJSONObject: request).write(to: body)
    let curl = try await Program.curl(
      "--fail-with-body", "-H", "Content-Type: application/json", "--data-binary", "@\(body.path)",
      server.url("/v1/ffn"))
    #expect(curl.status == 0, "\(curl.output)\(curl.error)")
    let reply = try JSONDecoder().decode(Reply.self, from: Data(curl.output.utf8))
    #expect(reply.layer == "model.layers.0.mlp" && reply.variant == "swiglu")
    let right = try #require(golden.tensors["output"]).values
    try #require(reply.output.count * 64 == right.count)
    for (row, output) in reply.output.enumerated() {
      let error = zip(output, right[row * 64..<(row + 1) * 64]).map { abs($0 - Double($1)) }.max() ?? .infinity
      #expect(error <= 4 * Self.float32Error + 1e-7)
    }
    let activations = try #require(reply.activations)
    #expect(activations.router_logits.map(\.count) == Array(repeating: 8, count: 5))
    #expect(activations.expert_indices.allSatisfy { Set($0).count == 3 && $0.allSatisfy((0..<8).contains) })
    // Renormalised, times 2.5.
    #expect(activations.expert_weights.allSatisfy { abs($0.reduce(0, +) - 2.5) < 1e-5 })
    #expect(await server.stop() == 0)
  }

  /// Twelve clients on a dense layer, a mixture, and the mixture with experts of their own: each answer has the digits
  /// of the same rows sent alone, and some shared a batch.
  @Test func companyOfEveryKindDoesNotChangeABit() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    _ = try Self.writeCheckpoint(to: folder.url)
    let dense = folder.url.appending(path: "dense")
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../scripts/make-checkpoint.py").path
    let made = try await Program.run(
      Program.named("python3"), [script, dense.path, "--d-model", "64", "--d-ff", "256"])
    try #require(made.status == 0, "\(made.error)")
    let server = try await RunningServer(
      "--model", "dense=\(dense.path)", "--model", "moe=\(folder.url.path)", "--workers", "1", "--no-access-log")
    let clients = try await Program.python("concurrent.py", "\(server.port)", "64", "12", "dense", "moe", "moe+")
    #expect(clients.status == 0, "\(clients.error)")
    #expect((Int(clients.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) > 1)
    #expect(await server.stop() == 0)
  }

  /// Half of the experts: what needs the others is refused, or summed without them and named.
  @Test func aPartOfTheExpertsIsServed() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    _ = try Self.writeCheckpoint(to: folder.url)
    let server = try await RunningServer("--model", "moe=\(folder.url.path)", "--experts", "0-3")
    let row = "[" + Array(repeating: "0.5", count: 64).joined(separator: ",") + "]"
    for (experts, status, text) in [
      (#"{"indices":[1,6],"weights":[1,1]}"#, "422", "missing-expert"),
      (#"{"indices":[1,6],"weights":[1,1],"missing":"skip"}"#, "200", #""missing":[{"row":0,"experts":[6]}]"#),
      (#"{"indices":[1,3],"weights":[1,1],"missing":"skip"}"#, "200", #""missing":[]"#),
    ] {
      let curl = try await Program.curl(
        "-H", "Content-Type: application/json", "-d", #"{"input":\#(row),"experts":\#(experts)}"#, "-w", "%{http_code}",
        server.url("/v1/ffn"))
      #expect(curl.output.hasSuffix(status) && curl.output.contains(text), "\(curl.output)")
    }
    #expect(await server.stop() == 0)
    let wrong = try await Program.sluice("serve", "--port", "0", "--model", "moe=\(folder.url.path)", "--experts", "8")
    #expect(wrong.status == 64 && wrong.error.contains("expert 8"), "\(wrong.error)")
  }

  @Test func inspectShowsTheExperts() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    _ = try Self.writeCheckpoint(to: folder.url)
    let inspect = try await Program.sluice("inspect", folder.url.path)
    #expect(inspect.status == 0, "\(inspect.error)")
    #expect(inspect.output.contains("family  deepseek_v3\n"))
    #expect(inspect.output.contains("top 3 of 8 by sigmoid(gate x) + correction in 2 of 4 groups"))
    #expect(inspect.output.contains("model.layers.0.mlp  swiglu experts=8 top_k=3 shared  F32"))
  }
}

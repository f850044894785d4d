import Checkpoint
import FeedForward
import Foundation
import Testing

/// Checkpoints that transformers wrote, names, layouts and config.json, against its own models' results: what
/// scripts/make-goldens.py makes.
@Suite struct PublishedModelTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let golden: String
    var layer = "model.layers.0.mlp"
    var dModel = 48
    var dFF = 40
    var stored = "F32"
    let rule: String
    var testDescription: String { golden }
  }

  private static let linear =
    "output_linear.weight(silu(input_linear.weight[first half] x) · "
    + "input_linear.weight[second half] x)"
  private static let granite = "\(linear); top 3 of 6 by router.layer x, weighted by their softmax"
  private static let dbrx =
    "experts.mlp.w2[expert]ᵀ(silu(experts.mlp.w1[expert] x) · experts.mlp.v1[expert] x); "
    + "top 3 of 6 by softmax(router.layer x)"
  private static let deepSeek = "experts: down_proj(silu(gate_proj x) · up_proj x); top 3 of 8 by softmax(gate x)"

  static let cases = [
    Case(golden: "dbrx_moe", layer: "transformer.blocks.0.ffn", rule: dbrx + ", renormalised"),
    Case(golden: "dbrx_moe_unnormalised", layer: "transformer.blocks.0.ffn", rule: dbrx),
    Case(golden: "granitemoe", layer: "model.layers.0.block_sparse_moe", rule: granite),
    Case(golden: "granitemoeshared", layer: "model.layers.0.block_sparse_moe", rule: granite + "; + shared_mlp x"),
    Case(golden: "granitemoehybrid", layer: "model.layers.0.block_sparse_moe", rule: granite + "; + shared_mlp x"),
    Case(golden: "jetmoe", rule: granite + "; + bias"),
    Case(golden: "bitnet", dFF: 72, rule: "down_proj(ffn_sub_norm(relu²(gate_proj x) · up_proj x))"),
    Case(
      golden: "dinov2", layer: "encoder.layer.0.mlp", dFF: 128,
      rule: "weights_out(silu(weights_in[first half] x) · weights_in[second half] x)"),
    Case(golden: "deepseek_v2_moe", rule: deepSeek + ", × 1.5; + shared_experts x"),
    Case(golden: "deepseek_v2_moe_groups", rule: deepSeek + " in 2 of 4 groups, × 1.5; + shared_experts x"),
    Case(
      golden: "lfm2_moe", layer: "model.layers.0.feed_forward",
      rule: "experts: w2(silu(w1 x) · w3 x); top 3 of 8 by sigmoid(gate x) + correction, renormalised, × 1.25"),
    Case(
      golden: "gpt_oss_mxfp4", dModel: 64, dFF: 96, stored: "F32+MXFP4",
      rule: """
        experts.down_proj((clamp(experts.gate_up_proj[odd rows] x, ±7.0) + 1) · g · sigmoid(1.702 · g), \
        g = min(experts.gate_up_proj[even rows] x, 7.0)); top 2 of 4 by router x, weighted by their softmax
        """),
    Case(
      golden: "llama_f8", dModel: 144, dFF: 200, stored: "F8_E4M3", rule: "down_proj(silu(gate_proj x) · up_proj x)"),
  ]

  static func source(_ golden: Golden, experts: ExpertSelection? = nil) throws -> LayerSource {
    let directory = try ModelDirectory()
    try directory.write("config.json", try #require(golden.metadata["config"]))
    try directory.write("model.safetensors", golden.file)
    let checkpoint = try directory.open(experts: experts)
    #expect(checkpoint.notes.isEmpty)
    return try #require(checkpoint.layers.first)
  }

  private func distance(_ found: [Float], _ expected: [Float]) -> Float {
    zip(found, expected).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test(arguments: cases)
  func forwardIsTheModelsOwn(_ test: Case) throws {
    let golden = try Golden(test.golden)
    let source = try Self.source(golden)
    defer { withExtendedLifetime(source) {} }
    #expect(source.name == test.layer)
    #expect(source.rule == test.rule)
    #expect((source.dModel, source.dFF, source.storedType) == (test.dModel, test.dFF, test.stored))
    let input = try golden.floats("input")
    let rows = input.count / test.dModel
    var output = [Float](repeating: .nan, count: input.count)
    switch source.weights {
    case .layer(let weights):
      var hidden = [Float](repeating: .nan, count: rows * test.dFF)
      let layer = try FeedForwardLayer(weights)
      hidden.withUnsafeMutableBufferPointer {
        layer.forward(
          input: input, rows: rows, output: &output, activations: ActivationOutputs(hidden: $0.baseAddress),
          workspace: Workspace())
      }
      if golden.tensors["hidden"] != nil {
        #expect(distance(hidden, try golden.floats("hidden")) <= 4 * golden.float32Error)
      }
    case .convolution:
      Issue.record("a Transformer's layer is no convolution")
    case .mixture(let weights):
      let mixture = try MixtureLayer(weights)
      var indices = [Float](repeating: .nan, count: rows * mixture.topK)
      var shares = indices
      indices.withUnsafeMutableBufferPointer { indices in
        shares.withUnsafeMutableBufferPointer { shares in
          mixture.forward(
            input: input, rows: rows, output: &output,
            routes: RouteOutputs(indices: indices.baseAddress, weights: shares.baseAddress), workspace: Workspace())
        }
      }
      if let chosen = golden.integers["router_indices"] {
        // Not every model sorts its choice: compared expert by expert.
        let weights = try golden.floats("router_weights")
        for row in 0..<rows {
          let range = row * mixture.topK..<(row + 1) * mixture.topK
          let found = Dictionary(uniqueKeysWithValues: zip(indices[range].map { Int($0) }, shares[range]))
          for (expert, weight) in zip(chosen[range], weights[range]) {
            #expect(abs(try #require(found[expert]) - weight) <= 1e-6)
          }
        }
      }
    }
    // The models' routers go through float32 in float64 as well.
    let slack: Float = source.mixture == nil ? 0 : 2e-7
    #expect(distance(output, try golden.floats("output")) <= 4 * golden.float32Error + slack)
  }

  // MARK: A part of the experts

  @Test(arguments: [
    "dbrx_moe", "granitemoe", "deepseek_v2_moe", "lfm2_moe", "gpt_oss_mxfp4",
  ])
  func someExpertsAreThoseExperts(_ name: String) throws {
    let golden = try Golden(name)
    func mixture(_ source: LayerSource) throws -> MixtureLayer {
      try withExtendedLifetime(source) { try MixtureLayer(try #require(source.mixture)) }
    }
    let all = try Self.source(golden)
    let source = try Self.source(golden, experts: ExpertSelection(parsing: "0,2-3"))
    let (whole, part) = (try mixture(all), try mixture(source))
    #expect(part.held == [0, 2, 3] && part.count == whole.count && !part.isWhole && whole.isWhole)
    #expect(source.rule.hasSuffix("; experts 0,2-3 are here"))
    #expect(source.storedBytes < all.storedBytes)
    #expect(part.residentBytes < whole.residentBytes)
    let input = try golden.floats("input")
    let rows = input.count / whole.dIn
    func sum(_ mixture: MixtureLayer, _ indices: [Float], _ weights: [Float]) -> [Float] {
      var output = [Float](repeating: .nan, count: input.count)
      mixture.forward(
        input: input, rows: rows, indices: indices, weights: weights, choices: 3, output: &output,
        workspace: Workspace())
      return output
    }
    let held: [Float] = (0..<rows).flatMap { _ in [0, 2, 3] }
    let weights: [Float] = (0..<rows).flatMap { _ in [0.5, 0.25, 0.125] }
    #expect(sum(part, held, weights) == sum(whole, held, weights))
    // An expert that is not here adds nothing.
    let mixed: [Float] = (0..<rows).flatMap { _ in [0, 1, 3] }
    let without: [Float] = (0..<rows).flatMap { _ in [0.5, 0, 0.125] }
    #expect(sum(part, mixed, weights) == sum(whole, mixed, without))
  }

  @Test func tensorsOfOtherExpertsMayBeMissing() throws {
    let golden = try Golden("lfm2_moe")
    let directory = try ModelDirectory(
      config: try #require(golden.metadata["config"]),
      golden.weights.filter { !$0.name.contains("experts.") || $0.name.contains("experts.5.") })
    let source = try #require(try directory.open(experts: ExpertSelection(parsing: "5")).layers.first)
    #expect(source.mixture?.held == [5])
  }

  @Test func selectionsThatCannotBe() throws {
    let golden = try Golden("granitemoe")
    #expect(
      throws: CheckpointError.expertOutOfRange(layer: "model.layers.0.block_sparse_moe", requested: 6, count: 6)
    ) {
      try Self.source(golden, experts: ExpertSelection(parsing: "4-9"))
    }
    for text in ["", "a", "3-1", "1,,2", "-1"] {
      #expect(throws: CheckpointError.expertSelection(found: text)) { try ExpertSelection(parsing: text) }
    }
  }

  @Test func bitNetsOnlineRoundingIsNoted() throws {
    let golden = try Golden("bitnet")
    let config = try #require(golden.metadata["config"])
    let quantized = "{\"quantization_config\": {\"quant_method\": \"bitnet\"}," + config.dropFirst()
    let checkpoint = try ModelDirectory(config: quantized, golden.weights).open()
    #expect(checkpoint.notes.contains { $0.contains("round") })
  }
}

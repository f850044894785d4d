import Checkpoint
import FeedForward
import Foundation
import Testing

/// Mixtures of experts under the names that the hub and transformers 5 use.
@Suite struct MixtureCheckpointTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let golden: String
    let config: String
    let layer: String
    let dFF: Int
    let rule: String
    var testDescription: String { golden }
  }

  private static let qwen = """
    {"model_type": "qwen2_moe", "hidden_size": 64, "intermediate_size": 99, "moe_intermediate_size": 48, \
    "shared_expert_intermediate_size": 160, "num_experts": 8, "num_experts_per_tok": 3, "decoder_sparse_step": 1, \
    "mlp_only_layers": [], "num_hidden_layers": 1
    """
  private static let gptOSS = """
    {"model_type": "gpt_oss", "hidden_size": 64, "intermediate_size": 96, "num_local_experts": 8, \
    "num_experts_per_tok": 4, "hidden_act": "silu", "swiglu_limit": 7.0, "num_hidden_layers": 1}
    """
  private static let mixtral = """
    {"model_type": "mixtral", "hidden_size": 64, "intermediate_size": 160, "num_local_experts": 8, \
    "num_experts_per_tok": 2, "hidden_act": "silu", "num_hidden_layers": 1}
    """
  private static let named = "experts: down_proj(silu(gate_proj x) · up_proj x)"

  static let cases = [
    Case(
      golden: "mixtral_moe", config: mixtral, layer: "model.layers.0.block_sparse_moe", dFF: 160,
      rule: "experts: w2(silu(w1 x) · w3 x); top 2 of 8 by softmax(gate x), renormalised"),
    Case(
      golden: "mixtral_moe_fused", config: mixtral, layer: "model.layers.0.mlp", dFF: 160,
      rule: """
        experts.down_proj(silu(experts.gate_up_proj[first half] x) · experts.gate_up_proj[second half] x); \
        top 2 of 8 by softmax(gate x), renormalised
        """),
    Case(
      golden: "qwen2_moe", config: qwen + #", "norm_topk_prob": false}"#, layer: "model.layers.0.mlp", dFF: 48,
      rule: "\(named); top 3 of 8 by softmax(gate x); + sigmoid(shared_expert_gate x) · shared_expert x"),
    Case(
      golden: "qwen2_moe_norm", config: qwen + #", "norm_topk_prob": true}"#, layer: "model.layers.0.mlp", dFF: 48,
      rule: "\(named); top 3 of 8 by softmax(gate x), renormalised; + sigmoid(shared_expert_gate x) · shared_expert x"),
    Case(
      golden: "deepseek_v3_moe",
      config: """
        {"model_type": "deepseek_v3", "hidden_size": 64, "intermediate_size": 99, "moe_intermediate_size": 48, \
        "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2, \
        "norm_topk_prob": true, "routed_scaling_factor": 2.5, "first_k_dense_replace": 0, "num_hidden_layers": 1}
        """, layer: "model.layers.0.mlp", dFF: 48,
      rule: """
        \(named); top 3 of 8 by sigmoid(gate x) + correction in 2 of 4 groups, renormalised, × 2.5; + shared_experts x
        """),
    Case(
      golden: "gpt_oss_moe", config: gptOSS, layer: "model.layers.0.mlp", dFF: 96,
      rule: """
        experts.down_projᵀ((clamp(experts.gate_up_projᵀ[odd rows] x, ±7.0) + 1) · g · sigmoid(1.702 · g), \
        g = min(experts.gate_up_projᵀ[even rows] x, 7.0)); top 4 of 8 by router x, weighted by their softmax
        """),
  ]

  /// The engine computes from the views what the reference computed from the file.
  @Test(arguments: cases)
  func forwardIsTheReferences(_ test: Case) throws {
    let golden = try Golden(test.golden)
    let checkpoint = try ModelDirectory(config: test.config, golden.weights).open()
    #expect(checkpoint.rule == test.rule)
    #expect(checkpoint.notes.isEmpty)
    let source = try #require(checkpoint.layers.first)
    #expect(source.name == test.layer && source.dense == nil)
    #expect((source.dModel, source.dFF, source.storedType) == (64, test.dFF, "F32"))
    #expect(source.storedBytes == golden.weights.reduce(0) { $0 + $1.data.count })
    try source.confirmFiles()
    let mixture = try MixtureLayer(try #require(source.mixture))
    let input = try golden.floats("input")
    let rows = input.count / 64
    var output = [Float](repeating: .nan, count: input.count)
    mixture.forward(input: input, rows: rows, output: &output, workspace: Workspace())
    let error = zip(output, try golden.floats("output")).map { abs($0 - $1) }.max()
    #expect(try #require(error) <= 4 * golden.float32Error + 1e-7)
  }

  // MARK: Small ones

  /// Two experts of widths 2 and 3 and their router.
  private static func mixture(_ prefix: String, experts: Int = 2) -> [TensorFixture] {
    [TensorFixture("\(prefix).gate.weight", [experts, 2])]
      + (0..<experts).flatMap { FamilyTests.layer("\(prefix).experts.\($0)") }
  }

  private static func replacing(_ tensor: TensorFixture, in tensors: [TensorFixture]) -> [TensorFixture] {
    tensors.map { $0.name == tensor.name ? tensor : $0 }
  }

  @Test func denseLayersAmongMixturesAreServedAsWhatTheyAre() throws {
    let tensors =
      FamilyTests.layer("model.layers.0.mlp", dFF: 5) + Self.mixture("model.layers.1.mlp")
      + FamilyTests.layer("model.layers.2.mlp", dFF: 5)
    func open(_ members: String) throws -> Checkpoint {
      try ModelDirectory(
        config: """
          {"model_type": "qwen3_moe", "num_experts_per_tok": 1, "num_experts": 2, "intermediate_size": 5, \
          "moe_intermediate_size": 3, \(members)}
          """, tensors
      ).open()
    }
    for members in [#""mlp_only_layers": [0, 2]"#, #""decoder_sparse_step": 2, "mlp_only_layers": []"#] {
      let checkpoint = try open(members)
      #expect(checkpoint.layers.map { $0.mixture != nil } == [false, true, false])
      #expect(checkpoint.layers.map(\.dFF) == [5, 3, 5])
      #expect(
        checkpoint.rule == """
          down_proj(silu(gate_proj x) · up_proj x) | experts: down_proj(silu(gate_proj x) · up_proj x); \
          top 1 of 2 by softmax(gate x)
          """)
      #expect(checkpoint.notes.isEmpty)
    }
    #expect(
      try open(#""mlp_only_layers": [1, 2]"#).notes == [
        "config.json says model.layers.0.mlp is a mixture, its tensors are a dense layer's",
        "config.json says model.layers.1.mlp is dense, its tensors are a mixture's",
      ])
  }

  struct Flaw: Sendable, CustomTestStringConvertible {
    var family = "qwen3_moe"
    var config = #", "num_experts_per_tok": 1"#
    let tensors: [TensorFixture]
    let error: CheckpointError
    var testDescription: String { "\(error)" }
  }

  private static let prefix = "model.layers.0.mlp"

  static let flaws = [
    Flaw(
      config: #", "num_experts_per_tok": 1, "num_experts": 3"#, tensors: mixture(prefix),
      error: .contradiction(tensor: "\(prefix).gate.weight", shape: [2, 2], member: "num_experts", value: "3")),
    Flaw(
      config: #", "num_experts_per_tok": 1, "moe_intermediate_size": 4"#, tensors: mixture(prefix),
      error: .contradiction(
        tensor: "\(prefix).experts.0.gate_proj.weight", shape: [3, 2], member: "moe_intermediate_size", value: "4")),
    Flaw(
      config: #", "num_experts_per_tok": 3"#, tensors: mixture(prefix),
      error: .mixture(name: prefix, .topK(3, experts: 2))),
    Flaw(
      tensors: mixture(prefix).filter { $0.name != "\(prefix).experts.1.up_proj.weight" },
      error: .missingTensor(
        name: "\(prefix).experts.1.up_proj.weight", expected: "[3, 2]",
        found: ["\(prefix).experts.1.down_proj.weight", "\(prefix).experts.1.gate_proj.weight"])),
    Flaw(
      tensors: replacing(
        TensorFixture(
          "\(prefix).experts.1.up_proj.weight", dtype: "F8_E5M2", [3, 2], data: Array(repeating: 0, count: 6)),
        in: mixture(prefix)),
      error: .unsupportedElementType(tensor: "\(prefix).experts.1.up_proj.weight", found: .f8E5M2)),
    Flaw(
      config: #", "num_experts_per_tok": 1, "quantization_config": {"quant_method": "fp8"}"#,
      tensors: replacing(
        TensorFixture(
          "\(prefix).experts.1.up_proj.weight", dtype: "F8_E4M3", [3, 2], data: Array(repeating: 0, count: 6)),
        in: mixture(prefix)),
      error: .missingTensor(
        name: "\(prefix).experts.1.up_proj.weight_scale_inv", expected: "of scales", found: [])),
    Flaw(
      config: #", "num_experts_per_tok": 1, "quantization_config": {"weight_block_size": [2, 2]}"#,
      tensors: replacing(
        TensorFixture(
          "\(prefix).experts.1.up_proj.weight", dtype: "F8_E4M3", [3, 2], data: Array(repeating: 0, count: 6)),
        in: mixture(prefix)) + [TensorFixture("\(prefix).experts.1.up_proj.weight_scale_inv", [3, 2])],
      error: .misshapenTensor(
        name: "\(prefix).experts.1.up_proj.weight_scale_inv", expected: "[2, 1]", found: [3, 2])),
    Flaw(
      family: "gpt_oss",
      tensors: [
        TensorFixture("\(prefix).router.weight", [2, 32]), TensorFixture("\(prefix).router.bias", [2]),
        TensorFixture(
          "\(prefix).experts.gate_up_proj_blocks", dtype: "U8", [2, 4, 1, 16], data: Array(repeating: 0, count: 128)),
      ],
      error: .missingTensor(
        name: "\(prefix).experts.gate_up_proj_scales", expected: "[2, 4, 1]",
        found: ["\(prefix).experts.gate_up_proj_blocks", "\(prefix).router.bias", "\(prefix).router.weight"])),
    Flaw(
      family: "deepseek_v3", config: #", "num_experts_per_tok": 1, "n_group": 2, "topk_group": 1"#,
      tensors: mixture(prefix) + FamilyTests.layer("\(prefix).shared_experts")
        + [TensorFixture("\(prefix).gate.e_score_correction_bias", [2])],
      error: .mixture(name: prefix, .groups(2, kept: 1, experts: 2))),
  ]

  @Test(arguments: flaws)
  func refused(_ flaw: Flaw) throws {
    let directory = try ModelDirectory(config: #"{"model_type": "\#(flaw.family)"\#(flaw.config)}"#, flaw.tensors)
    #expect(throws: flaw.error) { try directory.open() }
  }

  @Test func nothingIsRoutedWithoutANumberOfExpertsForARow() throws {
    let directory = try ModelDirectory(config: #"{"model_type": "mixtral"}"#, Self.mixture(Self.prefix))
    #expect(throws: CheckpointError.missingMember(path: directory["config.json"], member: "num_experts_per_tok")) {
      try directory.open()
    }
  }
}

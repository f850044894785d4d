import Checkpoint
import FeedForward
import Testing

/// Names, prefixes, activations and sizes of published models, on tensors of a few numbers.
@Suite struct FamilyTests {
  /// The tensors of one separate layer: gate and up `[dFF, dModel]`, down `[dModel, dFF]`.
  static func layer(
    _ prefix: String, _ names: [String] = ["gate_proj", "up_proj", "down_proj"], dModel: Int = 2, dFF: Int = 3
  ) -> [TensorFixture] {
    [
      TensorFixture("\(prefix).\(names[0]).weight", [dFF, dModel]),
      TensorFixture("\(prefix).\(names[1]).weight", [dFF, dModel]),
      TensorFixture("\(prefix).\(names[2]).weight", [dModel, dFF]),
    ]
  }

  static func fused(_ prefix: String, _ both: String, _ down: String) -> [TensorFixture] {
    [
      TensorFixture("\(prefix).\(both).weight", [4, 3], floats: (0..<12).map(Float.init)),
      TensorFixture("\(prefix).\(down).weight", [3, 2]),
    ]
  }

  private func open(
    _ config: String, _ tensors: [TensorFixture], layers: LayerSelection? = nil
  ) throws -> Checkpoint {
    try ModelDirectory(config: config, tensors).open(layers: layers)
  }

  // MARK: Names

  struct Naming: Sendable, CustomTestStringConvertible {
    let config: String
    let tensors: [TensorFixture]
    let layers: [String]
    let gate: Gate
    var testDescription: String { "\(config) → \(layers[0])" }
  }

  static let namings: [Naming] =
    ["llama", "mistral", "qwen2", "qwen3"].map {
      Naming(
        config: #"{"model_type": "\#($0)"}"#, tensors: layer("model.layers.0.mlp"), layers: ["model.layers.0.mlp"],
        gate: .swiglu)
    }
    + ["gemma", "gemma2", "gemma3", "gemma3_text"].map {
      Naming(
        config: #"{"model_type": "\#($0)"}"#, tensors: layer("model.layers.0.mlp"), layers: ["model.layers.0.mlp"],
        gate: .gegluTanh)
    }
    + ["t5", "mt5", "umt5"].map {
      Naming(
        config: #"{"model_type": "\#($0)", "feed_forward_proj": "gated-gelu"}"#,
        tensors: layer("decoder.block.0.layer.2.DenseReluDense", ["wi_0", "wi_1", "wo"])
          + layer("encoder.block.0.layer.1.DenseReluDense", ["wi_0", "wi_1", "wo"])
          + layer("encoder.block.1.layer.1.DenseReluDense", ["wi_0", "wi_1", "wo"]),
        layers: [
          "encoder.block.0.layer.1.DenseReluDense", "encoder.block.1.layer.1.DenseReluDense",
          "decoder.block.0.layer.2.DenseReluDense",
        ], gate: .gegluTanh)
    }
    + ["phi3", "glm"].map {
      Naming(
        config: #"{"model_type": "\#($0)"}"#, tensors: fused("model.layers.0.mlp", "gate_up_proj", "down_proj"),
        layers: ["model.layers.0.mlp"], gate: .swiglu)
    }
    + [
      Naming(
        config: #"{"model_type": "modernbert"}"#, tensors: fused("layers.0.mlp", "Wi", "Wo"),
        layers: ["layers.0.mlp"], gate: .geglu),
      Naming(
        config: #"{"model_type": "modernbert"}"#, tensors: fused("model.layers.0.mlp", "Wi", "Wo"),
        layers: ["model.layers.0.mlp"], gate: .geglu),
      Naming(
        config: #"{"model_type": "lfm2"}"#, tensors: layer("model.layers.0.feed_forward", ["w1", "w3", "w2"]),
        layers: ["model.layers.0.feed_forward"], gate: .swiglu),
      Naming(
        config: #"{"model_type": "granitemoehybrid", "num_local_experts": 0, "shared_intermediate_size": 2}"#,
        tensors: fused("model.layers.0.shared_mlp", "input_linear", "output_linear"),
        layers: ["model.layers.0.shared_mlp"], gate: .swiglu),
      Naming(
        config: #"{"model_type": "dinov2", "use_swiglu_ffn": true, "hidden_act": "gelu"}"#,
        tensors: fused("blocks.0.mlp", "w12", "w3"), layers: ["blocks.0.mlp"], gate: .swiglu),
      Naming(
        config: #"{"model_type": "dinov2", "use_swiglu_ffn": true, "num_hidden_layers": 1}"#,
        tensors: fused("encoder.layer.0.mlp", "weights_in", "weights_out"), layers: ["encoder.layer.0.mlp"],
        gate: .swiglu),
      // The language part of a multimodal model, as old and as new versions save it.
      Naming(
        config:
          #"{"model_type": "gemma3", "hidden_size": 99, "text_config": {"model_type": "gemma3_text", "hidden_size": 2}}"#,
        tensors: layer("language_model.model.layers.0.mlp"), layers: ["language_model.model.layers.0.mlp"],
        gate: .gegluTanh),
      Naming(
        config: #"{"model_type": "gemma3", "text_config": {"hidden_size": 2, "model_type": null}}"#,
        tensors: layer("model.language_model.layers.0.mlp"), layers: ["model.language_model.layers.0.mlp"],
        gate: .gegluTanh),
      Naming(
        config:
          #"{"text_config": {"model_type": "mistral"}, "model_type": "mistral3", "vision_config": {"hidden_act": "gelu"}}"#,
        tensors: layer("language_model.model.layers.0.mlp")
          + layer("vision_tower.transformer.layers.0.feed_forward"),
        layers: ["language_model.model.layers.0.mlp"], gate: .swiglu),
    ]

  @Test(arguments: namings)
  func findsTheLayers(_ naming: Naming) throws {
    let checkpoint = try open(naming.config, naming.tensors)
    #expect(checkpoint.layers.map(\.name) == naming.layers)
    #expect(checkpoint.layers.map(\.index) == Array(naming.layers.indices))
    #expect(checkpoint.layers.allSatisfy { $0.weights.gate == naming.gate && $0.rule == checkpoint.rule })
    #expect(checkpoint.notes.isEmpty)
  }

  @Test func lfm2IsW1GatesW3() throws {
    let prefix = "model.layers.0.feed_forward"
    let layer = try #require(
      try open(
        #"{"model_type": "lfm2"}"#,
        [
          TensorFixture("\(prefix).w1.weight", [1, 1], floats: [1]),
          TensorFixture("\(prefix).w2.weight", [1, 1], floats: [2]),
          TensorFixture("\(prefix).w3.weight", [1, 1], floats: [3]),
        ]
      ).layers.first)
    #expect(layer.dense?.gateProj.floats == [1])
    #expect(layer.dense?.upProj.floats == [3])
    #expect(layer.dense?.downProj?.floats == [2])
    #expect(layer.rule == "w2(silu(w1 x) · w3 x)")
  }

  // MARK: Activations

  @Test(arguments: [
    ("silu", Gate.swiglu), ("swish", .swiglu), ("gelu", .geglu), ("gelu_python", .geglu),
    ("gelu_pytorch_tanh", .gegluTanh), ("gelu_new", .gegluTanh), ("gelu_fast", .gegluTanh),
    ("quick_gelu", .gegluQuick), ("relu", .reglu), ("relu2", .relu2glu), ("linear", .bilinear), ("sigmoid", .glu),
  ])
  func llamaTakesTheConfiguredActivation(name: String, gate: Gate) throws {
    let checkpoint = try open(
      #"{"model_type": "llama", "hidden_act": "\#(name)"}"#, Self.layer("model.layers.0.mlp"))
    #expect(checkpoint.layers[0].dense?.gate == gate)
  }

  @Test(arguments: [
    (#""hidden_act": "gelu""#, Gate.gegluTanh),
    (#""hidden_act": "gelu", "hidden_activation": null"#, .gegluTanh),
    (#""hidden_act": "gelu_pytorch_tanh""#, .gegluTanh),
    (#""hidden_act": "gelu", "hidden_activation": "gelu_pytorch_tanh""#, .gegluTanh),
    (#""hidden_act": "gelu_pytorch_tanh", "hidden_activation": "silu""#, .swiglu),
    (#""hidden_act": "silu", "hidden_activation": "gelu""#, .geglu),
    (#""hidden_act": "relu""#, .reglu),
    (#""tie_word_embeddings": true"#, .gegluTanh),
  ])
  func gemmasActivation(members: String, gate: Gate) throws {
    let checkpoint = try open(#"{"model_type": "gemma", \#(members)}"#, Self.layer("model.layers.0.mlp"))
    #expect(checkpoint.layers[0].dense?.gate == gate)
  }

  @Test(arguments: [
    (#"{"model_type": "t5"}"#, Gate.gegluTanh),
    (#"{"model_type": "mt5", "feed_forward_proj": "gated-gelu"}"#, .gegluTanh),
    (#"{"model_type": "t5", "feed_forward_proj": "gated-silu"}"#, .swiglu),
    (#"{"model_type": "t5", "feed_forward_proj": "gated-relu"}"#, .reglu),
  ])
  func t5sActivation(config: String, gate: Gate) throws {
    let checkpoint = try open(config, Self.layer("encoder.block.0.layer.1.DenseReluDense", ["wi_0", "wi_1", "wo"]))
    #expect(checkpoint.layers[0].dense?.gate == gate)
    #expect(checkpoint.notes == ["no tensors of decoder.block.#.layer.2.DenseReluDense"])
  }

  @Test(arguments: [
    #"{"model_type": "llama", "hidden_act": "gelu_10"}"#, #"{"model_type": "gemma", "hidden_activation": "xielu"}"#,
  ])
  func anActivationWithoutAGateIsRefused(config: String) throws {
    let error = #expect(throws: CheckpointError.self) { try open(config, Self.layer("model.layers.0.mlp")) }
    guard case .unsupportedActivation = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  // MARK: Families that are not served

  @Test(arguments: [
    ("gptj", "no gate"), ("gpt_neox", "no gate"), ("esm", "no gate"), ("nemotron", "relu²"), ("arcee", "relu²"),
    ("apertus", "xIELU"), ("phimoe", "sparse mixer"), ("llama4", "weights what goes into"), ("olmoe", "verified"),
  ])
  func refusedWithItsReason(modelType: String, reason: String) throws {
    let error = #expect(throws: CheckpointError.self) {
      try open(#"{"model_type": "\#(modelType)"}"#, Self.layer("model.layers.0.mlp"))
    }
    guard case .refusedFamily(modelType, let found) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(found.contains(reason))
  }

  @Test(arguments: [
    (#"{"model_type": "dinov2", "use_swiglu_ffn": false}"#, "no gate"),
    (#"{"model_type": "granitemoehybrid", "num_local_experts": 62}"#, "mixtures"),
    (#"{"model_type": "dbrx", "ffn_config": {"moe_top_k": 1, "moe_normalize_expert_weights": 2}}"#, "is 2.0"),
    (#"{"model_type": "deepseek_v2", "num_experts_per_tok": 1, "norm_topk_prob": true}"#, "norm_topk_prob"),
    (#"{"model_type": "deepseek_v2", "num_experts_per_tok": 1, "topk_method": "noaux_tc"}"#, "noaux_tc"),
  ])
  func refusedForAMember(config: String, reason: String) throws {
    let error = #expect(throws: CheckpointError.self) {
      try open(config, Self.layer("model.layers.0.shared_mlp") + Self.layer("model.layers.0.mlp"))
    }
    guard case .refusedFamily(_, let found) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(found.contains(reason))
  }

  @Test func t5VersionOneIsRefused() throws {
    let error = #expect(throws: CheckpointError.self) {
      try open(
        #"{"model_type": "t5", "feed_forward_proj": "relu"}"#,
        [TensorFixture("encoder.block.0.layer.1.DenseReluDense.wi.weight", [3, 2])])
    }
    guard case .refusedFamily("t5", let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains("no gate"))
  }

  @Test(arguments: [
    (#"{"model_type": "newthing"}"#, "newthing" as String?), ("{}", nil), (#"{"model_type": null}"#, nil),
    (#"{"model_type": "x", "text_config": {"model_type": "y"}}"#, "y"),
  ])
  func anUnknownFamilySaysWhatWasFound(config: String, modelType: String?) throws {
    #expect(throws: CheckpointError.unknownFamily(modelType: modelType, tensors: ["m.fc1.weight", "m.fc2.weight"])) {
      try open(config, [TensorFixture("m.fc1.weight", [3, 2]), TensorFixture("m.fc2.weight", [2, 3])])
    }
  }

  @Test func knownFamilyWithOtherNames() throws {
    #expect(
      throws: CheckpointError.noLayers(
        family: "llama", expected: "model.layers.0.mlp.gate_proj.weight",
        found: ["transformer.h.0.mlp.w1.weight"])
    ) {
      try open(
        #"{"model_type": "llama"}"#,
        [TensorFixture("transformer.h.0.mlp.w1.weight", [3, 2]), TensorFixture("transformer.wte.weight", [3, 2])])
    }
  }

  @Test func twoStacksUnderTwoRootsAreAmbiguous() throws {
    #expect(
      throws: CheckpointError.ambiguousLayers(
        family: "llama", prefixes: ["model.layers.#.mlp", "layers.#.mlp"])
    ) {
      try open(#"{"model_type": "llama"}"#, Self.layer("model.layers.0.mlp") + Self.layer("layers.0.mlp"))
    }
  }
}

extension Family {
  /// A text model by itself, its bare trunk, or the language part of a multimodal one, old names and new.
  private static let decoderRoots = [
    "model.", "", "language_model.model.", "model.language_model.", "model.text_model.",
  ]

  private static func decoder(
    _ modelTypes: [String], layer: String = "layers.#.mlp", _ projections: Projections,
    activation: ActivationRule, dFF: WidthRule = .member("intermediate_size"), bias: String? = nil,
    hiddenNorm: HiddenNorm? = nil, mixture: Mixture? = nil, condition: Condition? = nil
  ) -> Family {
    Family(
      modelTypes: modelTypes, stacks: [Stack(template: layer, counts: ["num_hidden_layers"])], roots: decoderRoots,
      projections: [projections], activation: activation, dModel: "hidden_size", dFF: dFF, bias: bias,
      hiddenNorm: hiddenNorm, mixture: mixture, condition: condition)
  }

  private static let plainProjections = Projections.separate(gate: "gate_proj", up: "up_proj", down: "down_proj")
  /// As transformers 5 names all experts together.
  private static let stackedExperts = Experts.stacked(both: "experts.gate_up_proj", down: "experts.down_proj")

  /// As Granite and JetMoe name theirs, experts and shared ones alike.
  private static let fusedLinear = Projections.fused("input_linear", halves: [.gate, .up], down: "output_linear")
  private static let stackedLinear = Experts.stacked(both: "input_linear.weight", down: "output_linear.weight")

  private static func graniteMixture(shared: Shared? = nil) -> Mixture {
    Mixture(
      router: "router.layer", experts: [stackedLinear], shared: shared, routing: .softmaxOfChosen,
      count: "num_local_experts", dFF: "intermediate_size")
  }

  private static func graniteShared(_ dFF: SharedWidth) -> Shared {
    Shared(name: "shared_mlp", isBesideMixture: true, projections: fusedLinear, dFF: dFF)
  }

  private static func qwenMixture(shared: Shared? = nil) -> Mixture {
    Mixture(
      router: "gate", experts: [.separate(plainProjections), stackedExperts], shared: shared,
      routing: .softmaxByConfiguration, count: "num_experts", dFF: "moe_intermediate_size", hasSparseStep: true)
  }

  /// Every family that is served.
  static let table: [Family] = [
    decoder(
      ["llama", "mistral", "qwen2", "qwen3"],
      .separate(gate: "gate_proj", up: "up_proj", down: "down_proj"),
      activation: .hiddenActivation(default: "silu"), bias: "mlp_bias"),

    // Gemma 1 was published with "hidden_act": "gelu" and trained with the tanh form.
    decoder(
      ["gemma", "gemma2", "gemma3", "gemma3_text"],
      .separate(gate: "gate_proj", up: "up_proj", down: "down_proj"),
      activation: .hiddenActivation(default: "gelu_pytorch_tanh", renamed: ["gelu": "gelu_pytorch_tanh"])),

    Family(
      modelTypes: ["t5", "mt5", "umt5"],
      stacks: [
        Stack(template: "encoder.block.#.layer.1.DenseReluDense", counts: ["num_layers"]),
        Stack(template: "decoder.block.#.layer.2.DenseReluDense", counts: ["num_decoder_layers", "num_layers"]),
      ],
      roots: [""],
      projections: [.separate(gate: "wi_0", up: "wi_1", down: "wo")],
      activation: .feedForwardProjection(default: "gated-gelu"), dModel: "d_model", dFF: .member("d_ff"), bias: nil),

    decoder(
      ["phi3", "glm"],
      .fused("gate_up_proj", halves: [.gate, .up], down: "down_proj"),
      activation: .hiddenActivation(default: "silu")),

    // The half that goes through the activation comes first, whatever the model's code calls the other one.
    decoder(
      ["modernbert"],
      .fused("Wi", halves: [.gate, .up], down: "Wo"),
      activation: .hiddenActivation(default: "gelu"), bias: "mlp_bias"),

    decoder(
      ["lfm2"], layer: "layers.#.feed_forward",
      .separate(gate: "w1", up: "w3", down: "w2"),
      activation: .fixed("silu"), dFF: .adjustedBlock),

    decoder(
      ["bitnet"], plainProjections, activation: .hiddenActivation(default: "relu2"),
      hiddenNorm: HiddenNorm(name: "ffn_sub_norm", epsilon: "rms_norm_eps", standard: 1e-5)),

    decoder(
      ["granitemoe"], layer: "layers.#.block_sparse_moe", fusedLinear, activation: .hiddenActivation(default: "silu"),
      mixture: graniteMixture()),
    decoder(
      ["granitemoeshared"], layer: "layers.#.block_sparse_moe", fusedLinear,
      activation: .hiddenActivation(default: "silu"),
      mixture: graniteMixture(shared: graniteShared(.memberOrNone("shared_intermediate_size")))),
    decoder(
      ["granitemoehybrid"], layer: "layers.#.block_sparse_moe", fusedLinear,
      activation: .hiddenActivation(default: "silu"),
      mixture: graniteMixture(shared: graniteShared(.member("shared_intermediate_size")))),
    // The shared expert is the whole layer of those models that have no others.
    decoder(
      ["granitemoehybrid"], layer: "layers.#.shared_mlp", fusedLinear, activation: .hiddenActivation(default: "silu"),
      dFF: .member("shared_intermediate_size"),
      condition: Condition(
        member: "num_local_experts", value: .integer(0),
        otherwise: "num_local_experts says that its layers are mixtures, and their experts are not there")),

    decoder(
      ["jetmoe"], fusedLinear, activation: .member("activation_function", default: "silu"),
      mixture: Mixture(
        router: "router.layer", experts: [stackedLinear], outputBias: "bias", routing: .softmaxOfChosen,
        count: "num_local_experts", dFF: "intermediate_size")),

    Family(
      modelTypes: ["dbrx"], stacks: [Stack(template: "blocks.#.ffn", counts: ["n_layers"])],
      roots: ["transformer.", ""], projections: [plainProjections],
      activation: .member("ffn_config/ffn_act_fn/name", default: "silu"), dModel: "d_model",
      dFF: .member("ffn_config/ffn_hidden_size"), bias: nil,
      mixture: Mixture(
        router: "router.layer",
        experts: [.stackedOnRows(gate: "experts.mlp.w1", up: "experts.mlp.v1", down: "experts.mlp.w2")],
        routing: .softmaxByNorm("ffn_config/moe_normalize_expert_weights"), count: "ffn_config/moe_num_experts",
        topK: "ffn_config/moe_top_k", dFF: "ffn_config/ffn_hidden_size")),

    // Published under the first names; transformers 5 has the second ones.
    decoder(
      ["mixtral"], layer: "layers.#.block_sparse_moe", plainProjections, activation: .hiddenActivation(default: "silu"),
      mixture: Mixture(
        router: "gate", experts: [.separate(.separate(gate: "w1", up: "w3", down: "w2"))],
        routing: .softmaxRenormalised, count: "num_local_experts", dFF: "intermediate_size")),
    decoder(
      ["mixtral"], plainProjections, activation: .hiddenActivation(default: "silu"),
      mixture: Mixture(
        router: "gate", experts: [stackedExperts], routing: .softmaxRenormalised, count: "num_local_experts",
        dFF: "intermediate_size")),

    decoder(
      ["qwen2_moe"], plainProjections, activation: .hiddenActivation(default: "silu"),
      mixture: qwenMixture(
        shared: Shared(
          name: "shared_expert", gate: "shared_expert_gate", dFF: .member("shared_expert_intermediate_size")))),
    decoder(
      ["qwen3_moe"], plainProjections, activation: .hiddenActivation(default: "silu"), mixture: qwenMixture()),

    decoder(
      ["deepseek_v3"], plainProjections, activation: .hiddenActivation(default: "silu"),
      mixture: Mixture(
        router: "gate", correction: "gate.e_score_correction_bias",
        experts: [.separate(plainProjections), stackedExperts],
        shared: Shared(name: "shared_experts", dFF: .timesRouted("n_shared_experts")), routing: .sigmoidGroups,
        count: "n_routed_experts", dFF: "moe_intermediate_size", firstDense: "first_k_dense_replace")),

    decoder(
      ["deepseek_v2"], plainProjections, activation: .hiddenActivation(default: "silu"),
      mixture: Mixture(
        router: "gate", experts: [.separate(plainProjections), stackedExperts],
        shared: Shared(name: "shared_experts", dFF: .timesRouted("n_shared_experts")), routing: .softmaxGroups,
        count: "n_routed_experts", dFF: "moe_intermediate_size", firstDense: "first_k_dense_replace")),

    decoder(
      ["lfm2_moe"], layer: "layers.#.feed_forward", .separate(gate: "w1", up: "w3", down: "w2"),
      activation: .fixed("silu"),
      mixture: Mixture(
        router: "gate", correction: "expert_bias",
        experts: [.separate(.separate(gate: "w1", up: "w3", down: "w2")), stackedExperts], routing: .sigmoidOfAll,
        count: "num_experts", dFF: "moe_intermediate_size", firstDense: "num_dense_layers")),

    decoder(
      ["gpt_oss"], plainProjections, activation: .clamped,
      mixture: Mixture(
        router: "router",
        experts: [.interleavedTransposed(both: "experts.gate_up_proj", down: "experts.down_proj")],
        routing: .softmaxOfChosen, count: "num_local_experts", dFF: "intermediate_size")),

    // As the authors published it, and as transformers did; the activation is in the code, whatever hidden_act says.
    Family(
      modelTypes: ["dinov2", "dinov2_with_registers"],
      stacks: [Stack(template: "#.mlp", counts: ["num_hidden_layers"])],
      roots: ["blocks.", "encoder.layer.", "dinov2.encoder.layer.", "dinov2_with_registers.encoder.layer."],
      projections: [
        .fused("w12", halves: [.gate, .up], down: "w3"),
        .fused("weights_in", halves: [.gate, .up], down: "weights_out"),
      ],
      activation: .fixed("silu"), dModel: "hidden_size", dFF: .ratio, bias: nil,
      condition: Condition(
        member: "use_swiglu_ffn", value: .boolean(true),
        otherwise: "without use_swiglu_ffn its layer is fc2(gelu(fc1 x)), which has no gate")),
  ]

  /// Families that are known and not served, each with its reason.
  static let refused: [(modelTypes: [String], reason: String)] = [
    (["gptj"], "GPT-J's layer is fc_out(gelu_tanh(fc_in x)), which has no gate"),
    (["gpt_neox"], "GPT-NeoX's layer is dense_4h_to_h(gelu(dense_h_to_4h x)), which has no gate"),
    (["esm"], "ESM-2's layer is output(gelu(intermediate x)), which has no gate"),
    (["nemotron"], "Nemotron's layer is down_proj(relu²(up_proj x)), which has no gate"),
    (["arcee"], "Arcee's layer is down_proj(relu²(up_proj x)), which has no gate"),
    (["apertus"], "Apertus' layer is down_proj(xIELU(up_proj x)), which has no gate"),
    (
      ["gpt2", "gpt_neo", "opt", "bloom", "bert", "roberta", "phi", "falcon", "starcoder2"],
      "its layer is two projections around a plain activation, without a gate"
    ),
    (["phimoe"], "Phi MoE's router is a sparse mixer whose experts are masked one after the other"),
    (["llama4", "llama4_text"], "Llama 4's router weights what goes into its experts and not what they return"),
    (["olmoe", "glm4_moe", "ernie4_5_moe", "hunyuan_v1_moe"], "its router has not been verified against its own code"),
  ]
}

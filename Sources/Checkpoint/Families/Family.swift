/// How one group of published models names and joins the tensors of its feed-forward layers.
///
/// The rows stand in ``table``; everything else reads them, so that a family's gate order, its names and its
/// activation are said once.
struct Family: Sendable {
  /// The `model_type`s of `config.json` that this row serves.
  let modelTypes: [String]
  /// The stacks of layers, in the order in which they are numbered.
  let stacks: [Stack]
  /// What may stand in front of a stack's template; one of them does.
  let roots: [String]
  /// The first of these whose names are there; a model that was published twice has two.
  let projections: [Projections]
  let activation: ActivationRule
  /// The configuration's member that is d_model.
  let dModel: String
  let dFF: WidthRule
  /// The member that says whether the projections have biases; without one the tensors alone say so.
  let bias: String?
  /// In families whose layers are mixtures of experts, some of them or all.
  var mixture: Mixture?
  /// Without it the layer would not be gated, or not be all there is.
  var condition: Condition?

  /// A member that decides whether a model of the family is served; one that is absent says nothing.
  struct Condition: Sendable {
    enum Value: Sendable { case boolean(Bool), integer(Int) }

    let member: String
    let value: Value
    /// Why a model with another value is refused.
    let otherwise: String
  }

  /// One sequence of layers: `#` in the template stands for the number.
  struct Stack: Sendable {
    let template: String
    /// The members that say how many there are, the first one that is present.
    let counts: [String]
  }

  enum Operand: Sendable { case gate, up }

  /// The names below a layer's prefix, each with `.weight` and perhaps `.bias`.
  enum Projections: Sendable {
    case separate(gate: String, up: String, down: String)
    /// One tensor `[2·d_ff, d_model]`, whose halves are the operands in this order.
    case fused(String, halves: [Operand], down: String)
  }

  /// Where the activation's name stands.
  enum ActivationRule: Sendable {
    /// `hidden_activation`, which wins over `hidden_act`, where the renamed mean something else than they say; else
    /// the default.
    case hiddenActivation(default: String, renamed: [String: String] = [:])
    /// `feed_forward_proj`, `gated-` and a name, of which `gelu` means `gelu_new`; without `gated-` there is one
    /// projection and no gate.
    case feedForwardProjection(default: String)
    /// Written into the model's code.
    case fixed(String)
    /// The clamped SwiGLU, its limit `swiglu_limit`.
    case clamped
  }

  /// How the configuration says d_ff.
  enum WidthRule: Sendable {
    case member(String)
    /// ⌊2/3·⌊d_model·`mlp_ratio`⌋⌋, up to a multiple of 8.
    case ratio
    /// `block_ff_dim` or `intermediate_size`; adjusted to ⌊2/3·width⌋, times a factor, up to a multiple, where
    /// `block_auto_adjust_ff_dim` says so. Where it says nothing both are accepted.
    case adjustedBlock
  }
}

extension Family {
  /// A text model by itself, its bare trunk, or the language part of a multimodal one, old names and new.
  private static let decoderRoots = [
    "model.", "", "language_model.model.", "model.language_model.", "model.text_model.",
  ]

  private static func decoder(
    _ modelTypes: [String], layer: String = "layers.#.mlp", _ projections: Projections,
    activation: ActivationRule, dFF: WidthRule = .member("intermediate_size"), bias: String? = nil,
    mixture: Mixture? = nil, condition: Condition? = nil
  ) -> Family {
    Family(
      modelTypes: modelTypes, stacks: [Stack(template: layer, counts: ["num_hidden_layers"])], roots: decoderRoots,
      projections: [projections], activation: activation, dModel: "hidden_size", dFF: dFF, bias: bias,
      mixture: mixture, condition: condition)
  }

  private static let plainProjections = Projections.separate(gate: "gate_proj", up: "up_proj", down: "down_proj")
  /// As transformers 5 names all experts together.
  private static let stackedExperts = Experts.stacked(both: "experts.gate_up_proj", down: "experts.down_proj")

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

    // The shared expert of Granite's mixtures, which is the whole layer of those models that have no others.
    decoder(
      ["granitemoehybrid"], layer: "layers.#.shared_mlp",
      .fused("input_linear", halves: [.gate, .up], down: "output_linear"),
      activation: .hiddenActivation(default: "silu"), dFF: .member("shared_intermediate_size"),
      condition: Condition(
        member: "num_local_experts", value: .integer(0),
        otherwise: "its layers are mixtures of experts; a dense layer is needed")),

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
    (
      [
        "deepseek_v2", "dbrx", "granitemoe", "granitemoeshared", "jetmoe", "lfm2_moe",
      ], "its layers are mixtures of experts of a kind that is not served"
    ),
    (["bitnet"], "its layers have a norm before the down projection"),
  ]

  static var knownModelTypes: [String] {
    table.flatMap(\.modelTypes).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// The row of a model type; of two, for names before and after a change, the first whose layers are there.
  static func serving(_ modelType: String, names: some Collection<String>) throws(CheckpointError) -> Family? {
    if let row = refused.first(where: { $0.modelTypes.contains(modelType) }) {
      throw .refusedFamily(modelType: modelType, reason: row.reason)
    }
    let rows = table.filter { $0.modelTypes.contains(modelType) }
    return rows.first { $0.hasLayers(among: names) } ?? rows.first
  }
}

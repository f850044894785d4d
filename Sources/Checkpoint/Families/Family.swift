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
  /// In families whose hidden rows are normalised before the down projection.
  var hiddenNorm: HiddenNorm?
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

  /// RMSNorm of a hidden row.
  struct HiddenNorm: Sendable {
    /// Below the layer's prefix, with `.weight`.
    let name: String
    /// The member that is ε.
    let epsilon: String
    let standard: Double
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
    /// A member of another name.
    case member(String, default: String)
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

import FeedForward

extension Family {
  /// How a family names and joins the tensors of its mixtures of experts, and how it routes.
  ///
  /// A layer of such a family is a mixture where its tensors are one's, and dense where they are not; the rest of the
  /// family's row describes the dense ones.
  struct Mixture: Sendable {
    /// The router's name below the layer's prefix, with `.weight` and perhaps `.bias`.
    let router: String
    /// What is added to the scores where experts are chosen.
    var correction: String?
    /// The first of these whose names are there.
    let experts: [Experts]
    /// The expert that every row goes to.
    var shared: Shared?
    /// What is added to each row's sum, `[d_model]`.
    var outputBias: String?
    let routing: RoutingRule
    /// The member that says how many experts there are.
    let count: String
    /// The member that says how many of them a row goes to.
    var topK = "num_experts_per_tok"
    /// The member that is the routed experts' d_ff.
    let dFF: String
    /// The member that says for how many of the first layers there are no mixtures.
    var firstDense: String?
    /// Whether `mlp_only_layers` and `decoder_sparse_step` say which layers are dense.
    var hasSparseStep = false
  }

  enum Experts: Sendable {
    /// Below `experts.N.`.
    case separate(Projections)
    /// `[E, 2·d_ff, d_model]`, the gate's rows first, and `[E, d_model, d_ff]`.
    case stacked(both: String, down: String)
    /// `[E·d_ff, d_model]` each, expert below expert; down as it is used, untransposed.
    case stackedOnRows(gate: String, up: String, down: String)
    /// `[E, d_model, 2·d_ff]`, even columns the gate's and odd ones up's, and `[E, d_ff, d_model]`; each with a bias
    /// `…_bias`. As MXFP4 they stand the other way round, `[E, 2·d_ff, d_model]` and `[E, d_model, d_ff]`, in
    /// `…_blocks` of 32 elements and their `…_scales`.
    case interleavedTransposed(both: String, down: String)
  }

  struct Shared: Sendable {
    let name: String
    /// Whether it stands beside the mixture and not below it.
    var isBesideMixture = false
    /// Named like the separate experts, unless this says otherwise.
    var projections: Projections?
    /// `[1, d_model]`: the sigmoid of a row's product with it weights the shared expert.
    var gate: String?
    let dFF: SharedWidth
  }

  /// How the configuration says the shared expert's d_ff.
  enum SharedWidth: Sendable {
    case member(String)
    /// 0, or absent: there is no shared expert.
    case memberOrNone(String)
    /// The routed experts' times this member.
    case timesRouted(String)
  }

  enum RoutingRule: Sendable {
    case softmaxRenormalised
    /// `norm_topk_prob` decides; without it scores stay as they are, which is transformers' default.
    case softmaxByConfiguration
    /// The member is null for scores as they are, and 1, or absent, for those divided by their sum.
    case softmaxByNorm(String)
    case softmaxOfChosen
    /// `topk_method`, `n_group`, `topk_group` and `routed_scaling_factor`, whose defaults are those of DeepSeek V2.
    case softmaxGroups
    /// `norm_topk_prob` and `routed_scaling_factor`; the correction only where `use_expert_bias`.
    case sigmoidOfAll
    /// `n_group`, `topk_group`, `norm_topk_prob` and `routed_scaling_factor`, whose defaults are those of DeepSeek V3.
    case sigmoidGroups
  }
}

extension Family.RoutingRule {
  private static let counts = 1...1 << 16

  func routing(_ configuration: ModelConfiguration) throws(CheckpointError) -> Routing {
    switch self {
    case .softmaxRenormalised: return .softmax(renormalised: true)
    case .softmaxByConfiguration:
      return .softmax(renormalised: try configuration.boolean("norm_topk_prob") ?? false)
    case .softmaxByNorm(let member):
      if configuration.isNull(member) { return .softmax(renormalised: false) }
      let norm = try configuration.number(member) ?? 1
      guard norm == 1 else {
        throw .refusedFamily(
          modelType: configuration.modelType ?? "",
          reason: "\(member) is \(norm): needed is 1, for weights divided by their sum, or null")
      }
      return .softmax(renormalised: true)
    case .softmaxOfChosen: return .softmaxOfChosen
    case .softmaxGroups:
      let scale = Float(try configuration.number("routed_scaling_factor") ?? 1)
      guard try configuration.boolean("norm_topk_prob") != true else {
        throw .refusedFamily(
          modelType: configuration.modelType ?? "",
          reason: "norm_topk_prob is true, for which its published code and transformers differ")
      }
      switch try configuration.string("topk_method") ?? "greedy" {
      case "greedy": return .softmaxInGroups(groups: 1, kept: 1, scale: scale)
      case "group_limited_greedy":
        return .softmaxInGroups(
          groups: try configuration.integer("n_group", in: Self.counts) ?? 1,
          kept: try configuration.integer("topk_group", in: Self.counts) ?? 1, scale: scale)
      case let method:
        throw .refusedFamily(
          modelType: configuration.modelType ?? "",
          reason: "topk_method is \(method): needed is greedy or group_limited_greedy")
      }
    case .sigmoidOfAll:
      return .sigmoid(
        groups: 1, kept: 1, renormalised: try configuration.boolean("norm_topk_prob") ?? true,
        scale: Float(try configuration.number("routed_scaling_factor") ?? 1), floor: 1e-6)
    case .sigmoidGroups:
      return .sigmoid(
        groups: try configuration.integer("n_group", in: Self.counts) ?? 8,
        kept: try configuration.integer("topk_group", in: Self.counts) ?? 4,
        renormalised: try configuration.boolean("norm_topk_prob") ?? true,
        scale: Float(try configuration.number("routed_scaling_factor") ?? 2.5))
    }
  }
}

extension Routing {
  /// How the scores come from the router's product and choose, in words.
  func rule(router: String, topK: Int, experts: Int) -> String {
    switch self {
    case .softmax(let renormalised):
      "top \(topK) of \(experts) by softmax(\(router) x)\(renormalised ? ", renormalised" : "")"
    case .softmaxOfChosen:
      "top \(topK) of \(experts) by \(router) x, weighted by their softmax"
    case .softmaxInGroups(let groups, let kept, let scale):
      """
      top \(topK) of \(experts) by softmax(\(router) x)\(groups > kept ? " in \(kept) of \(groups) groups" : ""), \
      × \(scale)
      """
    case .sigmoid(let groups, let kept, let renormalised, let scale, _):
      """
      top \(topK) of \(experts) by sigmoid(\(router) x) + correction\
      \(groups > kept ? " in \(kept) of \(groups) groups" : "")\(renormalised ? ", renormalised" : ""), × \(scale)
      """
    }
  }
}

extension Family {
  /// Where the configuration says a layer is dense and its tensors are a mixture's, or the other way round: the tensors
  /// decide, and the disagreement is worth saying.
  func disagreements(
    _ configuration: ModelConfiguration, _ prefixes: [String], _ files: WeightFiles
  ) throws(CheckpointError) -> [String] {
    guard let mixture else { return [] }
    let counts = 0...1 << 16
    let firstDense = try mixture.firstDense.flatMap { member throws(CheckpointError) in
      try configuration.integer(member, in: counts)
    }
    let step = mixture.hasSparseStep ? try configuration.integer("decoder_sparse_step", in: counts) : nil
    let only = mixture.hasSparseStep ? try configuration.integers("mlp_only_layers") : nil
    guard firstDense != nil || step != nil || only != nil else { return [] }
    return prefixes.enumerated().compactMap { number, prefix in
      let isStepped = step.map { $0 > 0 && (number + 1).isMultiple(of: $0) } ?? true
      let saysDense = number < firstDense ?? 0 || (only ?? []).contains(number) || !isStepped
      let isDense = !LayerAssembly(tensors: files.tensors, prefix: prefix).holds(mixture)
      guard saysDense != isDense else { return nil }
      return """
        config.json says \(prefix.dropLast()) is \(saysDense ? "dense" : "a mixture"), its tensors are \
        \(isDense ? "a dense layer's" : "a mixture's")
        """
    }
  }
}

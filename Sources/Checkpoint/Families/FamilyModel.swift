import FeedForward

/// A checkpoint read by its family's row: which gate, which layers, under which prefixes.
struct FamilyModel {
  let modelType: String
  let notes: [String]
  /// The layers' prefixes with their last dots, in the order of the model; never empty.
  let prefixes: [String]
  private let family: Family
  private let gate: Gate
  private let expectation: LayerExpectation
  private let mixture: MixtureExpectation?
  private let files: WeightFiles

  /// - Throws: ``CheckpointError``: an unknown, refused or ungated family, an unknown activation, no layers.
  init(_ configuration: ModelConfiguration, _ files: WeightFiles) throws(CheckpointError) {
    guard let modelType = configuration.modelType,
      let family = try Family.serving(modelType, names: files.tensors.keys)
    else {
      throw .unknownFamily(
        modelType: configuration.modelType, tensors: Array(files.tensors.keys.sorted().prefix(4)))
    }
    try family.condition?.confirm(modelType, configuration)
    self.modelType = modelType
    self.family = family
    self.files = files
    gate = try family.activation.gate(modelType, configuration)
    let expectation = try family.expectation(configuration)
    self.expectation = expectation
    mixture = try family.mixture.map { mixture throws(CheckpointError) in
      try MixtureExpectation(mixture, dense: expectation, configuration)
    }
    let census = try LayerCensus(family, modelType: modelType, configuration, names: files.tensors.keys)
    prefixes = census.prefixes
    notes =
      try census.notes + family.disagreements(configuration, census.prefixes, files)
      + configuration.quantizationNotes()
  }

  /// - Parameter index: the layer's place among those that are loaded.
  func layer(
    _ prefix: String, index: Int, experts: ExpertSelection? = nil
  ) throws(CheckpointError) -> LayerSource {
    var assembly = LayerAssembly(tensors: files.tensors, prefix: prefix, expectation: expectation)
    if let mixture, assembly.holds(mixture.mixture) {
      return try assembly.mixture(mixture, gate: gate, index: index, experts: experts)
    }
    let projections = family.projections.first { files.tensors["\(prefix)\($0.first).weight"] != nil }
    return try assembly.layer(projections ?? family.projections[0], gate: gate, index: index)
  }
}

extension Family.Condition {
  /// - Throws: ``CheckpointError/refusedFamily(modelType:reason:)`` when the configuration says otherwise.
  func confirm(_ modelType: String, _ configuration: ModelConfiguration) throws(CheckpointError) {
    let isMet =
      switch value {
      case .boolean(let value): try configuration.boolean(member).map { $0 == value } ?? true
      case .integer(let value): try configuration.integer(member, in: 0 ... .max).map { $0 == value } ?? true
      }
    if !isMet { throw .refusedFamily(modelType: modelType, reason: otherwise) }
  }
}

extension Family.ActivationRule {
  /// The gate of the activation that the configuration names.
  func gate(_ modelType: String, _ configuration: ModelConfiguration) throws(CheckpointError) -> Gate {
    let name: String
    switch self {
    case .fixed(let fixed):
      name = fixed
    case .member(let member, let standard):
      name = try configuration.string(member) ?? standard
    case .clamped:
      guard let limit = try configuration.number("swiglu_limit") else { return .swigluClamped }
      guard let gate = Gate.swigluClamped.setting(.limit, to: Float(limit)) else {
        throw .unsupportedActivation(family: modelType, found: "swiglu_limit \(limit)")
      }
      return gate
    case .hiddenActivation(let standard, let renamed):
      if let activation = try configuration.string("hidden_activation") {
        name = activation
      } else if let act = try configuration.string("hidden_act") {
        name = renamed[act] ?? act
      } else {
        name = standard
      }
    case .feedForwardProjection(let standard):
      let projection = try configuration.string("feed_forward_proj") ?? standard
      guard projection.hasPrefix("gated-") else {
        throw .refusedFamily(
          modelType: modelType,
          reason: """
            feed_forward_proj is \(projection): T5 1.0's layer is wo(\(projection)(wi x)), which has no gate; \
            gated-gelu or gated-silu is needed
            """)
      }
      let activation = String(projection.dropFirst("gated-".count))
      name = activation == "gelu" ? "gelu_new" : activation
    }
    guard let gate = Activation.gate(named: name) else { throw .unsupportedActivation(family: modelType, found: name) }
    return gate
  }
}

extension Family {
  /// No model's dimension reaches this; beyond it a product of two would not be a size.
  private static let widths = 1...1 << 30

  /// What the configuration says about the layers' sizes.
  func expectation(_ configuration: ModelConfiguration) throws(CheckpointError) -> LayerExpectation {
    var expectation = LayerExpectation()
    if let value = try configuration.integer(dModel, in: Self.widths) { expectation.dModel = (dModel, value) }
    if let bias, let value = try configuration.boolean(bias) { expectation.bias = (bias, value) }
    if let hiddenNorm {
      let epsilon = try configuration.number(hiddenNorm.epsilon) ?? hiddenNorm.standard
      expectation.hiddenNorm = (hiddenNorm.name, Float(epsilon))
    }
    expectation.scaleBlock = try ScaleBlock(configuration)
    switch dFF {
    case .member(let member):
      if let value = try configuration.integer(member, in: Self.widths) { expectation.dFF = (member, [value]) }
    case .ratio:
      guard let (_, width) = expectation.dModel, let ratio = try configuration.number("mlp_ratio"),
        let scaled = Int(exactly: (ratio * Double(width)).rounded(.down)), Self.widths ~= scaled
      else { break }
      expectation.dFF = ("mlp_ratio", [(scaled * 2 / 3 + 7) / 8 * 8])
    case .adjustedBlock:
      let member = configuration.has("block_ff_dim") ? "block_ff_dim" : "intermediate_size"
      guard let width = try configuration.integer(member, in: Self.widths) else { break }
      let multiple = try configuration.integer("block_multiple_of", in: Self.widths) ?? 256
      let factor = try configuration.number("block_ffn_dim_multiplier") ?? 1
      guard let scaled = Int(exactly: (factor * Double(width * 2 / 3)).rounded(.down)), Self.widths ~= scaled else {
        break
      }
      let adjusted = (scaled + multiple - 1) / multiple * multiple
      switch try configuration.boolean("block_auto_adjust_ff_dim") {
      case true?: expectation.dFF = (member, [adjusted])
      case false?: expectation.dFF = (member, [width])
      case nil: expectation.dFF = (member, [adjusted, width])
      }
    }
    return expectation
  }
}

import FeedForward

/// What a model's configuration says about its mixtures.
struct MixtureExpectation {
  let mixture: Family.Mixture
  let routing: Routing
  let topK: Int
  let experts: LayerExpectation
  let shared: LayerExpectation
  /// How many routed experts there are.
  let count: (member: String, value: Int)?

  private static let counts = 1...1 << 16
  private static let widths = 1...1 << 30
  private static let topKMember = "num_experts_per_tok"

  /// - Parameter dense: what is expected of the model's dense layers, whose d_model all layers share.
  /// - Throws: ``CheckpointError``: without a number of experts for a row nothing can be routed.
  init(
    _ mixture: Family.Mixture, dense: LayerExpectation, _ configuration: ModelConfiguration
  ) throws(CheckpointError) {
    self.mixture = mixture
    routing = try mixture.routing.routing(configuration)
    guard let topK = try configuration.integer(Self.topKMember, in: Self.counts) else {
      throw .missingMember(path: configuration.path, member: Self.topKMember)
    }
    self.topK = topK
    count = try configuration.integer(mixture.count, in: Self.counts).map { (mixture.count, $0) }
    var experts = LayerExpectation(dModel: dense.dModel)
    if let width = try configuration.integer(mixture.dFF, in: Self.widths) { experts.dFF = (mixture.dFF, [width]) }
    var shared = LayerExpectation(dModel: dense.dModel)
    switch mixture.shared?.dFF {
    case .member(let member)?:
      if let width = try configuration.integer(member, in: Self.widths) { shared.dFF = (member, [width]) }
    case .timesRouted(let member)?:
      if let routed = experts.dFF, let times = try configuration.integer(member, in: Self.counts) {
        shared.dFF = ("\(mixture.dFF)·\(member)", routed.values.map { $0 * times })
      }
    case nil: break
    }
    self.experts = experts
    self.shared = shared
  }
}

extension LayerAssembly {
  /// Whether the tensors below the prefix are a mixture's.
  func holds(_ mixture: Family.Mixture) -> Bool {
    tensors["\(prefix)\(mixture.router).weight"] != nil || mixture.experts.contains { has($0) }
  }

  private func has(_ experts: Family.Experts) -> Bool {
    switch experts {
    case .separate(let projections): tensors["\(prefix)experts.0.\(projections.first).weight"] != nil
    case .stacked(let both, _), .interleavedTransposed(let both, _): tensors["\(prefix)\(both)"] != nil
    }
  }

  /// The mixture whose tensors stand below the prefix.
  ///
  /// - Throws: ``CheckpointError``, as ``layer(_:gate:index:)`` does.
  mutating func mixture(
    _ expectation: MixtureExpectation, gate: Gate, index: Int
  ) throws(CheckpointError) -> LayerSource {
    let mixture = expectation.mixture
    let layout = mixture.experts.first { has($0) } ?? mixture.experts[0]
    let router = try matrix(mixture.router, .any("experts"), .any("d_model"))
    let (count, dModel) = (router.rows, router.columns)
    let routerShape = [count, dModel]
    if let (member, value) = expectation.count, value != count {
      throw .contradiction(
        tensor: weight(mixture.router), shape: routerShape, member: member, value: String(value))
    }
    if let (member, value) = expectation.experts.dModel, value != dModel {
      throw .contradiction(
        tensor: weight(mixture.router), shape: routerShape, member: member, value: String(value))
    }
    let experts = try self.experts(layout, count: count, dModel: dModel, gate: gate, expectation.experts)
    var weights = MixtureWeights(
      routing: expectation.routing, topK: expectation.topK, router: router,
      routerBias: try bias(mixture.router, count: count), experts: experts)
    weights.correctionBias = try mixture.correction.map { name throws(CheckpointError) in
      try vector("\(prefix)\(name)", count: count)
    }
    if let shared = mixture.shared {
      weights.shared = try below("\(shared.name).", expecting: expectation.shared) { part throws(CheckpointError) in
        try part.weights(layout.projections, gate: gate)
      }
      weights.sharedGate = try shared.gate.map { name throws(CheckpointError) in
        try matrix(name, .exactly(1), .exactly(dModel))
      }
    }
    do { try weights.validate() } catch {
      throw .mixture(name: String(prefix.dropLast()), error)
    }
    var rule = layout.rule(gate)
    rule += "; " + expectation.routing.rule(router: mixture.router, topK: expectation.topK, experts: count)
    if let shared = mixture.shared {
      rule += "; + \(shared.gate.map { "sigmoid(\($0) x) · " } ?? "")\(shared.name) x"
    }
    return source(
      .mixture(weights), index: index, dModel: dModel, dFF: experts[0].gateProj.rows, rule: rule)
  }

  private mutating func experts(
    _ layout: Family.Experts, count: Int, dModel: Int, gate: Gate, _ expectation: LayerExpectation
  ) throws(CheckpointError) -> [LayerWeights] {
    switch layout {
    case .separate(let projections):
      var experts: [LayerWeights] = []
      for expert in 0..<count {
        experts.append(
          try below("experts.\(expert).", expecting: expectation) { part throws(CheckpointError) in
            try part.weights(projections, gate: gate)
          })
      }
      return experts
    case .stacked(let both, let down):
      let gateUp = try stack(both, count, .any("2·d_ff"), .exactly(dModel))
      let dFF = try half(gateUp[0].rows, of: both, expected: "[\(count), 2·d_ff, \(dModel)]", expectation)
      let downs = try stack(down, count, .exactly(dModel), .exactly(dFF))
      return (0..<count).map { expert in
        LayerWeights(
          gate: gate, gateProj: gateUp[expert].rows(0..<dFF), upProj: gateUp[expert].rows(dFF..<2 * dFF),
          downProj: downs[expert])
      }
    case .interleavedTransposed(let both, let down):
      try confirmNotQuantised(both)
      try confirmNotQuantised(down)
      let gateUp = try stack(both, count, .exactly(dModel), .any("2·d_ff")).map(\.transposed)
      let dFF = try half(gateUp[0].rows, of: both, expected: "[\(count), \(dModel), 2·d_ff]", expectation)
      let downs = try stack(down, count, .exactly(dFF), .exactly(dModel)).map(\.transposed)
      let biases = try stack(both + "_bias", count, .exactly(2 * dFF))
      let downBiases = try stack(down + "_bias", count, .exactly(dModel))
      return (0..<count).map { expert in
        LayerWeights(
          gate: gate, gateProj: gateUp[expert].rows(0..<2 * dFF, step: 2),
          upProj: gateUp[expert].rows(1..<2 * dFF, step: 2), downProj: downs[expert],
          gateBias: biases[expert].elements(0..<2 * dFF, step: 2),
          upBias: biases[expert].elements(1..<2 * dFF, step: 2), downBias: downBiases[expert])
      }
    }
  }

  /// MXFP4 stands as blocks and scales in place of the tensor: named as what they are.
  private func confirmNotQuantised(_ name: String) throws(CheckpointError) {
    let blocks = "\(prefix)\(name)_blocks"
    if tensors["\(prefix)\(name)"] == nil, let stored = tensors[blocks] {
      throw .unsupportedElementType(tensor: blocks, found: stored.description.elementType)
    }
  }

  /// d_ff of a tensor in which gate and up stand together, held against the configuration.
  private func half(
    _ both: Int, of name: String, expected: String, _ expectation: LayerExpectation
  ) throws(CheckpointError) -> Int {
    let name = "\(prefix)\(name)"
    let shape = tensors[name]?.description.shape ?? []
    guard both.isMultiple(of: 2) else { throw .misshapenTensor(name: name, expected: expected, found: shape) }
    if let (member, values) = expectation.dFF, !values.contains(both / 2) {
      throw .contradiction(
        tensor: name, shape: shape, member: member, value: values.map(String.init).joined(separator: " or "))
    }
    return both / 2
  }

  /// The matrices that stand one behind the other in `[count, rows, columns]`.
  private mutating func stack(
    _ name: String, _ count: Int, _ rows: Size, _ columns: Size
  ) throws(CheckpointError) -> [MatrixView] {
    let (base, type, shape) = try tensor("\(prefix)\(name)", [.exactly(count), rows, columns])
    // Unsafe: the header's checks have the tensor hold as many elements as its shape says.
    return (0..<count).map {
      MatrixView(
        base: base + $0 * shape[1] * shape[2] * type.byteCount, type: type, rows: shape[1], columns: shape[2])
    }
  }

  /// The vectors of `[count, length]`.
  private mutating func stack(
    _ name: String, _ count: Int, _ length: Size
  ) throws(CheckpointError) -> [VectorView] {
    let (base, type, shape) = try tensor("\(prefix)\(name)", [.exactly(count), length])
    return (0..<count).map {
      VectorView(base: base + $0 * shape[1] * type.byteCount, type: type, count: shape[1])
    }
  }
}

extension Family.Experts {
  /// The projections of one expert, and of a shared one beside them.
  fileprivate var projections: Family.Projections {
    switch self {
    case .separate(let projections): projections
    case .stacked, .interleavedTransposed: .separate(gate: "gate_proj", up: "up_proj", down: "down_proj")
    }
  }

  /// What one expert computes, in words.
  fileprivate func rule(_ gate: Gate) -> String {
    switch self {
    case .separate(let projections): "experts: \(projections.rule(gate, hasDown: true))"
    case .stacked(let both, let down):
      "\(down)(\(gate.rule(gate: "\(both)[first half] x", up: "\(both)[second half] x")))"
    case .interleavedTransposed(let both, let down):
      "\(down)ᵀ(\(gate.rule(gate: "\(both)ᵀ[even rows] x", up: "\(both)ᵀ[odd rows] x")))"
    }
  }
}

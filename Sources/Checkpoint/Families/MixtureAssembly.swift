import FeedForward

/// What a model's configuration says about its mixtures.
struct MixtureExpectation {
  let mixture: Family.Mixture
  let routing: Routing
  let topK: Int
  let experts: LayerExpectation
  let shared: LayerExpectation
  /// Whether the family's shared expert is there.
  let hasShared: Bool
  /// How many routed experts there are.
  let count: (member: String, value: Int)?

  private static let counts = 1...1 << 16
  private static let widths = 1...1 << 30

  /// - Parameter dense: what is expected of the model's dense layers, whose d_model all layers share.
  /// - Throws: ``CheckpointError``: without a number of experts for a row nothing can be routed.
  init(
    _ mixture: Family.Mixture, dense: LayerExpectation, _ configuration: ModelConfiguration
  ) throws(CheckpointError) {
    self.mixture = mixture
    routing = try mixture.routing.routing(configuration)
    guard let topK = try configuration.integer(mixture.topK, in: Self.counts) else {
      throw .missingMember(path: configuration.path, member: mixture.topK)
    }
    self.topK = topK
    count = try configuration.integer(mixture.count, in: Self.counts).map { (mixture.count, $0) }
    var experts = LayerExpectation(dModel: dense.dModel, scaleBlock: dense.scaleBlock)
    if let width = try configuration.integer(mixture.dFF, in: Self.widths) { experts.dFF = (mixture.dFF, [width]) }
    var shared = LayerExpectation(dModel: dense.dModel, scaleBlock: dense.scaleBlock)
    var hasShared = mixture.shared != nil
    switch mixture.shared?.dFF {
    case .memberOrNone(let member)?:
      let width = try configuration.integer(member, in: 0...Self.widths.upperBound) ?? 0
      hasShared = width > 0
      shared.dFF = (member, [width])
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
    self.hasShared = hasShared
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
    case .stacked(let both, _): tensors["\(prefix)\(both)"] != nil
    case .stackedOnRows(let gate, _, _): tensors["\(prefix)\(gate)"] != nil
    case .interleavedTransposed(let both, _):
      tensors["\(prefix)\(both)"] != nil || tensors["\(prefix)\(both)_blocks"] != nil
    }
  }

  /// The mixture whose tensors stand below the prefix.
  ///
  /// - Parameter selection: the experts to load; the others' tensors are not looked at and may be missing.
  /// - Throws: ``CheckpointError``, as ``layer(_:gate:index:)`` does.
  mutating func mixture(
    _ expectation: MixtureExpectation, gate: Gate, index: Int, experts selection: ExpertSelection?
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
    let held = try selection?.indices(of: count, layer: String(prefix.dropLast())) ?? Array(0..<count)
    let experts = try self.experts(layout, held, of: count, dModel: dModel, gate: gate, expectation.experts)
    var weights = MixtureWeights(
      routing: expectation.routing, topK: expectation.topK, router: router,
      routerBias: try bias(mixture.router, count: count), experts: experts, held: held)
    weights.correctionBias = try mixture.correction.map { name throws(CheckpointError) in
      try vector("\(prefix)\(name)", count: count)
    }
    let shared = expectation.hasShared ? mixture.shared : nil
    if let shared {
      let projections = shared.projections ?? layout.projections
      let path = shared.isBesideMixture ? sibling(shared.name) : "\(prefix)\(shared.name)."
      weights.shared = try at(path, expecting: expectation.shared) { part throws(CheckpointError) in
        try part.weights(projections, gate: gate)
      }
      weights.sharedGate = try shared.gate.map { name throws(CheckpointError) in
        try matrix(name, .exactly(1), .exactly(dModel))
      }
    }
    weights.outputBias = try mixture.outputBias.map { name throws(CheckpointError) in
      try vector("\(prefix)\(name)", count: dModel)
    }
    do { try weights.validate() } catch {
      throw .mixture(name: String(prefix.dropLast()), error)
    }
    var rule = layout.rule(gate, isPacked: has(packed: layout))
    rule += "; " + expectation.routing.rule(router: mixture.router, topK: expectation.topK, experts: count)
    if let shared {
      rule += "; + \(shared.gate.map { "sigmoid(\($0) x) · " } ?? "")\(shared.name) x"
    }
    if let bias = mixture.outputBias { rule += "; + \(bias)" }
    if held.count < count { rule += "; experts \(ExpertSelection.text(held)) are here" }
    return source(
      .mixture(weights), index: index, dModel: dModel, dFF: experts[0].gateProj.rows, rule: rule)
  }

  /// The path of what stands beside the layer, with a last dot.
  private func sibling(_ name: String) -> String {
    let above = prefix.dropLast().split(separator: ".", omittingEmptySubsequences: false).dropLast()
    return (above + [name[...]]).joined(separator: ".") + "."
  }

  /// Whether the experts of that layout stand as MXFP4.
  private func has(packed layout: Family.Experts) -> Bool {
    if case .interleavedTransposed(let both, _) = layout { tensors["\(prefix)\(both)_blocks"] != nil } else { false }
  }

  private mutating func experts(
    _ layout: Family.Experts, _ held: [Int], of count: Int, dModel: Int, gate: Gate, _ expectation: LayerExpectation
  ) throws(CheckpointError) -> [LayerWeights] {
    switch layout {
    case .separate(let projections):
      var experts: [LayerWeights] = []
      for expert in held {
        experts.append(
          try at("\(prefix)experts.\(expert).", expecting: expectation) { part throws(CheckpointError) in
            try part.weights(projections, gate: gate)
          })
      }
      return experts
    case .stacked(let both, let down):
      let gateUp = try stack(both, count, .any("2·d_ff"), .exactly(dModel), held.count)
      let dFF = try half(gateUp[0].rows, of: both, expected: "[\(count), 2·d_ff, \(dModel)]", expectation)
      let downs = try stack(down, count, .exactly(dModel), .exactly(dFF), held.count)
      return held.map { expert in
        LayerWeights(
          gate: gate, gateProj: gateUp[expert].rows(0..<dFF), upProj: gateUp[expert].rows(dFF..<2 * dFF),
          downProj: downs[expert])
      }
    case .stackedOnRows(let gateName, let upName, let downName):
      let gates = try rowStack(gateName, count, dModel, held.count, expectation)
      let ups = try rowStack(upName, count, dModel, held.count, expectation)
      let downs = try rowStack(downName, count, dModel, held.count, expectation)
      return held.map { expert in
        LayerWeights(
          gate: gate, gateProj: gates[expert], upProj: ups[expert], downProj: downs[expert].transposed)
      }
    case .interleavedTransposed(let both, let down):
      let (gateUp, downs): ([MatrixView], [MatrixView])
      let dFF: Int
      if has(packed: layout) {
        gateUp = try mxfp4Stack(both, count, .any("2·d_ff"), columns: dModel, held: held.count)
        dFF = try half(
          gateUp[0].rows, of: "\(both)_blocks", expected: "[\(count), 2·d_ff, \(dModel / 32), 16]", expectation)
        downs = try mxfp4Stack(down, count, .exactly(dModel), columns: dFF, held: held.count)
      } else {
        gateUp = try stack(both, count, .exactly(dModel), .any("2·d_ff"), held.count).map(\.transposed)
        dFF = try half(gateUp[0].rows, of: both, expected: "[\(count), \(dModel), 2·d_ff]", expectation)
        downs = try stack(down, count, .exactly(dFF), .exactly(dModel), held.count).map(\.transposed)
      }
      let biases = try stack(both + "_bias", count, .exactly(2 * dFF), held.count)
      let downBiases = try stack(down + "_bias", count, .exactly(dModel), held.count)
      return held.map { expert in
        LayerWeights(
          gate: gate, gateProj: gateUp[expert].rows(0..<2 * dFF, step: 2),
          upProj: gateUp[expert].rows(1..<2 * dFF, step: 2), downProj: downs[expert],
          gateBias: biases[expert].elements(0..<2 * dFF, step: 2),
          upBias: biases[expert].elements(1..<2 * dFF, step: 2), downBias: downBiases[expert])
      }
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
    _ name: String, _ count: Int, _ rows: Size, _ columns: Size, _ held: Int
  ) throws(CheckpointError) -> [MatrixView] {
    let name = "\(prefix)\(name)"
    let (base, type, shape) = try tensor(
      name, [.exactly(count), rows, columns], types: WeightType.ofMatrices, share: (held, count))
    let scales = try scales(ofEach: name, type, shape, held: held)
    // Unsafe: the header's checks have the tensor hold as many elements as its shape says.
    return (0..<count).map {
      MatrixView(
        base: base + $0 * shape[1] * shape[2] * type.bits / 8, type: type, rows: shape[1], columns: shape[2],
        scales: scales?($0))
    }
  }

  /// The matrices that stand one below the other in `[count·d_ff, columns]`.
  private mutating func rowStack(
    _ name: String, _ count: Int, _ columns: Int, _ held: Int, _ expectation: LayerExpectation
  ) throws(CheckpointError) -> [MatrixView] {
    let (whole, expected) = ("\(prefix)\(name)", "\(count)·d_ff")
    let (base, type, shape) = try tensor(whole, [.any(expected), .exactly(columns)], share: (held, count))
    guard shape[0].isMultiple(of: count) else {
      throw .misshapenTensor(name: whole, expected: "[\(expected), \(columns)]", found: shape)
    }
    let dFF = shape[0] / count
    if let (member, values) = expectation.dFF, !values.contains(dFF) {
      throw .contradiction(
        tensor: whole, shape: shape, member: member, value: values.map(String.init).joined(separator: " or "))
    }
    return (0..<count).map {
      MatrixView(base: base + $0 * dFF * columns * type.bits / 8, type: type, rows: dFF, columns: columns)
    }
  }

  /// The vectors of `[count, length]`.
  private mutating func stack(
    _ name: String, _ count: Int, _ length: Size, _ held: Int
  ) throws(CheckpointError) -> [VectorView] {
    let (base, type, shape) = try tensor("\(prefix)\(name)", [.exactly(count), length], share: (held, count))
    return (0..<count).map {
      VectorView(base: base + $0 * shape[1] * type.bits / 8, type: type, count: shape[1])
    }
  }
}

extension Family.Experts {
  /// The projections of one expert, and of a shared one beside them.
  fileprivate var projections: Family.Projections {
    switch self {
    case .separate(let projections): projections
    case .stacked, .stackedOnRows, .interleavedTransposed:
      .separate(gate: "gate_proj", up: "up_proj", down: "down_proj")
    }
  }

  /// What one expert computes, in words.
  ///
  /// - Parameter isPacked: as MXFP4, in which nothing is transposed.
  fileprivate func rule(_ gate: Gate, isPacked: Bool) -> String {
    switch self {
    case .separate(let projections): "experts: \(projections.rule(gate, hasDown: true))"
    case .stacked(let both, let down):
      "\(down)(\(gate.rule(gate: "\(both)[first half] x", up: "\(both)[second half] x")))"
    case .stackedOnRows(let gateName, let upName, let down):
      "\(down)[expert]ᵀ(\(gate.rule(gate: "\(gateName)[expert] x", up: "\(upName)[expert] x")))"
    case .interleavedTransposed(let both, let down) where isPacked:
      "\(down)(\(gate.rule(gate: "\(both)[even rows] x", up: "\(both)[odd rows] x")))"
    case .interleavedTransposed(let both, let down):
      "\(down)ᵀ(\(gate.rule(gate: "\(both)ᵀ[even rows] x", up: "\(both)ᵀ[odd rows] x")))"
    }
  }
}

/// What a mixture of experts is made of, before it is packed.
///
/// `y = Σ_e w_e(x)·expert_e(x) + s(x)·shared(x) + b` over the `topK` experts that the router chooses for the row, with
/// `s(x) = σ(sharedGate·x)`, or 1 without a gate.
package struct MixtureWeights: Sendable {
  package var routing: Routing
  /// Experts that a row goes to.
  package var topK: Int
  /// `[experts, dIn]`: a row's logits are its products with these rows.
  package var router: MatrixView
  /// `[experts]`, added to the logits.
  package var routerBias: VectorView?
  /// `[experts]`, added to the scores where experts are chosen, and not where they are weighted.
  package var correctionBias: VectorView?
  package var experts: [LayerWeights]
  /// Which of the router's experts these are, ascending; all of them where that is not said.
  package var held: [Int]?
  /// The expert that every row goes to.
  package var shared: LayerWeights?
  /// `[1, dIn]`
  package var sharedGate: MatrixView?
  /// `[dOut]`, added to each row's sum.
  package var outputBias: VectorView?

  package init(
    routing: Routing, topK: Int, router: MatrixView, routerBias: VectorView? = nil,
    correctionBias: VectorView? = nil, experts: [LayerWeights], held: [Int]? = nil, shared: LayerWeights? = nil,
    sharedGate: MatrixView? = nil, outputBias: VectorView? = nil
  ) {
    self.routing = routing
    self.topK = topK
    self.router = router
    self.routerBias = routerBias
    self.correctionBias = correctionBias
    self.experts = experts
    self.held = held
    self.shared = shared
    self.sharedGate = sharedGate
    self.outputBias = outputBias
  }
}

/// One of the parts of a mixture, as errors name it.
package enum MixturePart: Sendable, Equatable {
  case router
  case correctionBias
  case expert(Int)
  case shared
  case sharedGate
  case outputBias
}

extension MixtureWeights {
  /// How many experts the router chooses from.
  package var count: Int { router.rows }
}

/// Why weights do not make a mixture: a refusal at load.
package enum MixtureError: Error, Equatable {
  /// The part is no layer by itself, or there is no memory for it.
  case layer(MixturePart, LayerError)
  /// The part's shape is not the one that the router asks for.
  case shape(MixturePart, found: [Int], expected: [Int])
  /// Fewer than one expert for a row, or more than there are.
  case topK(Int, experts: Int)
  /// The groups are not of one size of at least two, or those that are kept hold fewer experts than a row goes to.
  case groups(Int, kept: Int, experts: Int)
}

extension MixtureWeights {
  /// Whether the shapes make a mixture; the router decides what the others must be.
  package func validate() throws(MixtureError) {
    let (count, dIn) = (router.rows, router.columns)
    guard count > 0, dIn > 0 else { throw .shape(.router, found: [count, dIn], expected: [experts.count, dIn]) }
    let held = held ?? Array(0..<count)
    let isAscending = zip(held, held.dropFirst()).allSatisfy { $0 < $1 }
    guard !held.isEmpty, experts.count == held.count, isAscending, (0..<count).contains(held[0]),
      (0..<count).contains(held[held.count - 1])
    else { throw .shape(.router, found: [count, dIn], expected: [experts.count, dIn]) }
    guard 1...count ~= topK else { throw .topK(topK, experts: count) }
    let (groups, kept) = routing.groups
    if groups != 1 || kept != 1 {
      let isWhole = groups > 0 && count.isMultiple(of: groups) && count / max(groups, 1) >= 2
      guard isWhole, 1...groups ~= kept, kept * (count / groups) >= topK else {
        throw .groups(groups, kept: kept, experts: count)
      }
    }
    try validate(routerBias, .router, count: count)
    try validate(correctionBias, .correctionBias, count: count)
    if let sharedGate, sharedGate.rows != 1 || sharedGate.columns != dIn {
      throw .shape(.sharedGate, found: [sharedGate.rows, sharedGate.columns], expected: [1, dIn])
    }
    for (index, expert) in zip(held, experts) { try validate(expert, .expert(index), dIn: dIn) }
    if let shared { try validate(shared, .shared, dIn: dIn) }
    try validate(outputBias, .outputBias, count: experts[0].downProj?.rows ?? experts[0].gateProj.rows)
  }

  private func validate(_ bias: VectorView?, _ part: MixturePart, count: Int) throws(MixtureError) {
    guard let bias, bias.count != count else { return }
    throw .shape(part, found: [bias.count], expected: [count])
  }

  private func validate(_ layer: LayerWeights, _ part: MixturePart, dIn: Int) throws(MixtureError) {
    do { try layer.validate() } catch { throw .layer(part, error) }
    let widths = [layer.gateProj.columns, layer.downProj?.rows ?? layer.gateProj.rows]
    guard widths == [dIn, experts[0].downProj?.rows ?? experts[0].gateProj.rows] else {
      throw .shape(part, found: widths, expected: [dIn, experts[0].downProj?.rows ?? experts[0].gateProj.rows])
    }
  }
}

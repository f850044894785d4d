import FeedForward
import Testing

/// Mixtures of published models, computed by their own code in float64 but for the router's softmax or sigmoid, which
/// is float32 there and carries about 1e-7.
@Suite struct MixtureTests {
  /// How a file names and lays out what it holds.
  enum Layout: Sendable {
    case named(gate: String, up: String, down: String)
    case fused
    case interleavedTransposed
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var file: String
    var routing: Routing
    var topK: Int
    var layout = Layout.named(gate: "gate_proj", up: "up_proj", down: "down_proj")
    var shared: String?
    var testDescription: String { file }
  }

  static let cases = [
    Case(
      file: "mixtral_moe", routing: .softmax(renormalised: true), topK: 2,
      layout: .named(gate: "w1", up: "w3", down: "w2")),
    Case(file: "mixtral_moe_fused", routing: .softmax(renormalised: true), topK: 2, layout: .fused),
    Case(file: "qwen2_moe", routing: .softmax(renormalised: false), topK: 3, shared: "shared_expert"),
    Case(file: "qwen2_moe_norm", routing: .softmax(renormalised: true), topK: 3, shared: "shared_expert"),
    Case(
      file: "deepseek_v3_moe", routing: .sigmoid(groups: 4, kept: 2, renormalised: true, scale: 2.5), topK: 3,
      shared: "shared_experts"),
    Case(file: "gpt_oss_moe", routing: .softmaxOfChosen, topK: 4, layout: .interleavedTransposed),
    Case(file: "gpt_oss_moe_clamped", routing: .softmaxOfChosen, topK: 4, layout: .interleavedTransposed),
  ]

  @Test(arguments: cases, Kernels.available.map(\.name))
  func mixtureWithinFourTimesThePeersError(_ test: Case, kernels: String) throws {
    let golden = try Golden(test.file)
    let mixture = try Self.mixture(test, golden, kernels: .named(kernels))
    let result = mixture.apply(to: try golden("input").floats)
    let bound = 4 * (try golden.peerError) + 1e-7
    #expect(try Self.distance(result.output, golden("output").floats) <= bound)
    #expect(try Self.distance(result.logits, golden("router_logits").floats) <= 4e-6)

    // Not every reference sorts its choice: compared expert by expert.
    let (indices, weights) = (try golden("router_indices").floats, try golden("router_weights").floats)
    try #require(result.indices.count == indices.count && result.weights.count == weights.count)
    for row in stride(from: 0, to: indices.count, by: test.topK) {
      func byExpert(_ indices: [Float], _ weights: [Float]) -> [Float: Float] {
        Dictionary(uniqueKeysWithValues: zip(indices, weights).dropFirst(row).prefix(test.topK).map { $0 })
      }
      let (found, expected) = (byExpert(result.indices, result.weights), byExpert(indices, weights))
      #expect(found.keys.sorted() == expected.keys.sorted())
      for (expert, weight) in expected { #expect(abs(try #require(found[expert]) - weight) <= 1e-6) }
    }
  }

  private static func distance(_ found: [Float], _ expected: [Float]) throws -> Double {
    try #require(found.count == expected.count)
    return try #require(zip(found, expected).map { abs(Double($0) - Double($1)) }.max())
  }

  private static func mixture(_ test: Case, _ golden: Golden, kernels: Kernels) throws -> MixtureLayer {
    let memory = ViewMemory()
    func matrix(_ name: String) throws -> MatrixView {
      let values = try golden(name)
      return memory.matrix(values.floats, rows: values.shape[0])
    }
    func layer(_ prefix: String, _ gate: String, _ up: String, _ down: String) throws -> LayerWeights {
      LayerWeights(
        gate: .swiglu, gateProj: try matrix("\(prefix).\(gate).weight"), upProj: try matrix("\(prefix).\(up).weight"),
        downProj: try matrix("\(prefix).\(down).weight"))
    }
    /// Expert `index`'s part of a tensor in which all stand one behind the other.
    func part(_ name: String, _ index: Int) throws -> (floats: ArraySlice<Float>, shape: [Int]) {
      let values = try golden(name)
      let count = values.floats.count / values.shape[0]
      return (values.floats[(index * count)..<((index + 1) * count)], Array(values.shape[1...]))
    }
    func expert(_ index: Int) throws -> LayerWeights {
      switch test.layout {
      case .named(let gate, let up, let down):
        return try layer("experts.\(index)", gate, up, down)
      case .fused:
        let (both, down) = (try part("experts.gate_up_proj", index), try part("experts.down_proj", index))
        let view = memory.matrix(both.floats, rows: both.shape[0])
        return LayerWeights(
          gate: .swiglu, gateProj: view.rows(0..<view.rows / 2), upProj: view.rows(view.rows / 2..<view.rows),
          downProj: memory.matrix(down.floats, rows: down.shape[0]))
      case .interleavedTransposed:
        let (both, down) = (try part("experts.gate_up_proj", index), try part("experts.down_proj", index))
        let view = memory.matrix(both.floats, rows: both.shape[0]).transposed
        let bias = memory.vector(try part("experts.gate_up_proj_bias", index).floats)
        return LayerWeights(
          gate: .swigluClamped, gateProj: view.rows(0..<view.rows, step: 2), upProj: view.rows(1..<view.rows, step: 2),
          downProj: memory.matrix(down.floats, rows: down.shape[0]).transposed,
          gateBias: bias.elements(0..<bias.count, step: 2), upBias: bias.elements(1..<bias.count, step: 2),
          downBias: memory.vector(try part("experts.down_proj_bias", index).floats))
      }
    }
    let routerName = golden.tensors.keys.contains { $0.hasSuffix("router.weight") } ? "router" : "gate"
    let router = try matrix("\(routerName).weight")
    var weights = MixtureWeights(
      routing: test.routing, topK: test.topK, router: router, experts: try (0..<router.rows).map(expert))
    if routerName == "router" { weights.routerBias = memory.vector(try golden("router.bias").floats) }
    if case .sigmoid = test.routing {
      weights.correctionBias = memory.vector(try golden("gate.e_score_correction_bias").floats)
    }
    weights.shared = try test.shared.map { try layer($0, "gate_proj", "up_proj", "down_proj") }
    if test.shared == "shared_expert" { weights.sharedGate = try matrix("shared_expert_gate.weight") }
    return try withExtendedLifetime(memory) { try MixtureLayer(weights, kernels: kernels) }
  }

  // MARK: The same row

  private static let routings: [Routing] = [
    .softmax(renormalised: true), .softmax(renormalised: false), .softmaxOfChosen,
    .sigmoid(groups: 4, kept: 3, renormalised: true, scale: 2.5),
    .sigmoid(groups: 1, kept: 1, renormalised: false, scale: 1),
  ]

  private static func random(_ routing: Routing, hasShared: Bool, dFF: Int = 20) throws -> MixtureLayer {
    let memory = ViewMemory()
    var random = SplitMix(seed: 11)
    let weights = MixtureWeights.random(
      routing, topK: 3, experts: 12, dIn: 9, dFF: dFF, hasShared: hasShared, memory: memory, random: &random)
    return try withExtendedLifetime(memory) { try MixtureLayer(weights) }
  }

  /// Whatever it is computed with, wherever it stands, in chunks of rows and chunks of an expert's rows.
  @Test(arguments: routings, [false, true])
  func rowHasItsBitsInEveryBatch(_ routing: Routing, hasShared: Bool) throws {
    let mixture = try Self.random(routing, hasShared: hasShared)
    let workspace = Workspace()
    var random = SplitMix(seed: 3)
    let rows = MixtureLayer.chunkRows + 40
    let input = random.floats(rows * mixture.dIn, scale: 2)
    let all = mixture.apply(to: input, workspace: workspace)
    for row in [0, 1, 2, 255, 256, 700, MixtureLayer.chunkRows - 1, MixtureLayer.chunkRows, rows - 1] {
      func of(_ values: [Float], _ width: Int) -> [Float] { Array(values[(row * width)..<((row + 1) * width)]) }
      let alone = mixture.apply(to: of(input, mixture.dIn), workspace: workspace)
      #expect(alone.output == of(all.output, mixture.dOut))
      #expect(alone.logits == of(all.logits, mixture.count))
      #expect(alone.indices == of(all.indices, mixture.topK))
      #expect(alone.weights == of(all.weights, mixture.topK))
    }
  }

  /// What the router chose, chosen by somebody else; and a reserved workspace does not grow.
  @Test func givenExpertsAreTheRouters() throws {
    let mixture = try Self.random(.softmax(renormalised: true), hasShared: false)
    let workspace = Workspace()
    workspace.reserve(for: mixture, rows: 30)
    let reserved = workspace.byteCount
    var random = SplitMix(seed: 5)
    let input = random.floats(30 * mixture.dIn, scale: 2)
    let routed = mixture.apply(to: input, workspace: workspace)
    var output = [Float](repeating: .nan, count: 30 * mixture.dOut)
    mixture.forward(
      input: input, rows: 30, indices: routed.indices, weights: routed.weights, choices: mixture.topK,
      output: &output, workspace: workspace)
    #expect(output == routed.output)
    #expect(workspace.byteCount == reserved)
  }

  @Test func teamLeavesTheBitsAlone() throws {
    let team = Team(threads: 3)
    defer { team.dismiss() }
    let mixture = try Self.random(.softmaxOfChosen, hasShared: true, dFF: 3000)
    var random = SplitMix(seed: 6)
    let input = random.floats(50 * mixture.dIn, scale: 2)
    #expect(mixture.apply(to: input, team: team) == mixture.apply(to: input))
  }

  // MARK: Choices

  struct Choice: Sendable {
    var routing: Routing
    var topK: Int
    var logits: [Float]
    var correction: [Float]?
    var indices: [Float]
    var weights: [Float]
  }

  /// Experts of one input, which is 1, so that the router's weights are the logits.
  static let choices = [
    // Equal logits: the lower index, in its order.
    Choice(
      routing: .softmax(renormalised: false), topK: 3, logits: [0, 0, 0, 0], indices: [0, 1, 2],
      weights: [0.25, 0.25, 0.25]),
    Choice(routing: .softmaxOfChosen, topK: 2, logits: [1, 3, 3, 3], indices: [1, 2], weights: [0.5, 0.5]),
    // An expert without a chance counts 0.
    Choice(
      routing: .softmax(renormalised: true), topK: 2, logits: [-200, 0, -300], indices: [1, 0], weights: [1, 0]),
    // The correction chooses and does not weigh.
    Choice(
      routing: .sigmoid(groups: 1, kept: 1, renormalised: false, scale: 3), topK: 1, logits: [0, 0, 0],
      correction: [0, 1, 1], indices: [1], weights: [1.5]),
    // Sums of two best: group 1 has 0.5 + 0.5, group 0 has σ(30) + ~0; in float32 both are 1, and the lower one wins.
    Choice(
      routing: .sigmoid(groups: 2, kept: 1, renormalised: true, scale: 1), topK: 2, logits: [-200, 30, 0, 0],
      indices: [1, 0], weights: [1, 0]),
    Choice(
      routing: .sigmoid(groups: 2, kept: 1, renormalised: true, scale: 2), topK: 2, logits: [-200, 30, 0, 0],
      correction: [0, 0, 0, 0.5], indices: [3, 2], weights: [1, 1]),
    // Negative choices inside a kept group still beat those outside.
    Choice(
      routing: .sigmoid(groups: 2, kept: 1, renormalised: true, scale: 1), topK: 2, logits: [0, 0, 9, -9],
      correction: [-1, -1, -5, 9], indices: [3, 2], weights: [1 - 0.9998766, 0.9998766]),
  ]

  @Test(arguments: choices)
  func expertsChosen(_ choice: Choice) throws {
    let memory = ViewMemory()
    let expert = LayerWeights(
      gate: .bilinear, gateProj: memory.matrix([1], rows: 1), upProj: memory.matrix([1], rows: 1),
      downProj: memory.matrix([1], rows: 1))
    let count = choice.logits.count
    let mixture = try withExtendedLifetime(memory) {
      try MixtureLayer(
        MixtureWeights(
          routing: choice.routing, topK: choice.topK, router: memory.matrix(choice.logits, rows: count),
          correctionBias: choice.correction.map { memory.vector($0) },
          experts: Array(repeating: expert, count: count)))
    }
    let result = mixture.apply(to: [1])
    #expect(result.indices == choice.indices)
    for (found, expected) in zip(result.weights, choice.weights) { #expect(abs(found - expected) <= 1e-6) }
    #expect(abs(result.output[0] - choice.weights.reduce(0, +)) <= 1e-6)
  }

  // MARK: Refusals

  @Test func shapesThatMakeNoMixture() throws {
    let memory = ViewMemory()
    defer { withExtendedLifetime(memory) {} }
    var random = SplitMix(seed: 1)
    let whole = MixtureWeights.random(
      .softmax(renormalised: true), topK: 2, experts: 4, dIn: 3, dFF: 5, hasShared: true, memory: memory,
      random: &random)
    func refusal(_ change: (inout MixtureWeights) -> Void) -> MixtureError? {
      var weights = whole
      change(&weights)
      do throws(MixtureError) {
        _ = try MixtureLayer(weights)
        return nil
      } catch {
        return error
      }
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal { $0.topK = 5 } == .topK(5, experts: 4))
    #expect(refusal { $0.topK = 0 } == .topK(0, experts: 4))
    #expect(refusal { $0.experts.removeLast() } == .shape(.router, found: [4, 3], expected: [3, 3]))
    #expect(
      refusal { $0.routing = .sigmoid(groups: 3, kept: 1, renormalised: true, scale: 1) }
        == .groups(3, kept: 1, experts: 4))
    #expect(
      refusal {
        $0.routing = .sigmoid(groups: 2, kept: 1, renormalised: true, scale: 1)
        $0.topK = 3
      } == .groups(2, kept: 1, experts: 4))
    #expect(
      refusal { $0.correctionBias = memory.vector([1]) } == .shape(.correctionBias, found: [1], expected: [4]))
    #expect(
      refusal { $0.sharedGate = memory.matrix([1, 2], rows: 1) }
        == .shape(.sharedGate, found: [1, 2], expected: [1, 3])
    )
    #expect(
      refusal { $0.experts[2].upProj = memory.matrix([1, 2, 3], rows: 1) }
        == .layer(.expert(2), .shape(.upProj, found: [1, 3], expected: [5, 3])))
    #expect(
      refusal { $0.experts[1].downProj = memory.matrix(Array(repeating: 1, count: 10), rows: 2) }
        == .shape(.expert(1), found: [3, 2], expected: [3, 3]))
  }
}

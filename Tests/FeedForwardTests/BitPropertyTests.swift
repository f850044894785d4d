import FeedForward
import Testing

/// The same row gives the same bits, in every arithmetic and on every kernel set: random layers, rows, places in a
/// batch and teams.
@Suite struct BitPropertyTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var kernels: String
    var arithmetic: Arithmetic
    var testDescription: String { "\(arithmetic.rawValue) on \(kernels)" }
  }

  static let cases = Kernels.available.flatMap { set in
    Arithmetic.allCases.map { Case(kernels: set.name, arithmetic: $0) }
  }

  #if DEBUG
    static let layers = 3
  #else
    static let layers = 40
  #endif

  @Test(arguments: cases)
  func rowAloneDecides(_ test: Case) throws {
    let kernels = try Kernels.named(test.kernels)
    var random = SplitMix(seed: 1000)
    for _ in 0..<Self.layers {
      let gate = Gate.all[random.number(in: 0...11)]
      let dIn = random.number(in: 1...700)
      let dense = DenseLayer.random(
        gate, dIn: dIn, dFF: random.number(in: 1...600), dOut: random.number(in: 0...3) * random.number(in: 1...50),
        random: &random)
      let layer = try dense.packed(
        kernels: kernels, type: random.number(in: 0...1) == 0 ? .f32 : .bf16, arithmetic: test.arithmetic)
      let available = 60
      let input = random.floats(available * dIn, scale: 2)
      var alone: [Int: [Float]] = [:]
      let workspace = Workspace()
      for _ in 0..<(test.kernels == "scalar" ? 2 : 8) {
        let rows = random.number(in: 1...(test.kernels == "scalar" ? 9 : 50))
        let first = random.number(in: 0...(available - rows))
        let batch = Array(input[(first * dIn)..<((first + rows) * dIn)])
        let result = layer.apply(to: batch, workspace: workspace).output
        for row in 0..<rows {
          let place = first + row
          let want = alone[place] ?? layer.apply(to: Array(input[(place * dIn)..<((place + 1) * dIn)])).output
          alone[place] = want
          #expect(
            Array(result[(row * layer.dOut)..<((row + 1) * layer.dOut)]) == want,
            "\(gate.wireName) \(dIn)→\(layer.dFF)→\(layer.dOut), row \(row) of \(rows)")
        }
      }
    }
  }

  /// A layer that is worth sharing: gate and up, the rows' quantisation and the down projection by several threads.
  @Test(arguments: cases.filter { $0.kernels != "scalar" })
  func teamsLeaveTheBitsAlone(_ test: Case) throws {
    var random = SplitMix(seed: 1001)
    let dense = DenseLayer.random(.swiglu, dIn: 520, dFF: 3000, dOut: 300, random: &random)
    let layer = try dense.packed(kernels: .named(test.kernels), arithmetic: test.arithmetic)
    let input = random.floats(45 * 520, scale: 2)
    let workspace = Workspace()
    for threads in [2, 5] {
      let team = Team(threads: threads)
      defer { team.dismiss() }
      for rows in [1, 6, 45] {
        let batch = Array(input.prefix(rows * 520))
        let alone = layer.apply(to: batch).output
        for _ in 0..<2 {
          #expect(layer.apply(to: batch, workspace: workspace, team: team).output == alone, "\(rows) rows")
        }
      }
    }
  }

  /// Experts in each arithmetic; the router decides in float32 in all of them.
  @Test(arguments: Arithmetic.allCases)
  func mixtures(_ arithmetic: Arithmetic) throws {
    var random = SplitMix(seed: 1002)
    let memory = ViewMemory()
    let weights = MixtureWeights.random(
      .softmax(renormalised: true), topK: 3, experts: 7, dIn: 100, dFF: 90, hasShared: true, memory: memory,
      random: &random)
    let mixture = try MixtureLayer(weights, arithmetic: arithmetic)
    let exact = try MixtureLayer(weights, arithmetic: .f32)
    #expect(mixture.experts.allSatisfy { $0.arithmetic == arithmetic } && mixture.shared?.arithmetic == arithmetic)
    let input = random.floats(40 * 100, scale: 1)
    let (result, want) = (mixture.apply(to: input), exact.apply(to: input))
    #expect(result.logits == want.logits && result.indices == want.indices && result.weights == want.weights)
    let bounds: [Arithmetic: Double] = [.f32: 0, .bf16: 0.005, .int8: 0.02, .int4: 0.18]
    let bound = try #require(bounds[arithmetic])
    #expect(relativeError(result.output, want.output.map(Double.init)) <= bound)
    for row in [0, 17, 39] {
      let alone = mixture.apply(to: Array(input[(row * 100)..<((row + 1) * 100)]))
      #expect(alone.output == Array(result.output[(row * 100)..<((row + 1) * 100)]))
    }
  }
}

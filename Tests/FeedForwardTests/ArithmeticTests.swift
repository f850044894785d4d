import FeedForward
import Testing

/// bf16 arithmetic: how far it may lie from float64, and that a row's bits depend on the row alone here, too.
@Suite struct ArithmeticTests {
  static let kernels = Kernels.available.map(\.name)

  static let files = ["llama_mlp_bias", "gemma_mlp", "shazeer_ffn_glu_bias", "shazeer_ffn_bilinear", "modernbert_mlp"]

  /// Rounding to 8 bits errs by 2⁻⁹/√3 of a number in the mean: over weights, inputs and hidden values about 0.3% of
  /// the output's norm.
  @Test(arguments: files, kernels)
  func bf16NormErrorBelowHalfAPercent(_ file: String, kernels: String) throws {
    let test = try #require(GoldenTests.cases.first { $0.file == file })
    let golden = try Golden(file)
    let layer = try GoldenTests.dense(test, golden).packed(kernels: .named(kernels), arithmetic: .bf16)
    let result = layer.apply(to: try golden("input").floats)
    #expect(relativeError(result.output, try golden("output").floats) <= 0.005)
  }

  /// What is rounded is rounded to nearest: numbers of 8 bits pass unchanged, others go to the even neighbour in a tie.
  @Test(arguments: kernels)
  func roundsToNearestEven(_ kernels: String) throws {
    let dense = DenseLayer(
      gate: .bilinear, dIn: 1, dFF: 4, dOut: 0, gateProj: [1, 1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1.8p-8],
      upProj: [1, 1, 1, 1], downProj: [])
    let layer = try dense.packed(kernels: .named(kernels), arithmetic: .bf16)
    #expect(layer.apply(to: [1]).output == [1, 1, 1 + 0x4p-8, 1 + 0x2p-8])
    #expect(layer.apply(to: [-1 - 0x1p-8], activations: true).gate[0] == -1)
    #expect(layer.apply(to: [.infinity]).output == [.infinity, .infinity, .infinity, .infinity])
    #expect(layer.apply(to: [.nan]).output.allSatisfy { $0.isNaN })
  }

  /// Sets without bf16 instructions agree bit by bit, and those with them up to the order inside a pair.
  @Test(arguments: LayerTests.shapes)
  func kernelSetsAgree(_ shape: LayerTests.Shape) throws {
    var random = SplitMix(seed: 31)
    let dense = DenseLayer.random(.swiglu, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, random: &random)
    let input = random.floats(5 * shape.dIn, scale: 2)
    let reference = try dense.packed(kernels: .named("scalar"), arithmetic: .bf16).apply(to: input, activations: true)
    for kernels in Kernels.available {
      let result = try dense.packed(kernels: kernels, arithmetic: .bf16).apply(to: input, activations: true)
      if kernels.name == "avx512_bf16" {
        for (got, want) in zip(result.gate + result.up, reference.gate + reference.up) {
          #expect(abs(got - want) <= 1e-5 * max(1, abs(want)))
        }
        #expect(relativeError(result.output, reference.output) <= 1e-3)
      } else {
        #expect(result.output == reference.output && result.hidden == reference.hidden, "\(kernels.name)")
      }
    }
  }

  @Test(arguments: kernels)
  func sameRowSameBitsInEveryBatch(_ name: String) throws {
    var random = SplitMix(seed: 77)
    let dense = DenseLayer.random(.swiglu, dIn: 601, dFF: 70, dOut: 45, random: &random)
    let layer = try dense.packed(kernels: .named(name), arithmetic: .bf16)
    let available = 80
    let input = random.floats(available * layer.dIn, scale: 2)
    let alone = (0..<available).map { layer.apply(to: Array(input[($0 * 601)..<(($0 + 1) * 601)])).output }
    let workspace = Workspace()
    for rows in stride(from: 1, through: 70, by: name == "scalar" ? 11 : 1) {
      let first = random.number(in: 0...(available - rows))
      let result = layer.apply(to: Array(input[(first * 601)..<((first + rows) * 601)]), workspace: workspace)
      #expect(result.output == Array(alone[first..<(first + rows)].joined()), "\(rows) rows from \(first)")
    }
  }

  /// ‖got − want‖ / ‖want‖
  private func relativeError(_ got: [Float], _ want: [Float]) -> Double {
    let error = zip(got, want).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    let norm = want.reduce(0.0) { $0 + Double($1) * Double($1) }
    return (error / norm).squareRoot()
  }
}

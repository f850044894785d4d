import FeedForward
import Testing

/// Layers whose hidden rows are normalised before the down projection, against float64 arithmetic on the formula.
@Suite struct HiddenNormTests {
  private struct Layer {
    let dense: DenseLayer
    let norm: [Float]
    let epsilon: Float = 1e-5

    init(dIn: Int, dFF: Int, dOut: Int, gate: Gate = .relu2glu) {
      var random = SplitMix(seed: 23)
      dense = .random(gate, dIn: dIn, dFF: dFF, dOut: dOut, biases: false, random: &random)
      norm = random.floats(dFF, scale: 1).map { 1 + $0 / 4 }
    }

    func packed(_ kernels: Kernels = .best(), _ arithmetic: Arithmetic = .f32) throws -> FeedForwardLayer {
      try dense.gateProj.withUnsafeBytes { gate in
        try dense.upProj.withUnsafeBytes { up in
          try dense.downProj.withUnsafeBytes { down in
            try norm.withUnsafeBytes { norm in
              func matrix(_ bytes: UnsafeRawBufferPointer, _ rows: Int, _ columns: Int) -> MatrixView {
                MatrixView(base: bytes.baseAddress!, type: .f32, rows: rows, columns: columns)
              }
              return try FeedForwardLayer(
                LayerWeights(
                  gate: dense.gate, gateProj: matrix(gate, dense.dFF, dense.dIn),
                  upProj: matrix(up, dense.dFF, dense.dIn), downProj: matrix(down, dense.dOut, dense.dFF),
                  hiddenNorm: HiddenNormWeights(
                    weight: VectorView(base: norm.baseAddress!, type: .f32, count: dense.dFF), epsilon: epsilon)),
                kernels: kernels, arithmetic: arithmetic)
            }
          }
        }
      }
    }

    /// One row: the normalised hidden values and the output.
    func exact(_ x: [Double]) -> (hidden: [Double], output: [Double]) {
      func products(_ weights: [Float], _ rows: Int, _ x: [Double]) -> [Double] {
        (0..<rows).map { row in
          x.indices.reduce(0) { $0 + Double(weights[row * x.count + $1]) * x[$1] }
        }
      }
      let gates = products(dense.gateProj, dense.dFF, x)
      let ups = products(dense.upProj, dense.dFF, x)
      let inner = zip(gates, ups).map { Oracle.apply(dense.gate, $0, $1) }
      let mean = inner.reduce(0) { $0 + $1 * $1 } / Double(dense.dFF)
      let hidden = inner.indices.map { inner[$0] / (mean + Double(epsilon)).squareRoot() * Double(norm[$0]) }
      return (hidden, products(dense.downProj, dense.dOut, hidden))
    }
  }

  @Test(arguments: Kernels.available.map(\.name), [(3, 5, 2), (40, 72, 40), (64, 600, 30)])
  func forwardIsTheFormula(kernels: String, _ sizes: (Int, Int, Int)) throws {
    let layer = Layer(dIn: sizes.0, dFF: sizes.1, dOut: sizes.2)
    var random = SplitMix(seed: 5)
    let input = random.floats(7 * sizes.0, scale: 2)
    let packed = try layer.packed(.named(kernels))
    let result = packed.apply(to: input, activations: true)
    let plain = packed.apply(to: input)
    #expect(plain.output == result.output)
    for row in 0..<7 {
      let exact = layer.exact(input[row * sizes.0..<(row + 1) * sizes.0].map(Double.init))
      for (found, right) in zip(result.hidden[(row * sizes.1)...], exact.hidden) {
        #expect(abs(Double(found) - right) <= 2e-5)
      }
      for (found, right) in zip(result.output[(row * sizes.2)...], exact.output) {
        #expect(abs(Double(found) - right) <= 2e-5)
      }
    }
  }

  /// The same row, alone and among others, in every arithmetic and on every kernel set.
  @Test(arguments: Arithmetic.allCases)
  func companyDoesNotChangeABit(_ arithmetic: Arithmetic) throws {
    let layer = Layer(dIn: 33, dFF: 70, dOut: 17)
    var random = SplitMix(seed: 9)
    let input = random.floats(20 * 33, scale: 2)
    for kernels in Kernels.available {
      let packed = try layer.packed(kernels, arithmetic)
      let all = packed.apply(to: input).output
      for row in [0, 7, 19] {
        let alone = packed.apply(to: Array(input[row * 33..<(row + 1) * 33])).output
        #expect(alone == Array(all[row * 17..<(row + 1) * 17]))
      }
    }
  }

  /// Central differences of the formula in float64, for a gate that is smooth.
  @Test func gradientIsTheFormulas() throws {
    let layer = Layer(dIn: 6, dFF: 11, dOut: 5, gate: .swiglu)
    var random = SplitMix(seed: 31)
    let (input, weights) = (random.floats(6, scale: 1), random.floats(5, scale: 1))
    let packed = try layer.packed()
    var (output, found) = ([Float](repeating: .nan, count: 5), [Float](repeating: .nan, count: 6))
    try packed.gradient(
      GradientRows(input: input, gradOutput: weights, count: 1, output: &output, gradInput: &found),
      workspace: Workspace())
    func loss(_ x: [Double]) -> Double { zip(layer.exact(x).output, weights).reduce(0) { $0 + $1.0 * Double($1.1) } }
    for place in 0..<6 {
      var (low, high) = (input.map(Double.init), input.map(Double.init))
      (low[place], high[place]) = (low[place] - 1e-5, high[place] + 1e-5)
      let right = (loss(high) - loss(low)) / 2e-5
      #expect(abs(Double(found[place]) - right) <= 1e-5 * max(1, abs(right)))
    }
  }

  @Test func aNormThatFitsNoHiddenRowIsRefused() throws {
    let layer = Layer(dIn: 3, dFF: 5, dOut: 2)
    let floats = [Float](repeating: 1, count: 16)
    floats.withUnsafeBytes { bytes in
      func matrix(_ rows: Int, _ columns: Int) -> MatrixView {
        MatrixView(base: bytes.baseAddress!, type: .f32, rows: rows, columns: columns)
      }
      let norm = HiddenNormWeights(
        weight: VectorView(base: bytes.baseAddress!, type: .f32, count: 4), epsilon: layer.epsilon)
      var weights = LayerWeights(
        gate: .relu2glu, gateProj: matrix(5, 3), upProj: matrix(5, 3), downProj: matrix(2, 5), hiddenNorm: norm)
      #expect(throws: LayerError.hiddenNorm(found: 4, expected: 5)) { try weights.validate() }
      weights.downProj = nil
      #expect(throws: LayerError.hiddenNorm(found: 4, expected: 0)) { try weights.validate() }
    }
  }
}

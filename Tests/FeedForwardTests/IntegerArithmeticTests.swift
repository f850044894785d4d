import FeedForward
import Testing

/// int8 and int4: what they compute, how far that lies from float64, and what becomes of extreme rows.
@Suite struct IntegerArithmeticTests {
  static let kernels = Kernels.available.map(\.name)
  static let arithmetics: [Arithmetic] = [.int8, .int4]

  private static func format(of arithmetic: Arithmetic) -> QuantisedOracle.WeightFormat {
    arithmetic == .int8 ? .int8 : .int4
  }

  /// A layer of normally distributed weights, each row of the order that keeps outputs near 1.
  private static func normalLayer(
    _ gate: Gate, dIn: Int, dFF: Int, dOut: Int, random: inout SplitMix
  ) -> DenseLayer {
    DenseLayer(
      gate: gate, dIn: dIn, dFF: dFF, dOut: dOut,
      gateProj: random.normals(dFF * dIn, scale: 1 / Float(dIn).squareRoot()),
      upProj: random.normals(dFF * dIn, scale: 1 / Float(dIn).squareRoot()),
      downProj: random.normals(dOut * dFF, scale: 1 / Float(dFF).squareRoot()))
  }

  /// The quantised numbers are those of the description: but for the few that float32 rounds to the other side of a
  /// tie, each one step of one of hundreds of terms, nothing is left of the error.
  @Test(arguments: LayerTests.shapes, arithmetics)
  func computesWhatItSays(_ shape: LayerTests.Shape, arithmetic: Arithmetic) throws {
    var random = SplitMix(seed: UInt64(shape.dIn * 31 + shape.dFF))
    let dense = DenseLayer.random(.swiglu, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, random: &random)
    let layer = try dense.packed(kernels: .best(), arithmetic: arithmetic)
    let input = random.floats(shape.dIn, scale: 2)
    let result = layer.apply(to: input, activations: true)
    let want = QuantisedOracle.forward(dense, Self.format(of: arithmetic), row: input[...])
    #expect(relativeError(result.gate, want.gate) <= 1e-3)
    #expect(relativeError(result.up, want.up) <= 1e-3)
    #expect(relativeError(result.hidden, want.hidden) <= 1e-3)
    #expect(relativeError(result.output, want.output) <= 2e-3)
  }

  static let gates: [Gate] = [.swiglu, .geglu, .gegluTanh, .reglu, .glu, .bilinear, .relu2glu]

  /// Normally distributed inputs and weights: bytes err by at most 2% of the output's norm; where the gate squares an
  /// operand, and so doubles its relative error, by 2.2%.
  @Test(arguments: gates)
  func int8NormErrorBelowTwoPercent(_ gate: Gate) throws {
    var random = SplitMix(seed: 41)
    let dense = Self.normalLayer(gate, dIn: 512, dFF: 512, dOut: 64, random: &random)
    let input = random.normals(2 * 512, scale: 1)
    let want = (0..<2).flatMap { Oracle.forward(dense, row: input[($0 * 512)..<(($0 + 1) * 512)]).output }
    let result = try dense.packed(kernels: .best(), arithmetic: .int8).apply(to: input)
    #expect(relativeError(result.output, want) <= (gate == .relu2glu ? 0.022 : 0.02))
  }

  /// Against the weights that its nibbles stand for, int4 errs by no more than its rows' bytes do. Against the original
  /// ones it can't come near that: 4.5 bits a weight leave at least 2^−4.5 = 4.4% of each projection's norm whatever
  /// the code (Shannon's bound for normally distributed numbers), and a grid of 16 steps leaves 8.3%, of which three
  /// projections make 14%.
  @Test(arguments: [Gate.swiglu, .geglu, .relu2glu])
  func int4NormErrorBelowItsBounds(_ gate: Gate) throws {
    var random = SplitMix(seed: 42)
    let dense = Self.normalLayer(gate, dIn: 512, dFF: 512, dOut: 64, random: &random)
    let input = random.normals(2 * 512, scale: 1)
    let rows = (0..<2).map { input[($0 * 512)..<(($0 + 1) * 512)] }
    let result = try dense.packed(kernels: .best(), arithmetic: .int4).apply(to: input)
    let rounded = QuantisedOracle.dequantised(dense, .int4)
    #expect(relativeError(result.output, rows.flatMap { Oracle.forward(rounded, row: $0).output }) <= 0.02)
    #expect(relativeError(result.output, rows.flatMap { Oracle.forward(dense, row: $0).output }) <= 0.18)
    #expect(relativeError(rounded.gateProj, dense.gateProj.map(Double.init)) <= 0.085)
  }

  /// Published layers, small as they are: 48 inputs are three runs of 16.
  @Test(arguments: ArithmeticTests.files)
  func int8OfGoldens(_ file: String) throws {
    let test = try #require(GoldenTests.cases.first { $0.file == file })
    let golden = try Golden(file)
    let layer = try GoldenTests.dense(test, golden).packed(kernels: .best(), arithmetic: .int8)
    let result = layer.apply(to: try golden("input").floats)
    let want = try golden("output").floats.map(Double.init)
    #expect(relativeError(result.output, want) <= 0.02)
  }

  /// One outlier among ordinary numbers, as Transformers have them: turned, it costs the others nothing.
  @Test(arguments: [Float(30), 300]) func outliersCostLittle(_ outlier: Float) throws {
    var random = SplitMix(seed: 43)
    let dense = Self.normalLayer(.bilinear, dIn: 512, dFF: 512, dOut: 0, random: &random)
    var input = random.normals(512, scale: 1)
    input[100] = outlier
    let want = Oracle.forward(dense, row: input[...])
    let result = try dense.packed(kernels: .best(), arithmetic: .int8).apply(to: input, activations: true)
    #expect(relativeError(result.gate, want.gate) <= 0.015)
  }

  /// Integer sums are exact, so every set gives the scalar bits.
  @Test(arguments: LayerTests.shapes, arithmetics)
  func everyKernelSetGivesTheScalarBits(_ shape: LayerTests.Shape, arithmetic: Arithmetic) throws {
    var random = SplitMix(seed: 7)
    let dense = DenseLayer.random(.geglu, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, random: &random)
    let input = random.floats(5 * shape.dIn, scale: 2)
    let scalar = try dense.packed(kernels: .named("scalar"), arithmetic: arithmetic)
    let reference = scalar.apply(to: input, activations: true)
    for kernels in Kernels.available {
      let result = try dense.packed(kernels: kernels, arithmetic: arithmetic).apply(to: input, activations: true)
      #expect(result.output == reference.output, "\(kernels.name)")
      #expect(result.gate == reference.gate && result.up == reference.up, "\(kernels.name)")
      #expect(result.hidden == reference.hidden, "\(kernels.name)")
    }
  }

  /// Rows at the ends of float32: zeros stay zeros, small and huge numbers keep their size, and what can't be scaled
  /// makes its own row NaN and no other.
  @Test(arguments: kernels, arithmetics)
  func extremeRows(_ kernels: String, arithmetic: Arithmetic) throws {
    var random = SplitMix(seed: 51)
    let dense = DenseLayer.random(.bilinear, dIn: 70, dFF: 33, dOut: 0, biases: false, random: &random)
    let layer = try dense.packed(kernels: .named(kernels), arithmetic: arithmetic)
    func gate(_ x: [Float]) -> [Float] { layer.apply(to: x, activations: true).gate }
    let ordinary = random.floats(70, scale: 1)
    let zeros = [Float](repeating: 0, count: 70)
    var one = zeros
    one[3] = .greatestFiniteMagnitude
    var withNaN = ordinary
    withNaN[69] = .nan
    #expect(gate(zeros) == [Float](repeating: 0, count: 33))
    #expect(gate([Float](repeating: .leastNonzeroMagnitude, count: 70)) == [Float](repeating: 0, count: 33))
    #expect(gate([Float](repeating: 1e-38, count: 70)) == [Float](repeating: 0, count: 33))
    let huge = gate(one)
    #expect(huge.allSatisfy { $0.isFinite } && huge.contains { $0 != 0 })
    // Powers of two pass through every rounding.
    #expect(gate(ordinary.map { $0 * 0x1p90 }) == gate(ordinary).map { $0 * 0x1p90 })
    #expect(gate(ordinary.map { $0 * 0x1p-80 }) == gate(ordinary).map { $0 * 0x1p-80 })
    let extremes: [[Float]] = [
      withNaN, ordinary, zeros.map { _ in .infinity }, ordinary, zeros.map { _ in -.greatestFiniteMagnitude }, zeros,
      ordinary, one,
    ]
    let rows = layer.apply(to: Array(extremes.joined())).output
    for (row, input) in extremes.enumerated() {
      let output = Array(rows[(row * 33)..<((row + 1) * 33)])
      #expect(output.map(\.canonicalBits) == layer.apply(to: input).output.map(\.canonicalBits))
      if input == ordinary { #expect(output.allSatisfy { $0.isFinite }) }
    }
    let spoiled = layer.apply(to: withNaN).output
    #expect(spoiled.allSatisfy { $0.isNaN })
  }

  /// A weight that is not finite spoils its own output, and zeros and subnormals divide nothing by zero.
  @Test(arguments: kernels, arithmetics)
  func extremeWeights(_ kernels: String, arithmetic: Arithmetic) throws {
    var random = SplitMix(seed: 52)
    var dense = DenseLayer.random(.bilinear, dIn: 600, dFF: 20, dOut: 0, biases: false, random: &random)
    let input = random.floats(600, scale: 1)
    let before = try dense.packed(kernels: .named(kernels), arithmetic: arithmetic).apply(to: input).output
    dense.gateProj[3 * 600 + 555] = .nan
    for k in 0..<600 { dense.gateProj[5 * 600 + k] = 0 }
    for k in 0..<600 { dense.gateProj[7 * 600 + k] = .leastNonzeroMagnitude }
    let after = try dense.packed(kernels: .named(kernels), arithmetic: arithmetic).apply(to: input).output
    for column in 0..<20 {
      switch column {
      case 3: #expect(after[column].isNaN)
      case 5, 7: #expect(after[column] == 0)
      default: #expect(after[column] == before[column])
      }
    }
  }

  /// Gradients are taken of what the packed weights stand for, at the branches of the layer's own forward pass.
  @Test(arguments: arithmetics)
  func gradientsOfTheQuantisedWeights(_ arithmetic: Arithmetic) throws {
    var random = SplitMix(seed: 54)
    let dense = DenseLayer.random(.swiglu, dIn: 130, dFF: 551, dOut: 70, random: &random)
    let layer = try dense.packed(kernels: .best(), arithmetic: arithmetic)
    let (input, gradOutput) = (random.floats(3 * 130, scale: 1), random.floats(3 * 70, scale: 1))
    let found = try layer.differentiate(at: input, gradOutput: gradOutput)
    let rounded = QuantisedOracle.dequantised(dense, Self.format(of: arithmetic))
    let want = Oracle.gradients(rounded, input: input, gradOutput: gradOutput).input
    #expect(found.output == layer.apply(to: input).output)
    #expect(relativeError(found.input, want) <= 0.02)
  }

  @Test func defaultIsWhatWasStored() {
    #expect(Arithmetic.default(for: .f32) == .f32)
    #expect(Arithmetic.default(for: .f16) == .f32)
    #expect(Arithmetic.default(for: .bf16) == .bf16)
    #expect(Arithmetic.allCases.map(\.rawValue) == ["f32", "bf16", "int8", "int4"])
    #expect(Arithmetic(rawValue: "int8") == .int8)
    #expect(Arithmetic(rawValue: "INT8") == nil)
  }

  /// Bytes and nibbles take what they should: beside the biases a quarter and a seventh of float32.
  @Test func residentBytes() throws {
    var random = SplitMix(seed: 53)
    let dense = DenseLayer.random(.swiglu, dIn: 512, dFF: 512, dOut: 512, random: &random)
    let biases = (2 * 512 + 512) * 4
    func bytes(_ arithmetic: Arithmetic) throws -> Int {
      try dense.packed(kernels: .best(), arithmetic: arithmetic).residentBytes - biases
    }
    let weights = 3 * 512 * 512
    #expect(try bytes(.f32) == weights * 4)
    #expect(try bytes(.bf16) == weights * 2)
    #expect(try bytes(.int8) == weights + 3 * 512 * 4)
    #expect(try bytes(.int4) == weights / 2 + weights / 32 * 2)
  }
}

import FeedForward
import Foundation
import Testing

@Suite struct GradientTests {
  static let kernels = Kernels.available.map(\.name)
  static let shapes = LayerTests.shapes

  static func layer(_ shape: LayerTests.Shape, _ gate: Gate, seed: UInt64) -> (DenseLayer, SplitMix) {
    var random = SplitMix(seed: seed)
    return (
      .random(gate, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, biases: seed % 2 == 0, random: &random), random
    )
  }

  static func isClose(_ found: [Float], _ expected: [Double], _ tolerance: Double = 3e-5) -> Bool {
    let size = max(1, expected.map(abs).max() ?? 1)
    return found.count == expected.count
      && zip(found, expected).allSatisfy { abs(Double($0) - $1) <= tolerance * size }
  }

  /// PyTorch's autograd in float64, every tensor of it.
  @Test(
    arguments: ["bilinear", "geglu", "geglu_tanh", "glu", "gtu", "reglu", "swiglu"].flatMap { [$0, $0 + "_bias"] },
    kernels)
  func publishedGradients(_ name: String, _ kernels: String) throws {
    let golden = try Golden("grad_ffn_" + name)
    let biased = name.hasSuffix("_bias")
    let variant = biased ? String(name.dropLast("_bias".count)) : name
    // gtu's activated value is W; in the others W is what is activated.
    let (gateName, upName) = variant == "gtu" ? ("V", "W") : ("W", "V")
    let input = try golden("input")
    let gate = try golden(gateName + ".weight")
    let dense = DenseLayer(
      gate: try #require(Gate(wireName: variant)), dIn: gate.shape[1], dFF: gate.shape[0], dOut: input.shape[1],
      gateProj: gate.floats, upProj: try golden(upName + ".weight").floats, downProj: try golden("W2.weight").floats,
      gateBias: biased ? try golden(gateName + ".bias").floats : nil,
      upBias: biased ? try golden(upName + ".bias").floats : nil,
      downBias: biased ? try golden("W2.bias").floats : nil)
    let found = try dense.packed(kernels: .named(kernels)).differentiate(
      at: input.floats, gradOutput: try golden("grad_output").floats, weights: true)
    #expect(Self.isClose(found.output, try golden("output").floats.map(Double.init), 1e-6))
    #expect(Self.isClose(found.input, try golden("grad.input").floats.map(Double.init), 1e-6))
    for (name, tensor) in [("gate_proj", gateName), ("up_proj", upName), ("down_proj", "W2")] {
      let weight = try golden("grad.\(tensor).weight").floats.map(Double.init)
      #expect(Self.isClose(try #require(found.weights[name]), weight, 1e-6), "\(name)")
      guard biased else { continue }
      let bias = try golden("grad.\(tensor).bias").floats.map(Double.init)
      #expect(Self.isClose(try #require(found.weights[name + "_bias"]), bias, 1e-6), "\(name)_bias")
    }
    #expect(found.weights.count == (biased ? 6 : 3))
  }

  /// The oracle itself, by central differences of the forward formula in float64.
  @Test(arguments: Gate.all)
  func oracleIsTheSlopeOfTheLayer(_ gate: Gate) {
    var (dense, random) = Self.layer(LayerTests.Shape(dIn: 3, dFF: 5, dOut: 2), gate, seed: 4)
    let input = random.floats(3, scale: 2)
    let gradOutput = random.floats(2, scale: 1)
    let exact = Oracle.gradients(dense, input: input, gradOutput: gradOutput)
    func loss(_ layer: DenseLayer, _ input: [Float]) -> Double {
      zip(Oracle.forward(layer, row: input[...]).output, gradOutput).reduce(0) { $0 + $1.0 * Double($1.1) }
    }
    // A float32 step, exact where it is taken as the difference of what it gave.
    func slope(_ value: WritableKeyPath<DenseLayer, [Float]>, _ index: Int) -> Double {
      var (above, below) = (dense, dense)
      above[keyPath: value][index] += 0x1p-10
      below[keyPath: value][index] -= 0x1p-10
      let step = Double(above[keyPath: value][index]) - Double(below[keyPath: value][index])
      return (loss(above, input) - loss(below, input)) / step
    }
    for index in 0..<3 {
      var (above, below) = (input, input)
      above[index] += 0x1p-10
      below[index] -= 0x1p-10
      let slope = (loss(dense, above) - loss(dense, below)) / (Double(above[index]) - Double(below[index]))
      #expect(abs(slope - exact.input[index]) <= 1e-4 * max(1, abs(slope)))
    }
    let tensors: [(String, WritableKeyPath<DenseLayer, [Float]>)] = [
      ("gate_proj", \.gateProj), ("up_proj", \.upProj), ("down_proj", \.downProj),
    ]
    for (name, tensor) in tensors {
      for index in dense[keyPath: tensor].indices {
        let slope = slope(tensor, index)
        #expect(abs(slope - exact.weights[name]![index]) <= 1e-4 * max(1, abs(slope)), "\(name)")
      }
    }
  }

  @Test(arguments: shapes, kernels)
  func agreesWithTheOracle(_ shape: LayerTests.Shape, kernels: String) throws {
    for (index, gate) in [Gate.swiglu, .gtu, .gegluSigmoid, .swigluClamped].enumerated() {
      var (dense, random) = Self.layer(shape, gate, seed: UInt64(index + shape.dFF))
      let layer = try dense.packed(kernels: .named(kernels))
      let input = random.floats(3 * shape.dIn, scale: 2)
      let gradOutput = random.floats(3 * layer.dOut, scale: 1)
      let found = try layer.differentiate(at: input, gradOutput: gradOutput, weights: true)
      let exact = Oracle.gradients(dense, input: input, gradOutput: gradOutput)
      #expect(found.output == layer.apply(to: input).output)
      #expect(Self.isClose(found.input, exact.input), "\(gate.wireName)")
      for (name, gradient) in found.weights {
        #expect(Self.isClose(gradient, exact.weights[name]!), "\(gate.wireName) \(name)")
      }
      #expect(found.weights.keys.contains("down_proj") == layer.hasDownProjection)
      #expect(found.weights.keys.contains("up_proj_bias") == (dense.upBias != nil))
    }
  }

  /// Rows beyond one chunk, and around the kernels' tiles: each alone gives the bits that it has among all.
  @Test(arguments: kernels)
  func sameRowSameBits(_ name: String) throws {
    var (dense, random) = Self.layer(LayerTests.Shape(dIn: 67, dFF: 530, dOut: 40), .swiglu, seed: 6)
    let layer = try dense.packed(kernels: .named(name))
    let rows = 270
    let input = random.floats(rows * 67, scale: 2)
    let gradOutput = random.floats(rows * 40, scale: 1)
    let together = try layer.differentiate(at: input, gradOutput: gradOutput, weights: true)
    for row in [0, 1, 7, 100, 255, 256, 269] {
      let alone = try layer.differentiate(
        at: Array(input[(row * 67)..<((row + 1) * 67)]), gradOutput: Array(gradOutput[(row * 40)..<((row + 1) * 40)]))
      #expect(alone.input == Array(together.input[(row * 67)..<((row + 1) * 67)]))
    }
    // In a workspace that has seen a larger layer, and by several threads.
    let workspace = Workspace()
    workspace.reserve(for: try Self.layer(Self.shapes[9], .glu, seed: 1).0.packed(kernels: .named(name)), rows: 300)
    let team = Team(threads: 3)
    defer { team.dismiss() }
    let helped = try layer.differentiate(
      at: input, gradOutput: gradOutput, weights: true, workspace: workspace, team: team)
    #expect(helped == together)
  }

  /// The gradients of weights go on from chunk to chunk.
  @Test(arguments: kernels)
  func moreRowsThanAChunk(_ name: String) throws {
    var (dense, random) = Self.layer(LayerTests.Shape(dIn: 5, dFF: 18, dOut: 3), .gtu, seed: 16)
    let (input, gradOutput) = (random.floats(600 * 5, scale: 2), random.floats(600 * 3, scale: 1))
    let found = try dense.packed(kernels: .named(name)).differentiate(
      at: input, gradOutput: gradOutput, weights: true)
    let exact = Oracle.gradients(dense, input: input, gradOutput: gradOutput)
    #expect(Self.isClose(found.input, exact.input))
    for (tensor, gradient) in found.weights { #expect(Self.isClose(gradient, exact.weights[tensor]!), "\(tensor)") }
  }

  @Test(arguments: shapes)
  func everyKernelSetGivesTheScalarBits(_ shape: LayerTests.Shape) throws {
    var (dense, random) = Self.layer(shape, .geglu, seed: 8)
    let input = random.floats(5 * shape.dIn, scale: 2)
    let gradOutput = random.floats(5 * (shape.dOut == 0 ? shape.dFF : shape.dOut), scale: 1)
    let scalar = try dense.packed(kernels: .named("scalar")).differentiate(
      at: input, gradOutput: gradOutput, weights: true)
    for kernels in Kernels.available {
      let found = try dense.packed(kernels: kernels).differentiate(at: input, gradOutput: gradOutput, weights: true)
      #expect(found == scalar, "\(kernels.name)")
    }
  }

  /// Weights stored as bf16 are transposed as bf16, and give the bits of their float32 values.
  @Test(arguments: shapes)
  func bf16WeightsGiveTheBitsOfTheirValues(_ shape: LayerTests.Shape) throws {
    var (dense, random) = Self.layer(shape, .reglu, seed: 10)
    dense = dense.cutToBF16
    let (wide, narrow) = (try dense.packed(kernels: .best()), try dense.packed(kernels: .best(), type: .bf16))
    let input = random.floats(2 * shape.dIn, scale: 2)
    let gradOutput = random.floats(2 * wide.dOut, scale: 1)
    #expect(
      try narrow.differentiate(at: input, gradOutput: gradOutput)
        == wide.differentiate(at: input, gradOutput: gradOutput))
  }

  /// bf16 arithmetic: the branches are those of its own forward pass, the rest is float32.
  @Test func bf16ArithmeticDifferentiatesItsOwnForwardPass() throws {
    var (dense, random) = Self.layer(LayerTests.Shape(dIn: 130, dFF: 96, dOut: 64), .swiglu, seed: 12)
    dense = dense.cutToBF16
    let layer = try dense.packed(kernels: .best(), type: .bf16, arithmetic: .bf16)
    let input = random.floats(4 * 130, scale: 2)
    let gradOutput = random.floats(4 * 64, scale: 1)
    let found = try layer.differentiate(at: input, gradOutput: gradOutput, weights: true)
    #expect(found.output == layer.apply(to: input).output)
    #expect(Self.isClose(found.input, Oracle.gradients(dense, input: input, gradOutput: gradOutput).input, 2e-2))
  }

  @Test func specialValuesAreThoseOfTheFormula() throws {
    let dense = DenseLayer(
      gate: .reglu, dIn: 1, dFF: 1, dOut: 1, gateProj: [1], upProj: [2], downProj: [3], gateBias: nil, upBias: nil,
      downBias: nil)
    let layer = try dense.packed(kernels: .best())
    // y = 3·max(0, x)·2x: 12x above zero, and 0 at zero and below.
    #expect(try layer.differentiate(at: [2, 0, -0.0, -5], gradOutput: [1, 1, 1, 1]).input == [24, 0, 0, 0])
    let infinite = try layer.differentiate(at: [.infinity, .nan, 1e30], gradOutput: [1, 1, 1])
    #expect(infinite.input[0] == .infinity && infinite.input[1].isNaN)
    #expect(abs(infinite.input[2] - 1.2e31) <= 1e25)
    let subnormal = Float(bitPattern: 1 << 16)
    #expect(try layer.differentiate(at: [subnormal], gradOutput: [1]).input == [12 * subnormal])
    #expect(try layer.differentiate(at: [2], gradOutput: [.nan], weights: true).weights["up_proj"]![0].isNaN)
  }

  /// Transposed weights are made by the first gradient, once, and counted.
  @Test func transposedWeightsAreCountedOnce() async throws {
    var (dense, random) = Self.layer(LayerTests.Shape(dIn: 64, dFF: 128, dOut: 64), .swiglu, seed: 14)
    let layer = try dense.packed(kernels: .best())
    let before = layer.residentBytes
    let input = random.floats(64, scale: 1)
    _ = layer.apply(to: input)
    #expect(layer.residentBytes == before)
    let found = await withTaskGroup { group in
      for _ in 0..<8 { group.addTask { try? layer.differentiate(at: input, gradOutput: input) } }
      return await group.reduce(into: [Gradients?]()) { $0.append($1) }
    }
    #expect(found.allSatisfy { $0 != nil && $0 == found[0] })
    let after = layer.residentBytes
    #expect(after >= before + 3 * 64 * 128 * MemoryLayout<Float>.stride)
    _ = try layer.differentiate(at: input, gradOutput: input)
    #expect(layer.residentBytes == after)
  }
}

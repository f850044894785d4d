import FeedForward
import Foundation
import Testing

@Suite struct ConvolutionTests {
  static let kernels = Kernels.available.map(\.name)

  /// A gated convolution's numbers in arrays: `[2·channelsOut, channelsIn, width]`, and a bias for each output.
  struct Dense {
    var gate: Gate
    var channelsIn: Int
    var channelsOut: Int
    var width: Int
    var kernel: [Float]
    var bias: [Float]?
    var magnitude: [Float]?

    static func random(_ gate: Gate, _ channelsIn: Int, _ channelsOut: Int, _ width: Int, _ random: inout SplitMix)
      -> Dense
    {
      Dense(
        gate: gate, channelsIn: channelsIn, channelsOut: channelsOut, width: width,
        kernel: random.floats(
          2 * channelsOut * channelsIn * width, scale: 2 / Float(channelsIn * width).squareRoot()),
        bias: random.floats(2 * channelsOut, scale: 0.5))
    }

    /// In float64, from the formula: `Σ_j Σ_i w[c, i, j]·x[t − (k − 1) + j, i]`, zeros before the first position.
    func apply(to x: [[Double]]) -> [[Double]] {
      let terms = channelsIn * width
      return x.indices.map { t in
        let sums = (0..<2 * channelsOut).map { c in
          var (sum, squares) = (0.0, 0.0)
          for i in 0..<channelsIn {
            for j in 0..<width {
              let weight = Double(kernel[c * terms + i * width + j])
              squares += weight * weight
              let position = t - (width - 1) + j
              if position >= 0 { sum += weight * x[position][i] }
            }
          }
          if let magnitude { sum *= Double(magnitude[c]) / squares.squareRoot() }
          return sum + Double(bias?[c] ?? 0)
        }
        return (0..<channelsOut).map { Oracle.apply(gate, sums[$0], sums[channelsOut + $0]) }
      }
    }
  }

  static func pack(_ layers: [Dense], residuals: Bool = false, kernels: Kernels = .best()) throws -> ConvolutionStack {
    // The views' memory; freed when the stack has been packed.
    var memory: [UnsafeMutableBufferPointer<Float>] = []
    defer { memory.forEach { $0.deallocate() } }
    func keep(_ floats: [Float]) -> UnsafeRawPointer {
      let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(1, floats.count))
      _ = copy.initialize(from: floats)
      memory.append(copy)
      return UnsafeRawPointer(copy.baseAddress!)
    }
    let weights = layers.map { layer in
      ConvolutionWeights(
        gate: layer.gate,
        kernel: KernelView(
          base: keep(layer.kernel), type: .f32, outputs: layer.kernel.count / (layer.channelsIn * layer.width),
          channelsIn: layer.channelsIn, width: layer.width),
        bias: layer.bias.map { VectorView(base: keep($0), type: .f32, count: $0.count) },
        magnitude: layer.magnitude.map { VectorView(base: keep($0), type: .f32, count: $0.count) })
    }
    return try ConvolutionStack(ConvolutionStackWeights(layers: weights, hasResiduals: residuals), kernels: kernels)
  }

  /// The sequences' outputs; NaN where nothing was written.
  static func apply(
    _ stack: ConvolutionStack, to inputs: [[Float]], workspace: Workspace = Workspace(), team: Team? = nil
  ) -> [[Float]] {
    let memory = inputs.map { input in
      let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: input.count)
      _ = copy.initialize(from: input)
      let length = input.count / stack.channelsIn
      let output = UnsafeMutableBufferPointer<Float>.allocate(capacity: length * stack.channelsOut)
      output.initialize(repeating: .nan)
      return (copy, length, output)
    }
    defer {
      for (input, _, output) in memory {
        input.deallocate()
        output.deallocate()
      }
    }
    stack.forward(
      memory.map {
        ConvolutionSequence(input: UnsafePointer($0.0.baseAddress!), length: $0.1, output: $0.2.baseAddress!)
      }, workspace: workspace, team: team)
    return memory.map { Array($0.2) }
  }

  static func rows(_ floats: [Float], _ width: Int) -> [[Double]] {
    stride(from: 0, to: floats.count, by: width).map { floats[$0..<$0 + width].map(Double.init) }
  }

  static func isClose(_ found: [Float], _ expected: [[Double]]) -> Bool {
    let expected = expected.flatMap { $0 }
    return found.count == expected.count
      && zip(found, expected).allSatisfy { abs(Double($0) - $1) <= 2e-5 * max(1, abs($1)) }
  }

  /// PyTorch's, in float64: `torch.nn.Conv1d` with k − 1 zeros on the left, then its gate.
  @Test(arguments: ["glu", "gtu"], kernels)
  func publishedOutputs(_ gate: String, _ kernels: String) throws {
    for width in [1, 3, 4] {
      let golden = try Golden("dauphin_\(gate)_conv_k\(width)")
      let stack = try Self.pack(
        [
          Dense(
            gate: try #require(Gate(wireName: gate)), channelsIn: 16, channelsOut: 24, width: width,
            kernel: try golden("conv.weight").floats, bias: try golden("conv.bias").floats)
        ], kernels: .named(kernels))
      // [batch, channels, time] there.
      func sequences(_ tensor: Golden.Values) -> [[Float]] {
        let (channels, length) = (tensor.shape[1], tensor.shape[2])
        return (0..<tensor.shape[0]).map { batch in
          (0..<length * channels).map { tensor.floats[(batch * channels + $0 % channels) * length + $0 / channels] }
        }
      }
      let found = Self.apply(stack, to: sequences(try golden("input")))
      let worst = zip(found, sequences(try golden("output"))).flatMap { zip($0, $1) }
        .map { abs(Double($0) - Double($1)) }.max()
      #expect(try #require(worst) <= 4 * (try golden.peerError))
    }
  }

  /// Channels and widths around what the kernels count in; lengths around a chunk of positions.
  @Test(arguments: [(1, 1, 1), (3, 17, 2), (16, 16, 3), (33, 15, 5), (513, 9, 3), (7, 65, 9)], kernels)
  func agreesWithTheOracle(_ sizes: (Int, Int, Int), _ kernels: String) throws {
    var random = SplitMix(seed: UInt64(sizes.0))
    let dense = Dense.random(sizes.0 % 2 == 0 ? .glu : .gtu, sizes.0, sizes.1, sizes.2, &random)
    let stack = try Self.pack([dense], kernels: .named(kernels))
    for length in [1, 2, sizes.2, 20] {
      let input = random.floats(length * sizes.0, scale: 1)
      let expected = dense.apply(to: Self.rows(input, sizes.0))
      #expect(Self.isClose(Self.apply(stack, to: [input])[0], expected), "\(length)")
    }
  }

  @Test func longSequencesGoOnFromChunkToChunk() throws {
    var random = SplitMix(seed: 3)
    let dense = Dense.random(.glu, 2, 3, 4, &random)
    let input = random.floats(600 * 2, scale: 1)
    let found = Self.apply(try Self.pack([dense]), to: [input])[0]
    #expect(Self.isClose(found, dense.apply(to: Self.rows(input, 2))))
  }

  /// Any sequences side by side, cut into chunks anyhow: each position has the bits that its sequence alone gives it,
  /// and what comes later in the sequence changes nothing.
  @Test(arguments: kernels)
  func samePositionSameBits(_ name: String) throws {
    var random = SplitMix(seed: 5)
    let stack = try Self.pack([Dense.random(.glu, 40, 50, 4, &random)], kernels: .named(name))
    let inputs = [3, 1, 250, 2, 300, 40, 1, 17].map { random.floats($0 * 40, scale: 1) }
    let alone = inputs.map { Self.apply(stack, to: [$0])[0] }
    let team = Team(threads: 3)
    defer { team.dismiss() }
    let workspace = Workspace()
    #expect(Self.apply(stack, to: inputs, workspace: workspace, team: team) == alone)
    #expect(Self.apply(stack, to: inputs.reversed(), workspace: workspace) == alone.reversed())
    let prefix = Self.apply(stack, to: [Array(inputs[4].prefix(40 * 123))])[0]
    #expect(prefix == Array(alone[4].prefix(50 * 123)))
  }

  @Test func everyKernelSetGivesTheScalarBits() throws {
    var random = SplitMix(seed: 7)
    let dense = Dense.random(.gtu, 515, 37, 3, &random)
    let input = random.floats(30 * 515, scale: 1)
    let scalar = Self.apply(try Self.pack([dense], kernels: .named("scalar")), to: [input])
    for kernels in Kernels.available {
      #expect(Self.apply(try Self.pack([dense], kernels: kernels), to: [input]) == scalar, "\(kernels.name)")
    }
  }

  /// Salimans & Kingma 2016, eq. 2: w = g·v/‖v‖, over all but the output's dimension.
  @Test func weightNormIsResolved() throws {
    var random = SplitMix(seed: 9)
    var dense = Dense.random(.glu, 5, 6, 3, &random)
    dense.magnitude = random.floats(12, scale: 2)
    let input = random.floats(9 * 5, scale: 1)
    #expect(Self.isClose(Self.apply(try Self.pack([dense]), to: [input])[0], dense.apply(to: Self.rows(input, 5))))
  }

  /// Residual blocks end where the channels are those of their input.
  @Test func stacksAddTheirBlocksInputs() throws {
    var random = SplitMix(seed: 11)
    // 4 → 4 is a block, 4 → 2 → 3 → 4 is one of three layers, 4 → 5 is none, 5 → 5 is a block.
    let channels = [4, 4, 2, 3, 4, 5, 5]
    let layers = zip(channels, channels.dropFirst()).map { Dense.random(.glu, $0, $1, 3, &random) }
    let stack = try Self.pack(layers, residuals: true)
    #expect(stack.blocks == [0..<1, 1..<4, 5..<6])
    let inputs = [5, 280, 1].map { random.floats($0 * 4, scale: 1) }
    func add(_ a: [[Double]], _ b: [[Double]]) -> [[Double]] { zip(a, b).map { zip($0, $1).map(+) } }
    let found = Self.apply(stack, to: inputs)
    for (input, found) in zip(inputs, found) {
      let x = Self.rows(input, 4)
      let first = add(x, layers[0].apply(to: x))
      let second = add(first, layers[1..<4].reduce(first) { $1.apply(to: $0) })
      let third = layers[4].apply(to: second)
      #expect(Self.isClose(found, add(third, layers[5].apply(to: third))))
    }
    for (input, found) in zip(inputs, found) { #expect(Self.apply(stack, to: [input])[0] == found) }
    let plain = try Self.pack(layers)
    #expect(plain.blocks.isEmpty)
    #expect(
      Self.isClose(
        Self.apply(plain, to: [inputs[0]])[0], layers.reduce(Self.rows(inputs[0], 4)) { $1.apply(to: $0) }))
  }

  @Test func specialValuesStayInTheirWindow() throws {
    // One channel, three taps of weight 1: the value is the sum of a window, the gate σ(0) = ½.
    let dense = Dense(
      gate: .glu, channelsIn: 1, channelsOut: 1, width: 3, kernel: [1, 1, 1, 0, 0, 0], bias: nil)
    let found = Self.apply(try Self.pack([dense]), to: [[1, 2, 4, 1e30, 8, 16, 32]])[0]
    #expect(Array(found[..<3]) == [0.5, 1.5, 3.5] && found[6] == 28)
    let broken = Self.apply(try Self.pack([dense]), to: [[1, 2, .nan, 8, 16, 32, 64], [1, 1, 1]])
    #expect(broken[0].map(\.isNaN) == [false, false, true, true, true, false, false])
    #expect(broken[1] == [0.5, 1, 1.5])
  }

  @Test func whatIsNoConvolution() {
    func refusal(_ dense: Dense...) -> ConvolutionError? {
      do { _ = try Self.pack(dense) } catch { return error as? ConvolutionError }
      return nil
    }
    let right = Dense(gate: .glu, channelsIn: 2, channelsOut: 1, width: 1, kernel: [1, 1, 1, 1], bias: nil)
    var wrong = right
    wrong.bias = [1]
    #expect(refusal(wrong) == .length(.bias, found: 1, expected: 2))
    wrong = right
    wrong.magnitude = [1, 2, 3]
    #expect(refusal(wrong) == .length(.magnitude, found: 3, expected: 2))
    wrong = right
    wrong.kernel = [1, 1]
    #expect(refusal(wrong) == .oddOutputs(1))
    wrong = right
    wrong.gate = .swiglu
    #expect(refusal(wrong) == .gate(.swiglu))
    #expect(refusal(right, right) == .channels(layer: 1, found: 2, expected: 1))
    let wide = Dense(gate: .glu, channelsIn: 1, channelsOut: 1, width: 1025, kernel: [Float](repeating: 1, count: 2050))
    #expect(refusal(wide) == .width(1025, limit: 1024))
  }
}

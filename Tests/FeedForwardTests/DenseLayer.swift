import FeedForward

/// The numbers of a layer in arrays, from which a packed layer and its float64 counterpart are made.
struct DenseLayer {
  var gate: Gate
  var dIn: Int
  var dFF: Int
  /// 0 without a down projection.
  var dOut: Int
  /// `[dFF, dIn]` each
  var gateProj: [Float]
  var upProj: [Float]
  /// `[dOut, dFF]`
  var downProj: [Float]
  var gateBias: [Float]?
  var upBias: [Float]?
  var downBias: [Float]?

  /// Packs the layer from tensors of `type`, f32 or bf16; the arrays live long enough, since packing is all that reads
  /// them.
  func packed(
    kernels: Kernels, type: WeightType = .f32, arithmetic: Arithmetic = .f32
  ) throws -> FeedForwardLayer {
    let tensors = [gateProj, upProj, downProj, gateBias ?? [], upBias ?? [], downBias ?? []].map {
      type == .bf16 ? $0.flatMap(Self.upperHalf) : $0.withUnsafeBytes(Array.init)
    }
    return try tensors[0].withUnsafeBytes { gate in
      try tensors[1].withUnsafeBytes { up in
        try tensors[2].withUnsafeBytes { down in
          try tensors[3].withUnsafeBytes { gateBias in
            try tensors[4].withUnsafeBytes { upBias in
              try tensors[5].withUnsafeBytes { downBias in
                func matrix(_ bytes: UnsafeRawBufferPointer, _ rows: Int, _ columns: Int) -> MatrixView {
                  MatrixView(base: bytes.baseAddress!, type: type, rows: rows, columns: columns)
                }
                func vector(_ bytes: UnsafeRawBufferPointer, _ count: Int) -> VectorView? {
                  bytes.isEmpty ? nil : VectorView(base: bytes.baseAddress!, type: type, count: count)
                }
                return try FeedForwardLayer(
                  LayerWeights(
                    gate: self.gate, gateProj: matrix(gate, dFF, dIn), upProj: matrix(up, dFF, dIn),
                    downProj: dOut == 0 ? nil : matrix(down, dOut, dFF), gateBias: vector(gateBias, dFF),
                    upBias: vector(upBias, dFF), downBias: vector(downBias, dOut)),
                  kernels: kernels, arithmetic: arithmetic)
              }
            }
          }
        }
      }
    }
  }

  /// The two bytes of a bf16: a float32 without its lower half.
  private static func upperHalf(_ value: Float) -> [UInt8] {
    [UInt8(truncatingIfNeeded: value.bitPattern >> 16), UInt8(value.bitPattern >> 24)]
  }

  /// The same layer with every number cut to a bf16.
  var cutToBF16: DenseLayer {
    func cut(_ values: [Float]) -> [Float] { values.map { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) } }
    var layer = self
    (layer.gateProj, layer.upProj, layer.downProj) = (cut(gateProj), cut(upProj), cut(downProj))
    (layer.gateBias, layer.upBias, layer.downBias) = (gateBias.map(cut), upBias.map(cut), downBias.map(cut))
    return layer
  }

  /// A layer of normal-looking numbers, each weight of the order of 1/√fan-in.
  static func random(
    _ gate: Gate, dIn: Int, dFF: Int, dOut: Int, biases: Bool = true, random: inout SplitMix
  ) -> DenseLayer {
    DenseLayer(
      gate: gate, dIn: dIn, dFF: dFF, dOut: dOut,
      gateProj: random.floats(dFF * dIn, scale: 2 / Float(dIn).squareRoot()),
      upProj: random.floats(dFF * dIn, scale: 2 / Float(dIn).squareRoot()),
      downProj: random.floats(dOut * dFF, scale: 2 / Float(dFF).squareRoot()),
      gateBias: biases ? random.floats(dFF, scale: 0.5) : nil,
      upBias: biases ? random.floats(dFF, scale: 0.5) : nil,
      downBias: biases && dOut > 0 ? random.floats(dOut, scale: 0.5) : nil)
  }
}

extension FeedForwardLayer {
  /// What one forward pass returns; the three activations only where asked for.
  struct Result {
    var output: [Float]
    var gate: [Float] = []
    var up: [Float] = []
    var hidden: [Float] = []
  }

  func apply(
    to input: [Float], activations: Bool = false, workspace: Workspace = Workspace(), team: Team? = nil
  ) -> Result {
    let rows = input.count / dIn
    let count = activations ? rows * dFF : 0
    // NaN where nothing has been written, so that a hole can't pass for a result.
    var result = Result(
      output: [Float](repeating: .nan, count: rows * dOut), gate: [Float](repeating: .nan, count: count),
      up: [Float](repeating: .nan, count: count), hidden: [Float](repeating: .nan, count: count))
    result.output.withUnsafeMutableBufferPointer { output in
      result.gate.withUnsafeMutableBufferPointer { gate in
        result.up.withUnsafeMutableBufferPointer { up in
          result.hidden.withUnsafeMutableBufferPointer { hidden in
            forward(
              input: input, rows: rows, output: output.baseAddress!,
              activations: activations
                ? ActivationOutputs(gate: gate.baseAddress, up: up.baseAddress, hidden: hidden.baseAddress)
                : ActivationOutputs(),
              workspace: workspace, team: team)
          }
        }
      }
    }
    return result
  }
}

/// Steele, Lea and Flood's SplitMix64, as the large goldens use it: value i is a mix of `seed + (i + 1)·γ`.
struct SplitMix {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in [−scale, scale), exact multiples of `scale·2⁻²³`.
  mutating func floats(_ count: Int, scale: Float) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { floats, initialized in
      for i in 0..<count { floats[i] = (Float(next() >> 40) * 0x1p-23 - 1) * scale }
      initialized = count
    }
  }

  mutating func number(in range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }
}

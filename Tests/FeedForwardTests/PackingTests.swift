import FeedForward
import Testing

@Suite struct PackingTests {
  /// The elements of a view, by way of a layer that returns W·x for unit vectors x: one column of W at a time.
  ///
  /// The stored numbers are `0, 1, 2, …`, `count` of them, `offset` bytes after an aligned address.
  private func elements(
    count: Int, offset: Int = 0, _ view: (UnsafeRawPointer) -> MatrixView
  ) throws -> [Float] {
    let stored = (0..<count).map(Float.init)
    var bytes = [UInt8](repeating: 0, count: offset)
    stored.withUnsafeBytes { bytes.append(contentsOf: $0) }
    return try bytes.withUnsafeBytes { bytes in
      let matrix = view(bytes.baseAddress! + offset)
      let zeros = [Float](repeating: 0, count: matrix.rows * matrix.columns)
      let ones = [Float](repeating: 1, count: matrix.rows)
      let layer = try zeros.withUnsafeBytes { zeros in
        try ones.withUnsafeBytes { ones in
          // bilinear: (W·x) ⊙ (0·x + 1)
          try FeedForwardLayer(
            LayerWeights(
              gate: .bilinear, gateProj: matrix,
              upProj: MatrixView(base: zeros.baseAddress!, type: .f32, rows: matrix.rows, columns: matrix.columns),
              upBias: VectorView(base: ones.baseAddress!, type: .f32, count: matrix.rows)))
        }
      }
      var elements = zeros
      for column in 0..<matrix.columns {
        let unit = (0..<matrix.columns).map { Float($0 == column ? 1 : 0) }
        for (row, value) in layer.apply(to: unit).output.enumerated() {
          elements[row * matrix.columns + column] = value
        }
      }
      return elements
    }
  }

  @Test func rowRangesOfAFusedTensor() throws {
    func half(_ rows: Range<Int>) throws -> [Float] {
      try elements(count: 30) { MatrixView(base: $0, type: .f32, rows: 6, columns: 5).rows(rows) }
    }
    #expect(try half(0..<3) == (0..<15).map(Float.init))
    #expect(try half(3..<6) == (15..<30).map(Float.init))
  }

  @Test func interleavedRows() throws {
    func everySecond(from first: Int) throws -> [Float] {
      try elements(count: 21) { MatrixView(base: $0, type: .f32, rows: 7, columns: 3).rows(first..<7, step: 2) }
    }
    #expect(try everySecond(from: 0) == [0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20])
    #expect(try everySecond(from: 1) == [3, 4, 5, 9, 10, 11, 15, 16, 17])
  }

  /// Stored `[in 4, out 6]`, read as `[out, in]`; its odd columns alone, as an interleaved up projection.
  @Test func transposedAndInterleavedColumns() throws {
    func stored(_ base: UnsafeRawPointer) -> MatrixView {
      MatrixView(base: base, type: .f32, rows: 4, columns: 6).transposed
    }
    let whole = try elements(count: 24) { stored($0) }
    #expect(whole == (0..<6).flatMap { out in (0..<4).map { Float($0 * 6 + out) } })
    let up = try elements(count: 24) { stored($0).rows(1..<6, step: 2) }
    #expect(up == [1, 3, 5].flatMap { out in (0..<4).map { Float($0 * 6 + out) } })
  }

  /// A checkpoint's tensor may start at any byte.
  @Test(arguments: 0...3) func unalignedSources(offset: Int) throws {
    let read = try elements(count: 360, offset: offset) {
      MatrixView(base: $0, type: .f32, rows: 18, columns: 20)
    }
    #expect(read == (0..<360).map(Float.init))
  }

  /// All 65,536 patterns of both 16-bit types become the float32 of the same value.
  @Test(arguments: [WeightType.f16, .bf16]) func halvesAreWidenedExactly(_ type: WeightType) throws {
    let patterns = (0...UInt16.max).map { $0 }
    let zeros = [Float](repeating: 0, count: 1 << 16)
    let layer = try patterns.withUnsafeBytes { patterns in
      try zeros.withUnsafeBytes { zeros in
        // bilinear with up = 1: the output is gate's bias, widened.
        let matrix = MatrixView(base: zeros.baseAddress!, type: .f32, rows: 1 << 16, columns: 1)
        return try FeedForwardLayer(
          LayerWeights(
            gate: .bilinear, gateProj: MatrixView(base: patterns.baseAddress!, type: type, rows: 1 << 16, columns: 1),
            upProj: matrix, gateBias: VectorView(base: patterns.baseAddress!, type: type, count: 1 << 16)))
      }
    }
    let result = layer.apply(to: [0], activations: true)
    for pattern in patterns {
      let want = type == .f16 ? Self.float16(pattern) : Float(bitPattern: UInt32(pattern) << 16)
      let bias = result.gate[Int(pattern)]
      // 0·w + bias: an infinite or NaN weight gives NaN.
      if !want.isFinite {
        #expect(bias.isNaN, "\(pattern)")
      } else {
        #expect(bias == want, "\(pattern)")
      }
    }
  }

  /// IEEE 754 binary16 by its definition.
  private static func float16(_ pattern: UInt16) -> Float {
    let sign: Float = pattern & 0x8000 == 0 ? 1 : -1
    let exponent = Int(pattern >> 10 & 0x1F)
    let fraction = Float(pattern & 0x3FF)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default: return sign * Float(sign: .plus, exponent: exponent - 25, significand: 1024 + fraction)
    }
  }

  /// Weights of 16 bits give the layer that their widened values give.
  @Test func halfWeightsInsideALayer() throws {
    var random = SplitMix(seed: 21)
    let halves = (0..<(40 * 30)).map { _ in UInt16(truncatingIfNeeded: random.next()) & 0xBFFF }
    let widened = halves.map(Self.float16)
    func layer(_ base: UnsafeRawPointer, _ type: WeightType) throws -> FeedForwardLayer {
      let matrix = MatrixView(base: base, type: type, rows: 40, columns: 30)
      return try FeedForwardLayer(
        LayerWeights(gate: .reglu, gateProj: matrix, upProj: matrix, downProj: matrix.transposed))
    }
    let stored = try halves.withUnsafeBytes { try layer($0.baseAddress!, .f16) }
    let wide = try widened.withUnsafeBytes { try layer($0.baseAddress!, .f32) }
    #expect(stored.storedType == .f16 && wide.storedType == .f32)
    let input = random.floats(4 * 30, scale: 1)
    #expect(stored.apply(to: input).output == wide.apply(to: input).output)
  }

  @Test func shapesThatMakeNoLayer() {
    let memory = [Float](repeating: 0, count: 64)
    memory.withUnsafeBytes { bytes in
      func matrix(_ rows: Int, _ columns: Int) -> MatrixView {
        MatrixView(base: bytes.baseAddress!, type: .f32, rows: rows, columns: columns)
      }
      func bias(_ count: Int) -> VectorView { VectorView(base: bytes.baseAddress!, type: .f32, count: count) }
      let good = LayerWeights(gate: .glu, gateProj: matrix(4, 3), upProj: matrix(4, 3), downProj: matrix(2, 4))
      let cases: [(LayerError, (inout LayerWeights) -> Void)] = [
        (.empty(.gateProj), { $0.gateProj = matrix(0, 3) }),
        (.empty(.downProj), { $0.downProj = matrix(0, 4) }),
        (.shape(.upProj, found: [3, 4], expected: [4, 3]), { $0.upProj = matrix(3, 4) }),
        (.shape(.downProj, found: [4, 2], expected: [4, 4]), { $0.downProj = matrix(4, 2) }),
        (.shape(.gateBias, found: [3], expected: [4]), { $0.gateBias = bias(3) }),
        (.shape(.upBias, found: [5], expected: [4]), { $0.upBias = bias(5) }),
        (.shape(.downBias, found: [4], expected: [2]), { $0.downBias = bias(4) }),
        (.biasWithoutProjection(.downBias), { ($0.downProj, $0.downBias) = (nil, bias(4)) }),
      ]
      for (error, spoil) in cases {
        var weights = good
        spoil(&weights)
        #expect(throws: error) { try FeedForwardLayer(weights) }
      }
    }
  }

  @Test func kernelsByName() throws {
    #expect(Kernels.available.last?.name == "scalar")
    #expect(Kernels.best().name == Kernels.available.first?.name)
    #expect(throws: KernelsError.unavailable("mmx", available: Kernels.available.map(\.name))) {
      try Kernels.named("mmx")
    }
  }
}

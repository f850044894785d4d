internal import CKernels
internal import Glibc

/// A packed layer held against its weights as they are stored: a few rows of normally distributed inputs go through
/// it, and a sample of the sums that they lead to is done again, one after the other in float64.
///
/// The sample stands for all outputs: of a layer of 2048×8192 it costs some 2 % of a scalar row.
///
/// Unsafe pointers: arrays of this probe's own, as long as the layer's widths ask for.
struct LayerProbe {
  /// Rows at once, so that the way of several rows is gone.
  private static let rows = 4
  /// Outputs of each projection that are done again.
  private static let sampleLimit = 48

  let layer: FeedForwardLayer
  let weights: LayerWeights
  let source: SourceAccess?

  /// `√(hidden² + output²)`: the relative error of the norm of hidden values, and that of outputs computed from the
  /// layer's own hidden values.
  ///
  /// - Returns: nil where it cannot be told: the sums themselves are not finite, or there is no memory for a probe.
  func error() -> Double? {
    let rows = Self.rows
    guard let input = Self.normalRows(rows, layer.dIn), let output = AlignedFloats(count: rows * layer.dOut),
      let gate = AlignedFloats(count: rows * layer.dFF), let up = AlignedFloats(count: rows * layer.dFF),
      let hidden = AlignedFloats(count: rows * layer.dFF)
    else { return nil }
    layer.forward(
      input: input.base, rows: rows, output: output.base,
      activations: ActivationOutputs(gate: gate.base, up: up.base, hidden: hidden.base), workspace: Workspace())
    var hiddenError = Discrepancy()
    for column in Self.sample(of: layer.dFF) {
      let expectedGate = sums(weights.gateProj, weights.gateBias, column, input)
      let expectedUp = sums(weights.upProj, weights.upBias, column, input)
      for row in 0..<rows {
        hiddenError.add(
          found: gated(gate.base[row * layer.dFF + column], up.base[row * layer.dFF + column]),
          expected: reference(expectedGate[row], expectedUp[row]))
      }
    }
    var outputError = Discrepancy()
    if let downProj = weights.downProj {
      for column in Self.sample(of: layer.dOut) {
        let expected = sums(downProj, weights.downBias, column, hidden)
        for row in 0..<rows {
          outputError.add(found: output.base[row * layer.dOut + column], expected: expected[row])
        }
      }
    }
    for matrix in [weights.gateProj, weights.upProj, weights.downProj] { matrix.map { source?.release($0.allBytes) } }
    guard let first = hiddenError.relative, let second = outputError.relative else { return nil }
    return (first * first + second * second).squareRoot()
  }

  /// The gate as the layer applies it, of two of its own projections.
  private func gated(_ gate: Float, _ up: Float) -> Float {
    var (a, b) = layer.gate.gateProjectionIsFirstOperand ? (gate, up) : (up, gate)
    var result: Float = 0
    layer.kernels.apply(layer.gate, a: &a, b: &b, output: &result, count: 1)
    return result
  }

  private func reference(_ gate: Double, _ up: Double) -> Double {
    layer.gate.gateProjectionIsFirstOperand ? layer.gate.reference(gate, up) : layer.gate.reference(up, gate)
  }

  /// Output `column` of `matrix` for each row of `input`, as the stored weights have it.
  private func sums(_ matrix: MatrixView, _ bias: VectorView?, _ column: Int, _ input: AlignedFloats) -> [Double] {
    if let source, let bytes = matrix.bytes(ofRows: column..<column + 1), !source.acquire(bytes) {
      return Array(repeating: .nan, count: Self.rows)
    }
    let row = matrix.row(column)
    var addend: Float = 0
    if let bias {
      var vector = ffn_matrix(bias)
      ffn_widen(&vector, column, &addend, 1)
    }
    return (0..<Self.rows).map { place in
      let x = input.base + place * matrix.columns
      return row.indices.reduce(Double(addend)) { $0 + Double(row[$1]) * Double(x[$1]) }
    }
  }

  /// Up to ``sampleLimit`` numbers below `count`, the first and the last among them.
  static func sample(of count: Int) -> [Int] {
    if count <= sampleLimit { return Array(0..<count) }
    return (0..<sampleLimit).map { $0 * (count - 1) / (sampleLimit - 1) }
  }

  /// `[rows, width]` of the standard normal distribution, the same every time.
  static func normalRows(_ rows: Int, _ width: Int) -> AlignedFloats? {
    guard let floats = AlignedFloats(count: rows * width) else { return nil }
    var state: UInt64 = 0x51_7C_C1_B7_27_22_0A_95
    func uniform() -> Double {
      // splitmix64 (Steele, Lea and Flood 2014), 53 bits of it; never 0.
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
      return (Double((word ^ word >> 31) >> 11) + 0.5) * 0x1p-53
    }
    // Box and Muller 1958.
    for place in 0..<rows * width {
      floats.base[place] = Float((-2 * log(uniform())).squareRoot() * cos(2 * Double.pi * uniform()))
    }
    return floats
  }
}

/// How far found numbers are from those that were expected, by their norms.
struct Discrepancy {
  private var difference = 0.0
  private var norm = 0.0

  mutating func add(found: Float, expected: Double) {
    difference += (Double(found) - expected) * (Double(found) - expected)
    norm += expected * expected
  }

  /// ‖found − expected‖ / ‖expected‖; nil where what was expected is not finite.
  var relative: Double? {
    guard norm.isFinite else { return nil }
    if norm == 0 { return difference == 0 ? 0 : .infinity }
    return difference.isFinite ? (difference / norm).squareRoot() : .infinity
  }
}

extension MatrixView {
  /// One row as float32, by the conversions that every stored type has.
  func row(_ index: Int) -> [Float] {
    var source = ffn_matrix(self)
    return [Float](unsafeUninitializedCapacity: columns) { buffer, count in
      ffn_widen(&source, index, buffer.baseAddress!, columns)
      count = columns
    }
  }
}

extension Arithmetic {
  /// A relative error of the norm beyond this is a fault and no rounding.
  package var faultThreshold: Double {
    switch self {
    case .f32: 1e-4
    case .bf16: 0.03
    case .int8: 0.1
    case .int4: 0.4
    }
  }
}

extension Block {
  package var arithmetic: Arithmetic {
    switch self {
    case .layer(let layer): layer.arithmetic
    case .mixture(let mixture): mixture.experts[0].arithmetic
    case .convolution: .f32
    }
  }

  package var kernels: Kernels {
    switch self {
    case .layer(let layer): layer.kernels
    case .mixture(let mixture): mixture.experts[0].kernels
    case .convolution(let stack): stack.kernels
    }
  }

  /// The relative error of the block's norm on normally distributed inputs, against float64 sums of the weights as they
  /// are stored: its router's logits, and the worst of its first, its last and its shared expert in a mixture.
  ///
  /// - Parameters:
  ///   - weights: what it was packed from, still there to be read.
  ///   - source: the pages behind them.
  /// - Returns: nil where it cannot be told, as with weights that are not finite; infinity for a router at fault.
  package func probe(against weights: BlockWeights, source: SourceAccess? = nil) -> Double? {
    switch (self, weights) {
    case (.layer(let layer), .layer(let weights)):
      return LayerProbe(layer: layer, weights: weights, source: source).error()
    case (.mixture(let mixture), .mixture(let weights)):
      var pairs = Array(zip(mixture.experts, weights.experts))
      if pairs.count > 2 { pairs = [pairs[0], pairs[pairs.count - 1]] }
      if let shared = mixture.shared, let sharedWeights = weights.shared { pairs.append((shared, sharedWeights)) }
      let errors = pairs.map { LayerProbe(layer: $0, weights: $1, source: source).error() }
      return errors.reduce(mixture.routerError(against: weights)) { worst, error in
        guard let worst, let error else { return nil }
        return max(worst, error)
      }
    case (.convolution(let stack), .convolution(let weights)):
      return stack.error(against: weights, source: source)
    case (.layer, _), (.mixture, _), (.convolution, _): preconditionFailure("a block is of its weights' kind")
    }
  }
}

extension MixtureLayer {
  /// The error of the router's logits, which are float32 whatever the experts compute in: infinity beyond that.
  fileprivate func routerError(against weights: MixtureWeights) -> Double? {
    let count = weights.router.rows
    guard let input = LayerProbe.normalRows(1, dIn), let output = AlignedFloats(count: dOut),
      let logits = AlignedFloats(count: count)
    else { return nil }
    forward(
      input: input.base, rows: 1, output: output.base, routes: RouteOutputs(logits: logits.base),
      workspace: Workspace())
    var error = Discrepancy()
    for expert in 0..<count {
      let row = weights.router.row(expert)
      var bias: Float = 0
      if let vector = weights.routerBias {
        var source = ffn_matrix(vector)
        ffn_widen(&source, expert, &bias, 1)
      }
      let sum = row.indices.reduce(Double(bias)) { $0 + Double(row[$1]) * Double(input.base[$1]) }
      error.add(found: logits.base[expert], expected: sum)
    }
    return error.relative.map { $0 > Arithmetic.f32.faultThreshold ? .infinity : $0 }
  }
}

/// RMSNorm of the hidden rows before the down projection, as BitNet's layers have it.
///
/// `y_i = h_i·weight_i/√(Σ h²/d_ff + ε)`: squares and their sum are float64, in one fixed order, and each product is
/// rounded once to float32; a row's result depends on nothing else.
///
/// Unsafe pointers: rows are normalised where the workspace has them, `dFF` floats each.
struct HiddenNorm: Sendable {
  private let weight: AlignedFloats
  private let epsilon: Double

  var byteCount: Int { weight.byteCount }

  init(_ weights: HiddenNormWeights) throws(LayerError) {
    weight = try weights.weight.widened()
    epsilon = Double(weights.epsilon)
  }

  /// Normalises `rows` rows in place.
  func apply(to rows: UnsafeMutablePointer<Float>, count: Int) {
    let width = weight.count
    for row in 0..<count { normalise(rows + row * width, width) }
  }

  /// Replaces the gradients of normalised rows by those of the rows before.
  ///
  /// With s = 1/√(Σ h²/d_ff + ε): `∂L/∂h_i = s·(g_i·weight_i − h_i·s²/d_ff·Σ_j g_j·weight_j·h_j)`.
  ///
  /// - Parameters:
  ///   - rows: h, as it went into the norm.
  ///   - gradients: g, replaced in place.
  func differentiate(at rows: UnsafePointer<Float>, gradients: UnsafeMutablePointer<Float>, count: Int) {
    let width = weight.count
    for row in 0..<count {
      let (h, g) = (rows + row * width, gradients + row * width)
      let scale = scale(of: h, width)
      var sum = 0.0
      for i in 0..<width { sum += Double(g[i]) * Double(weight.base[i]) * Double(h[i]) }
      let share = sum * scale * scale / Double(width)
      for i in 0..<width { g[i] = Float(scale * (Double(g[i]) * Double(weight.base[i]) - Double(h[i]) * share)) }
    }
  }

  private func normalise(_ row: UnsafeMutablePointer<Float>, _ width: Int) {
    let scale = scale(of: row, width)
    for i in 0..<width { row[i] = Float(Double(row[i]) * scale * Double(weight.base[i])) }
  }

  /// 1/√(Σ h²/d_ff + ε)
  private func scale(of row: UnsafePointer<Float>, _ width: Int) -> Double {
    // Four chains: one would wait for each sum.
    var sums = SIMD4<Double>(repeating: 0)
    let whole = width / 4 * 4
    for i in stride(from: 0, to: whole, by: 4) {
      let h = SIMD4(Double(row[i]), Double(row[i + 1]), Double(row[i + 2]), Double(row[i + 3]))
      sums += h * h
    }
    var sum = (sums[0] + sums[1]) + (sums[2] + sums[3])
    for i in whole..<width { sum += Double(row[i]) * Double(row[i]) }
    return 1 / (sum / Double(width) + epsilon).squareRoot()
  }
}

import FeedForward
import Foundation

/// Integer arithmetic in float64, from its description: blocks of 512 terms turned by Sylvester's Hadamard matrices,
/// rows and int8 weights quantised by the block, int4 weights by groups of 32.
enum QuantisedOracle {
  enum WeightFormat: Sendable {
    case int8
    case int4
  }

  /// The layer as if its weights had been stored quantised: turned, rounded, and turned back.
  static func dequantised(_ layer: DenseLayer, _ format: WeightFormat) -> DenseLayer {
    var layer = layer
    func round(_ weights: [Float], terms: Int) -> [Float] {
      stride(from: 0, to: weights.count, by: terms).flatMap { start in
        let row = weights[start..<(start + terms)].map(Double.init)
        return turned(quantised(weights: turned(row), format)).map(Float.init)
      }
    }
    layer.gateProj = round(layer.gateProj, terms: layer.dIn)
    layer.upProj = round(layer.upProj, terms: layer.dIn)
    layer.downProj = round(layer.downProj, terms: layer.dFF)
    return layer
  }

  /// One row through the layer with weights, input and hidden values quantised, in float64 otherwise.
  static func forward(_ layer: DenseLayer, _ format: WeightFormat, row x: ArraySlice<Float>) -> Oracle.Row {
    let weights = dequantised(layer, format)
    let gateUp = Oracle.forward(
      DenseLayer(
        gate: layer.gate, dIn: layer.dIn, dFF: layer.dFF, dOut: 0, gateProj: weights.gateProj, upProj: weights.upProj,
        downProj: [], gateBias: layer.gateBias, upBias: layer.upBias),
      row: roundedRow(x.map(Double.init)).map(Float.init)[...])
    guard layer.dOut > 0 else { return gateUp }
    let hidden = roundedRow(gateUp.hidden)
    let output = (0..<layer.dOut).map { c in
      hidden.indices.reduce(Double(layer.downBias?[c] ?? 0)) { sum, k in
        sum + hidden[k] * Double(weights.downProj[c * layer.dFF + k])
      }
    }
    return Oracle.Row(output: output, gate: gateUp.gate, up: gateUp.up, hidden: gateUp.hidden)
  }

  /// What the products see of a row, turned back.
  private static func roundedRow(_ x: [Double]) -> [Double] { turned(onByteGrid(turned(x))) }

  /// Each block's runs of 512, 256, … 16 terms times H/√n, an orthogonal symmetric matrix: its own inverse.
  static func turned(_ x: [Double]) -> [Double] {
    var y = x
    for block in stride(from: 0, to: x.count, by: 512) {
      var first = block
      let end = min(x.count, block + 512)
      for n in [512, 256, 128, 64, 32, 16] where (end - block) & n != 0 {
        multiply(&y, first, n)
        for i in first..<(first + n) { y[i] /= Double(n).squareRoot() }
        first += n
      }
    }
    return y
  }

  /// H·y for the n terms from `first` on, by its definition: H_2n = (H_n H_n; H_n −H_n).
  private static func multiply(_ y: inout [Double], _ first: Int, _ n: Int) {
    guard n > 1 else { return }
    let half = n / 2
    for i in first..<(first + half) { (y[i], y[i + half]) = (y[i] + y[i + half], y[i] - y[i + half]) }
    multiply(&y, first, half)
    multiply(&y, first + half, half)
  }

  /// To 127 steps of the block's largest magnitude on either side.
  private static func onByteGrid(_ x: [Double]) -> [Double] {
    stride(from: 0, to: x.count, by: 512).flatMap { block in
      let terms = x[block..<min(x.count, block + 512)]
      let step = (terms.map(abs).max() ?? 0) / 127
      return terms.map { step == 0 ? 0 : ($0 / step).rounded(.toNearestOrEven) * step }
    }
  }

  private static func quantised(weights: [Double], _ format: WeightFormat) -> [Double] {
    switch format {
    case .int8: return onByteGrid(weights)
    case .int4:
      return stride(from: 0, to: weights.count, by: 512).flatMap { block in
        let end = min(weights.count, block + 512)
        return stride(from: block, to: end, by: 32).flatMap { onNibbleGrid(Array(weights[$0..<min(end, $0 + 32)])) }
      }
    }
  }

  /// To −8 … 7 steps of a bf16 scale, the best of three.
  private static func onNibbleGrid(_ weights: [Double]) -> [Double] {
    guard let largest = weights.max(by: { abs($0) < abs($1) }), largest != 0 else { return weights }
    let grids = [-8, -7.3, -8.7].map { place in
      let bits = Float(largest / place).bitPattern
      let step = Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
      return weights.map { min(7, max(-8, ($0 / step).rounded(.toNearestOrEven))) * step }
    }
    func error(_ grid: [Double]) -> Double { zip(grid, weights).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
    return grids.min { error($0) < error($1) }!
  }
}

/// ‖got − want‖ / ‖want‖
func relativeError(_ got: [Float], _ want: [Double]) -> Double {
  let error = zip(got, want).reduce(0.0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
  return (error / want.reduce(0.0) { $0 + $1 * $1 }).squareRoot()
}

extension SplitMix {
  /// Normally distributed with a standard deviation of `scale` (Box and Muller 1958).
  mutating func normals(_ count: Int, scale: Float) -> [Float] {
    (0..<count).map { _ in
      let radius = (-2 * log((Double(next() >> 11) + 1) * 0x1p-53)).squareRoot()
      return Float(radius * cos(2 * .pi * Double(next() >> 11) * 0x1p-53)) * scale
    }
  }
}

internal import Glibc

// How a row's routing weights depend on its logits, where the choice stays what it is: it jumps, and has no slope. With
// d the gradients by the weights w, over the chosen k and m:
//
//   softmax over all p, w = scale·p      ∂L/∂l_j = scale·p_j·(d_j − Σ_k d_k·p_k), d_j = 0 for those not chosen
//   softmax over the chosen              ∂L/∂l_k = w_k·(d_k − Σ_m d_m·w_m); renormalised scores are the same function
//   scores s = σ(l), w = scale·s         ∂L/∂l_k = scale·d_k·s_k·(1 − s_k)
//   w = scale·s/D, D = Σ_m s_m + floor   ∂L/∂l_k = scale/D·(d_k − Σ_m d_m·s_m/D)·s_k·(1 − s_k)
//
// A correction takes part in the choice only. In float64, each result rounded once.
//
// Unsafe pointers: a row's, of the lengths said beside them.
struct RoutingGradient {
  let routing: Routing
  let experts: Int
  let topK: Int
  /// ``scratchCount(experts:)`` floats, aligned for float64.
  let scratch: UnsafeMutablePointer<Float>

  /// A float64 for each expert.
  static func scratchCount(experts: Int) -> Int { 2 * experts }

  /// - Parameters:
  ///   - logits: `[experts]`
  ///   - indices: `[topK]`, the chosen.
  ///   - gradients: `[topK]`, by their weights.
  ///   - result: `[experts]`, the gradients by the logits; fully overwritten.
  func differentiate(
    at logits: UnsafePointer<Float>, _ indices: UnsafePointer<UInt32>, _ gradients: UnsafePointer<Float>,
    into result: UnsafeMutablePointer<Float>
  ) {
    switch routing {
    case .softmax(renormalised: true), .softmaxOfChosen: differentiateOfChosen(logits, indices, gradients, result)
    case .softmax(renormalised: false): differentiateOfAll(logits, indices, gradients, scale: 1, result)
    case .softmaxInGroups(_, _, let scale): differentiateOfAll(logits, indices, gradients, scale: scale, result)
    case .sigmoid(_, _, let renormalised, let scale, let floor):
      differentiateSigmoid(logits, indices, gradients, scale: scale, floor: renormalised ? floor : nil, result)
    }
  }

  private func differentiateOfChosen(
    _ logits: UnsafePointer<Float>, _ indices: UnsafePointer<UInt32>, _ gradients: UnsafePointer<Float>,
    _ result: UnsafeMutablePointer<Float>
  ) {
    result.update(repeating: 0, count: experts)
    withShares(count: topK, of: { logits[Int(indices[$0])] }) { shares in
      let mean = (0..<topK).reduce(0) { $0 + Double(gradients[$1]) * shares[$1] }
      for place in 0..<topK {
        result[Int(indices[place])] = Float(shares[place] * (Double(gradients[place]) - mean))
      }
    }
  }

  private func differentiateOfAll(
    _ logits: UnsafePointer<Float>, _ indices: UnsafePointer<UInt32>, _ gradients: UnsafePointer<Float>,
    scale: Float, _ result: UnsafeMutablePointer<Float>
  ) {
    withShares(count: experts, of: { logits[$0] }) { shares in
      let mean = (0..<topK).reduce(0) { $0 + Double(gradients[$1]) * shares[Int(indices[$1])] }
      for expert in 0..<experts { result[expert] = Float(-Double(scale) * shares[expert] * mean) }
      for place in 0..<topK {
        let expert = Int(indices[place])
        result[expert] = Float(Double(scale) * shares[expert] * (Double(gradients[place]) - mean))
      }
    }
  }

  private func differentiateSigmoid(
    _ logits: UnsafePointer<Float>, _ indices: UnsafePointer<UInt32>, _ gradients: UnsafePointer<Float>,
    scale: Float, floor: Double?, _ result: UnsafeMutablePointer<Float>
  ) {
    result.update(repeating: 0, count: experts)
    func score(_ place: Int) -> Double { 1 / (1 + exp(-Double(logits[Int(indices[place])]))) }
    let divisor = floor.map { floor in (0..<topK).reduce(floor) { $0 + score($1) } }
    let mean = divisor.map { divisor in (0..<topK).reduce(0) { $0 + Double(gradients[$1]) * score($1) } / divisor }
    for place in 0..<topK {
      let slope = score(place) / (1 + exp(Double(logits[Int(indices[place])])))
      let gradient = (Double(gradients[place]) - (mean ?? 0)) / (divisor ?? 1)
      result[Int(indices[place])] = Float(Double(scale) * gradient * slope)
    }
  }

  /// Calls `body` with the softmax of `count` logits.
  private func withShares(
    count: Int, of logit: (Int) -> Float, _ body: (_ shares: UnsafePointer<Double>) -> Void
  ) {
    scratch.withMemoryRebound(to: Double.self, capacity: count) { shares in
      let highest = (0..<count).reduce(-Double.infinity) { max($0, Double(logit($1))) }
      var sum = 0.0
      for place in 0..<count {
        shares[place] = exp(Double(logit(place)) - highest)
        sum += shares[place]
      }
      for place in 0..<count { shares[place] /= sum }
      body(shares)
    }
  }
}

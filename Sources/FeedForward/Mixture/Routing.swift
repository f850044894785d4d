internal import Glibc

/// How a mixture chooses its experts from the logits of a row, and how it weights what they return.
///
/// Equal scores go to the lower index. Scores are rounded to float32, as published models compute them; in between,
/// exponentials and sums are float64. A row's choice depends on nothing but its logits.
package enum Routing: Sendable, Equatable {
  /// Scores are the softmax over all experts; the weights are the scores of the chosen, divided by their sum where
  /// `renormalised` (mixtral; qwen2_moe and qwen3_moe by `norm_topk_prob`).
  case softmax(renormalised: Bool)
  /// The highest logits choose; the weights are the softmax over the chosen (gpt_oss, granitemoe, jetmoe).
  case softmaxOfChosen
  /// Scores are the softmax over all experts; of `groups` the `kept` with the highest best score are chosen from. The
  /// weights are the scores of the chosen, times `scale` (deepseek_v2).
  case softmaxInGroups(groups: Int, kept: Int, scale: Float)
  /// Scores are `σ(logit)`; score plus correction chooses, first the `kept` groups with the highest sums of their two
  /// best, then experts within them. The weights are the scores without correction, divided by their sum + `floor`
  /// where `renormalised`, times `scale` (deepseek_v3; lfm2_moe with a floor of 1e-6).
  case sigmoid(groups: Int, kept: Int, renormalised: Bool, scale: Float, floor: Double = 1e-20)

  /// How many groups the experts stand in, and how many of these are chosen from.
  var groups: (count: Int, kept: Int) {
    switch self {
    case .softmax, .softmaxOfChosen: (1, 1)
    case .softmaxInGroups(let groups, let kept, _), .sigmoid(let groups, let kept, _, _, _): (groups, kept)
    }
  }
}

/// One row's choice.
///
/// Unsafe: all pointers are into the caller's scratch, which has room for the counts said beside them.
struct RowRouter {
  let routing: Routing
  let experts: Int
  let topK: Int
  /// `[experts]`
  let correction: UnsafePointer<Float>?
  /// ``scratchCount(experts:)`` floats.
  let scratch: UnsafeMutablePointer<Float>

  /// Scores, what chooses, the groups' sums and as many places, or in place of these float64 exponentials.
  static func scratchCount(experts: Int) -> Int { 4 * experts }

  /// - Parameters:
  ///   - logits: `[experts]`
  ///   - indices: `[topK]`, the highest score first.
  ///   - weights: `[topK]`, of the experts in `indices`.
  func choose(
    from logits: UnsafePointer<Float>, indices: UnsafeMutablePointer<UInt32>, weights: UnsafeMutablePointer<Float>
  ) {
    let scores = scratch
    switch routing {
    case .softmax(let renormalised):
      scores.update(from: logits, count: experts)
      softmax(scores, count: experts)
      Self.highest(topK, of: scores, count: experts, into: indices)
      weigh(by: scores, indices, weights, divisorFloor: renormalised ? 0 : nil, scale: 1)
    case .softmaxOfChosen:
      Self.highest(topK, of: logits, count: experts, into: indices)
      for place in 0..<topK { weights[place] = logits[Int(indices[place])] }
      softmax(weights, count: topK)
    case .softmaxInGroups(let groups, let kept, let scale):
      scores.update(from: logits, count: experts)
      softmax(scores, count: experts)
      let choice = scratch + experts
      choice.update(from: scores, count: experts)
      if kept < groups { excludeGroups(choice, groups: groups, kept: kept, scoredBy: 1) }
      Self.highest(topK, of: choice, count: experts, into: indices)
      weigh(by: scores, indices, weights, divisorFloor: nil, scale: Double(scale))
    case .sigmoid(let groups, let kept, let renormalised, let scale, let floor):
      let choice = scratch + experts
      for expert in 0..<experts {
        scores[expert] = Float(1 / (1 + exp(-Double(logits[expert]))))
        choice[expert] = scores[expert] + (correction?[expert] ?? 0)
      }
      if kept < groups { excludeGroups(choice, groups: groups, kept: kept, scoredBy: 2) }
      Self.highest(topK, of: choice, count: experts, into: indices)
      weigh(by: scores, indices, weights, divisorFloor: renormalised ? floor : nil, scale: Double(scale))
    }
  }

  private func weigh(
    by scores: UnsafePointer<Float>, _ indices: UnsafePointer<UInt32>, _ weights: UnsafeMutablePointer<Float>,
    divisorFloor: Double?, scale: Double
  ) {
    var divisor = 1.0
    if let divisorFloor {
      divisor = divisorFloor + (0..<topK).reduce(0) { $0 + Double(scores[Int(indices[$1])]) }
    }
    for place in 0..<topK { weights[place] = Float(Double(scores[Int(indices[place])]) / divisor * scale) }
  }

  /// Experts outside the `kept` groups with the highest sums of their `best` highest scores count as −∞.
  private func excludeGroups(_ choice: UnsafeMutablePointer<Float>, groups: Int, kept: Int, scoredBy best: Int) {
    let size = experts / groups
    let sums = scratch + 2 * experts
    let places = UnsafeMutableRawPointer(scratch + 3 * experts).assumingMemoryBound(to: UInt32.self)
    for group in 0..<groups {
      let members = choice + group * size
      Self.highest(best, of: members, count: size, into: places)
      sums[group] = (1..<best).reduce(members[Int(places[0])]) { $0 + members[Int(places[$1])] }
    }
    Self.highest(kept, of: sums, count: groups, into: places)
    for group in 0..<groups where !(0..<kept).contains(where: { places[$0] == UInt32(group) }) {
      (choice + group * size).update(repeating: -.infinity, count: size)
    }
  }

  /// `values = exp(values − max) / Σ exp(values − max)`, for at most as many values as there are experts.
  private func softmax(_ values: UnsafeMutablePointer<Float>, count: Int) {
    let highest = (0..<count).reduce(-Double.infinity) { max($0, Double(values[$1])) }
    (scratch + 2 * experts).withMemoryRebound(to: Double.self, capacity: count) { exponentials in
      var sum = 0.0
      for place in 0..<count {
        exponentials[place] = exp(Double(values[place]) - highest)
        sum += exponentials[place]
      }
      for place in 0..<count { values[place] = Float(exponentials[place] / sum) }
    }
  }

  /// The places of the `k` highest of `count` values, the highest first, of equals the first; always `k` different
  /// ones, whatever the values are.
  private static func highest(
    _ k: Int, of values: UnsafePointer<Float>, count: Int, into places: UnsafeMutablePointer<UInt32>
  ) {
    var filled = 0
    for place in 0..<count {
      let value = values[place]
      if filled == k {
        guard value > values[Int(places[k - 1])] else { continue }
      } else {
        filled += 1
      }
      var position = filled - 1
      while position > 0, value > values[Int(places[position - 1])] {
        places[position] = places[position - 1]
        position -= 1
      }
      places[position] = UInt32(place)
    }
  }
}

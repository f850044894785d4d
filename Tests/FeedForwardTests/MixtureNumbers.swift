import FeedForward
import Foundation

/// The numbers of a mixture by the names that requests use, and its formula in float64 for experts that are known.
struct MixtureNumbers {
  static let (experts, topK, dIn, dFF, sharedDFF, dOut) = (6, 2, 5, 4, 3, 3)

  let routing: Routing
  let gate: Gate
  var tensors: [String: [Double]]

  static func random(_ routing: Routing, _ gate: Gate, random: inout SplitMix) -> MixtureNumbers {
    var tensors: [String: [Double]] = [:]
    func add(_ name: String, _ count: Int, _ scale: Float) {
      tensors[name] = random.floats(count, scale: scale).map(Double.init)
    }
    add("router", experts * dIn, 0.5)
    add("router_bias", experts, 0.3)
    add("correction", experts, 0.2)
    add("shared_gate", dIn, 0.5)
    add("output_bias", dOut, 0.5)
    for (name, width) in (0..<experts).map({ ("experts.\($0)", dFF) }) + [("shared", sharedDFF)] {
      add("\(name).gate_proj", width * dIn, 0.9)
      add("\(name).up_proj", width * dIn, 0.9)
      add("\(name).down_proj", dOut * width, 0.9)
      add("\(name).gate_proj_bias", width, 0.4)
      add("\(name).up_proj_bias", width, 0.4)
      add("\(name).down_proj_bias", dOut, 0.4)
    }
    return MixtureNumbers(routing: routing, gate: gate, tensors: tensors)
  }

  func packed(held: [Int]? = nil) throws -> MixtureLayer {
    let memory = ViewMemory()
    func floats(_ name: String) -> [Float] { tensors[name]!.map { Float($0) } }
    func layer(_ name: String) -> LayerWeights {
      let width = tensors["\(name).gate_proj_bias"]!.count
      return LayerWeights(
        gate: gate, gateProj: memory.matrix(floats("\(name).gate_proj"), rows: width),
        upProj: memory.matrix(floats("\(name).up_proj"), rows: width),
        downProj: memory.matrix(floats("\(name).down_proj"), rows: Self.dOut),
        gateBias: memory.vector(floats("\(name).gate_proj_bias")),
        upBias: memory.vector(floats("\(name).up_proj_bias")),
        downBias: memory.vector(floats("\(name).down_proj_bias")))
    }
    let weights = MixtureWeights(
      routing: routing, topK: Self.topK, router: memory.matrix(floats("router"), rows: Self.experts),
      routerBias: memory.vector(floats("router_bias")), correctionBias: memory.vector(floats("correction")),
      experts: (held ?? Array(0..<Self.experts)).map { layer("experts.\($0)") }, held: held, shared: layer("shared"),
      sharedGate: memory.matrix(floats("shared_gate"), rows: 1), outputBias: memory.vector(floats("output_bias")))
    return try withExtendedLifetime(memory) { try MixtureLayer(weights) }
  }

  /// `W·x + b`.
  private func product(_ name: String, _ bias: String?, _ x: [Double]) -> [Double] {
    let weights = tensors[name]!
    return (0..<weights.count / x.count).map { row in
      var sum = bias.map { tensors[$0]![row] } ?? 0
      for (column, value) in x.enumerated() { sum += weights[row * x.count + column] * value }
      return sum
    }
  }

  func expert(_ name: String, _ x: [Double]) -> [Double] {
    let a = product("\(name).gate_proj", "\(name).gate_proj_bias", x)
    let b = product("\(name).up_proj", "\(name).up_proj_bias", x)
    return product("\(name).down_proj", "\(name).down_proj_bias", zip(a, b).map { Oracle.apply(gate, $0, $1) })
  }

  /// What weights the chosen experts, from all logits.
  private func shares(_ logits: [Double], _ chosen: [Int]) -> [Double] {
    func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    let all = logits.reduce(0) { $0 + exp($1) }
    let some = chosen.reduce(0) { $0 + exp(logits[$1]) }
    switch routing {
    case .softmax(renormalised: false): return chosen.map { exp(logits[$0]) / all }
    case .softmax(renormalised: true), .softmaxOfChosen: return chosen.map { exp(logits[$0]) / some }
    case .softmaxInGroups(_, _, let scale): return chosen.map { exp(logits[$0]) / all * Double(scale) }
    case .sigmoid(_, _, let renormalised, let scale, let floor):
      let sum = renormalised ? chosen.reduce(floor) { $0 + sigmoid(logits[$1]) } : 1
      return chosen.map { sigmoid(logits[$0]) / sum * Double(scale) }
    }
  }

  func apply(to x: [Double], experts chosen: [Int]) -> [Double] {
    let shares = shares(product("router", "router_bias", x), chosen)
    let share = 1 / (1 + exp(-product("shared_gate", nil, x)[0]))
    var y = tensors["output_bias"]!
    func add(_ name: String, times weight: Double) {
      for (place, value) in expert(name, x).enumerated() { y[place] += weight * value }
    }
    for (expert, weight) in zip(chosen, shares) { add("experts.\(expert)", times: weight) }
    add("shared", times: share)
    return y
  }
}

/// What a mixture's backward pass returns; `weights` by the names that requests use.
struct MixtureGradients: Equatable {
  var output: [Float]
  var input: [Float]
  var chosenWeights: [Float] = []
  var weights: [String: [Float]] = [:]
}

extension MixtureLayer {
  /// Differentiates at `input` by everything that there is; what is not written stays NaN.
  func differentiate(
    at input: [Float], gradOutput: [Float], chosen: (indices: [Float], weights: [Float])? = nil, team: Team? = nil
  ) throws -> MixtureGradients {
    let rows = input.count / dIn
    var memory: [String: UnsafeMutableBufferPointer<Float>] = [:]
    defer { memory.values.forEach { $0.deallocate() } }
    func place(_ name: String, _ count: Int) -> UnsafeMutablePointer<Float> {
      let place = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      place.initialize(repeating: .nan)
      memory[name] = place
      return place.baseAddress!
    }
    func outputs(_ name: String, _ layer: FeedForwardLayer) -> WeightGradientOutputs {
      WeightGradientOutputs(
        gateProj: place("\(name).gate_proj", layer.dFF * dIn), upProj: place("\(name).up_proj", layer.dFF * dIn),
        downProj: place("\(name).down_proj", dOut * layer.dFF), gateBias: place("\(name).gate_proj_bias", layer.dFF),
        upBias: place("\(name).up_proj_bias", layer.dFF), downBias: place("\(name).down_proj_bias", dOut))
    }
    var weights = MixtureGradientOutputs(experts: zip(held, experts).map { outputs("experts.\($0)", $1) })
    if chosen == nil {
      weights.shared = shared.map { outputs("shared", $0) }
      weights.router = place("router", count * dIn)
      weights.routerBias = place("router_bias", count)
      weights.sharedGate = place("shared_gate", dIn)
      weights.outputBias = place("output_bias", dOut)
    }
    var result = MixtureGradients(
      output: [Float](repeating: .nan, count: rows * dOut), input: [Float](repeating: .nan, count: rows * dIn),
      chosenWeights: [Float](repeating: .nan, count: chosen?.indices.count ?? 0))
    let (indices, shares) = chosen ?? ([], [])
    try input.withUnsafeBufferPointer { input in
      try gradOutput.withUnsafeBufferPointer { gradOutput in
        try indices.withUnsafeBufferPointer { indices in
          try shares.withUnsafeBufferPointer { shares in
            try result.output.withUnsafeMutableBufferPointer { output in
              try result.input.withUnsafeMutableBufferPointer { gradInput in
                try result.chosenWeights.withUnsafeMutableBufferPointer { gradWeights in
                  let choice =
                    chosen == nil
                    ? nil
                    : ChosenExperts(
                      indices: indices.baseAddress!, weights: shares.baseAddress!, choices: indices.count / rows,
                      gradWeights: gradWeights.baseAddress)
                  try gradient(
                    MixtureGradientRows(
                      input: input.baseAddress!, gradOutput: gradOutput.baseAddress!, count: rows,
                      output: output.baseAddress!, gradInput: gradInput.baseAddress!, chosen: choice,
                      weights: weights),
                    workspace: Workspace(), team: team)
                }
              }
            }
          }
        }
      }
    }
    result.weights = memory.mapValues { Array($0) }
    return result
  }
}

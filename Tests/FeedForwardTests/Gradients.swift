import FeedForward

/// What a backward pass returns; `weights` by the names that requests use.
struct Gradients: Equatable {
  var output: [Float]
  var input: [Float]
  var weights: [String: [Float]] = [:]
}

extension FeedForwardLayer {
  /// Differentiates at `input`; everything that is not written stays NaN.
  func differentiate(
    at input: [Float], gradOutput: [Float], weights: Bool = false, workspace: Workspace = Workspace(),
    team: Team? = nil
  ) throws -> Gradients {
    let rows = input.count / dIn
    func memory(_ count: Int) -> UnsafeMutableBufferPointer<Float> {
      let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      memory.initialize(repeating: .nan)
      return memory
    }
    let (output, gradInput) = (memory(rows * dOut), memory(rows * dIn))
    var tensors: [String: UnsafeMutableBufferPointer<Float>] = [:]
    if weights {
      tensors["gate_proj"] = memory(dFF * dIn)
      tensors["up_proj"] = memory(dFF * dIn)
      if hasDownProjection { tensors["down_proj"] = memory(dOut * dFF) }
      if hasGateBias { tensors["gate_proj_bias"] = memory(dFF) }
      if hasUpBias { tensors["up_proj_bias"] = memory(dFF) }
      if hasDownBias { tensors["down_proj_bias"] = memory(dOut) }
    }
    defer { ([output, gradInput] + tensors.values).forEach { $0.deallocate() } }
    let outputs = tensors["gate_proj"].map { gateProj in
      WeightGradientOutputs(
        gateProj: gateProj.baseAddress!, upProj: tensors["up_proj"]!.baseAddress!,
        downProj: tensors["down_proj"]?.baseAddress, gateBias: tensors["gate_proj_bias"]?.baseAddress,
        upBias: tensors["up_proj_bias"]?.baseAddress, downBias: tensors["down_proj_bias"]?.baseAddress)
    }
    try input.withUnsafeBufferPointer { input in
      try gradOutput.withUnsafeBufferPointer { gradOutput in
        try gradient(
          GradientRows(
            input: input.baseAddress!, gradOutput: gradOutput.baseAddress!, count: rows, output: output.baseAddress!,
            gradInput: gradInput.baseAddress!, weights: outputs),
          workspace: workspace, team: team)
      }
    }
    return Gradients(output: Array(output), input: Array(gradInput), weights: tensors.mapValues { Array($0) })
  }
}

extension Oracle {
  /// The gradients of `Σ grad_output·y` in float64, from the closed forms.
  struct LayerGradients {
    var input: [Double]
    var weights: [String: [Double]]
  }

  static func gradients(_ layer: DenseLayer, input: [Float], gradOutput: [Float]) -> LayerGradients {
    let (dIn, dFF) = (layer.dIn, layer.dFF)
    let dOut = layer.dOut == 0 ? dFF : layer.dOut
    func zeros(_ count: Int) -> [Double] { [Double](repeating: 0, count: count) }
    var (gate, up, down) = (zeros(dFF * dIn), zeros(dFF * dIn), zeros(layer.dOut * dFF))
    var (gateBias, upBias, downBias) = (zeros(dFF), zeros(dFF), zeros(dOut))
    var gradInput = zeros(input.count)
    let gateIsFirst = ![.glu, .gtu, .regluSigmoid, .gegluSigmoid].contains(layer.gate)
    for row in 0..<input.count / dIn {
      let x = Array(input[(row * dIn)..<((row + 1) * dIn)])
      let g = gradOutput[(row * dOut)..<((row + 1) * dOut)].map(Double.init)
      let inner = forward(layer, row: x[...])
      for f in 0..<dFF {
        var gradHidden = layer.dOut == 0 ? g[f] : 0
        for o in 0..<layer.dOut {
          gradHidden += g[o] * Double(layer.downProj[o * dFF + f])
          down[o * dFF + f] += g[o] * inner.hidden[f]
        }
        let slopes =
          gateIsFirst
          ? derivatives(layer.gate, inner.gate[f], inner.up[f]) : derivatives(layer.gate, inner.up[f], inner.gate[f])
        let gradGate = gradHidden * (gateIsFirst ? slopes.a : slopes.b).value
        let gradUp = gradHidden * (gateIsFirst ? slopes.b : slopes.a).value
        gateBias[f] += gradGate
        upBias[f] += gradUp
        for i in 0..<dIn {
          let place = f * dIn + i
          gate[place] += gradGate * Double(x[i])
          up[place] += gradUp * Double(x[i])
          gradInput[row * dIn + i] += gradGate * Double(layer.gateProj[place]) + gradUp * Double(layer.upProj[place])
        }
      }
      for o in 0..<dOut { downBias[o] += g[o] }
    }
    return LayerGradients(
      input: gradInput,
      weights: [
        "gate_proj": gate, "up_proj": up, "down_proj": down, "gate_proj_bias": gateBias, "up_proj_bias": upBias,
        "down_proj_bias": downBias,
      ])
  }
}

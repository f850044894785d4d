import FeedForward
import Testing

/// Layers of published models, computed by their own code in float64. The error allowed is four times that of
/// PyTorch's float32 result, which sums in another order.
@Suite struct GoldenTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var file: String
    var gate: Gate
    /// Names of gate_proj, up_proj and down_proj in the file; one name for both where they are fused.
    var gateName: String
    var upName: String
    var downName: String?
    var testDescription: String { file }
  }

  static let cases: [Case] = {
    var cases = [
      Case(file: "llama_mlp", gate: .swiglu, gateName: "gate_proj", upName: "up_proj", downName: "down_proj"),
      Case(file: "llama_mlp_bias", gate: .swiglu, gateName: "gate_proj", upName: "up_proj", downName: "down_proj"),
      Case(file: "gemma_mlp", gate: .gegluTanh, gateName: "gate_proj", upName: "up_proj", downName: "down_proj"),
      Case(file: "t5_gated_gelu", gate: .gegluTanh, gateName: "wi_0", upName: "wi_1", downName: "wo"),
      Case(file: "phi3_mlp", gate: .swiglu, gateName: "gate_up_proj", upName: "gate_up_proj", downName: "down_proj"),
      Case(file: "modernbert_mlp", gate: .geglu, gateName: "Wi", upName: "Wi", downName: "Wo"),
      Case(file: "modernbert_mlp_bias", gate: .geglu, gateName: "Wi", upName: "Wi", downName: "Wo"),
    ]
    for suffix in ["", "_bias"] {
      cases.append(Case(file: "glu_linear\(suffix)", gate: .glu, gateName: "V", upName: "W"))
      cases.append(Case(file: "gtu_linear\(suffix)", gate: .gtu, gateName: "V", upName: "W"))
      let gates: [(String, Gate)] = [
        ("bilinear", .bilinear), ("geglu", .geglu), ("geglu_tanh", .gegluTanh), ("glu", .glu), ("reglu", .reglu),
        ("swiglu", .swiglu), ("swiglu_beta1.702", .swiglu(beta: 1.702)),
      ]
      for (name, gate) in gates {
        cases.append(
          Case(file: "shazeer_ffn_\(name)\(suffix)", gate: gate, gateName: "W", upName: "V", downName: "W2"))
      }
    }
    return cases
  }()

  @Test(arguments: cases, Kernels.available.map(\.name))
  func layerWithinFourTimesThePeersError(_ test: Case, kernels: String) throws {
    let golden = try Golden(test.file)
    let bound = 4 * (try golden.peerError)
    let layer = try Self.dense(test, golden).packed(kernels: .named(kernels))
    let result = layer.apply(to: try golden("input").floats)
    let expected = try golden("output").floats
    #expect(result.output.count == expected.count)
    let worst = zip(result.output, expected).map { abs(Double($0) - Double($1)) }.max()
    #expect(try #require(worst) <= bound)
  }

  /// The layer of a file; of a fused tensor the first half of the rows is the gate.
  static func dense(_ test: Case, _ golden: Golden) throws -> DenseLayer {
    let input = try golden("input")
    let dIn = input.shape[1]
    func halves(_ suffix: String) throws -> ([Float], [Float]) {
      let gate = try golden(test.gateName + suffix).floats
      guard test.gateName == test.upName else { return (gate, try golden(test.upName + suffix).floats) }
      return (Array(gate[..<(gate.count / 2)]), Array(gate[(gate.count / 2)...]))
    }
    let (gateProj, upProj) = try halves(".weight")
    let down = try test.downName.map { try golden($0 + ".weight") }
    let hasBias = golden.tensors.keys.contains { $0.hasSuffix(".bias") }
    let biases = hasBias ? try halves(".bias") : nil
    return DenseLayer(
      gate: test.gate, dIn: dIn, dFF: gateProj.count / dIn, dOut: down?.shape[0] ?? 0, gateProj: gateProj,
      upProj: upProj, downProj: down?.floats ?? [], gateBias: biases?.0, upBias: biases?.1,
      downBias: hasBias ? try test.downName.map { try golden($0 + ".bias").floats } : nil)
  }

  /// The layer of Llama 3.2 1B in full size, its weights made anew from their counter.
  @Test func layerOf2048By8192() throws {
    let golden = try Golden("big_llama_2048x8192")
    func values(seed: UInt64, count: Int, scale: Float) -> [Float] {
      var random = SplitMix(seed: seed)
      return random.floats(count, scale: scale)
    }
    let layer = DenseLayer(
      gate: .swiglu, dIn: 2048, dFF: 8192, dOut: 2048,
      gateProj: values(seed: 1, count: 8192 * 2048, scale: 0x1p-5),
      upProj: values(seed: 2, count: 8192 * 2048, scale: 0x1p-5),
      downProj: values(seed: 3, count: 8192 * 2048, scale: 0x1p-6))
    #expect(Array(layer.gateProj[..<2]) == [0.004160095006227493, 0.015361357480287552])
    #expect(Array(layer.downProj[..<2]) == [-0.012079678475856781, 0.006259171292185783])
    let result = try layer.packed(kernels: .best()).apply(to: try golden("input").floats)
    let worst = zip(result.output, try golden("output").floats).map { abs(Double($0) - Double($1)) }.max()
    #expect(try #require(worst) <= 4 * (try golden.peerError))
  }
}

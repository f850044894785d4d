import Checkpoint
import FeedForward
import Testing

/// Checkpoints under the names that the hub uses, written by the reference implementation.
@Suite struct GoldenCheckpointTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let golden: String
    let family: String
    /// What `config.json` has beside the sizes.
    let config: String
    let gate: Gate
    let rule: String
    var layer = "model.layers.0.mlp"
    /// The names of gate, up and down; of both and down where they are fused.
    let projections: [String]
    var bias = false
    var testDescription: String { golden }

    var configuration: String {
      #"{"model_type": "\#(family)", \#(config)}"#
    }
  }

  private static let llamaNames = ["gate_proj", "up_proj", "down_proj"]
  private static let sizes = #""hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 1"#

  static let cases: [Case] = [
    Case(
      golden: "llama_mlp", family: "llama", config: sizes + #", "hidden_act": "silu", "mlp_bias": false"#,
      gate: .swiglu, rule: "down_proj(silu(gate_proj x) · up_proj x)", projections: llamaNames),
    Case(
      golden: "llama_mlp", family: "mistral", config: sizes,
      gate: .swiglu, rule: "down_proj(silu(gate_proj x) · up_proj x)", projections: llamaNames),
    Case(
      golden: "llama_mlp_bias", family: "llama", config: sizes + #", "hidden_act": "silu", "mlp_bias": true"#,
      gate: .swiglu, rule: "down_proj(silu(gate_proj x) · up_proj x)", projections: llamaNames, bias: true),
    Case(
      golden: "gemma_mlp", family: "gemma", config: sizes + #", "hidden_act": "gelu""#,
      gate: .gegluTanh, rule: "down_proj(gelu_tanh(gate_proj x) · up_proj x)", projections: llamaNames),
    Case(
      golden: "t5_gated_gelu", family: "t5",
      config: #""d_model": 64, "d_ff": 160, "num_layers": 1, "feed_forward_proj": "gated-gelu""#,
      gate: .gegluTanh, rule: "wo(gelu_tanh(wi_0 x) · wi_1 x)",
      layer: "encoder.block.0.layer.1.DenseReluDense", projections: ["wi_0", "wi_1", "wo"]),
    Case(
      golden: "phi3_mlp", family: "phi3", config: sizes + #", "hidden_act": "silu""#,
      gate: .swiglu, rule: "down_proj(silu(gate_up_proj[first half] x) · gate_up_proj[second half] x)",
      projections: ["gate_up_proj", "down_proj"]),
    Case(
      golden: "modernbert_mlp", family: "modernbert", config: sizes + #", "hidden_activation": "gelu""#,
      gate: .geglu, rule: "Wo(gelu(Wi[first half] x) · Wi[second half] x)", projections: ["Wi", "Wo"]),
    Case(
      golden: "modernbert_mlp_bias", family: "modernbert", config: sizes + #", "mlp_bias": true"#,
      gate: .geglu, rule: "Wo(gelu(Wi[first half] x) · Wi[second half] x)", projections: ["Wi", "Wo"], bias: true),
  ]

  @Test(arguments: cases)
  func viewsAreTheFilesNumbers(_ golden: Case) throws {
    let expected = try Golden(golden.golden)
    let directory = try ModelDirectory(config: golden.configuration, Array(expected.tensors.values))
    let checkpoint = try directory.open()
    try expectLayer(of: checkpoint, golden, expected)
  }

  @Test(arguments: cases)
  func shardsAreReadAsOneFile(_ golden: Case) throws {
    let expected = try Golden(golden.golden)
    let directory = try ModelDirectory()
    try directory.write("config.json", golden.configuration)
    let weights = expected.weights
    try directory.write(shards: [
      ("model-00001-of-00002.safetensors", Array(weights[..<1])),
      ("model-00002-of-00002.safetensors", Array(weights[1...])),
    ])
    try expectLayer(of: try directory.open(), golden, expected)
    try expectLayer(of: try directory.open("model.safetensors.index.json"), golden, expected)
  }

  private func expectLayer(of checkpoint: Checkpoint, _ golden: Case, _ expected: Golden) throws {
    #expect(checkpoint.family == golden.family)
    #expect(checkpoint.rule == golden.rule)
    let layer = try #require(checkpoint.layers.first)
    #expect(checkpoint.layers.count == 1)
    #expect(layer.name == golden.layer)
    #expect(layer.index == 0)
    #expect((layer.dModel, layer.dFF) == (64, 160))
    #expect(layer.storedType == "F32")
    #expect(layer.storedBytes == expected.weights.reduce(0) { $0 + $1.data.count })
    #expect(layer.rule == golden.rule)
    let weights = try #require(layer.dense)
    #expect(weights.gate == golden.gate)
    func stored(_ place: Int, _ suffix: String) throws -> [Float] {
      try expected.floats("\(golden.layer).\(golden.projections[place]).\(suffix)")
    }
    if golden.projections.count == 3 {
      #expect(weights.gateProj.floats == (try stored(0, "weight")))
      #expect(weights.upProj.floats == (try stored(1, "weight")))
      #expect(weights.downProj?.floats == (try stored(2, "weight")))
    } else {
      let both = try stored(0, "weight")
      #expect(weights.gateProj.floats == Array(both[..<(160 * 64)]))
      #expect(weights.upProj.floats == Array(both[(160 * 64)...]))
      #expect(weights.downProj?.floats == (try stored(1, "weight")))
    }
    guard golden.bias else {
      #expect(weights.gateBias == nil && weights.upBias == nil && weights.downBias == nil)
      return
    }
    if golden.projections.count == 3 {
      #expect(weights.gateBias?.floats == (try stored(0, "bias")))
      #expect(weights.upBias?.floats == (try stored(1, "bias")))
      #expect(weights.downBias?.floats == (try stored(2, "bias")))
    } else {
      let both = try stored(0, "bias")
      #expect(weights.gateBias?.floats == Array(both[..<160]))
      #expect(weights.upBias?.floats == Array(both[160...]))
      #expect(weights.downBias?.floats == (try stored(1, "bias")))
    }
  }

  @Test(arguments: ["BF16", "F16"])
  func halfPrecisionIsReadInPlace(dtype: String) throws {
    let golden = try Golden("llama_mlp")
    // One float32 tensor beside the halves, and one byte in front, so that nothing is aligned.
    let tensors =
      [TensorFixture("a", dtype: "U8", [1], data: [0])]
      + golden.weights.map { $0.name.contains("down_proj") ? $0 : $0.stored(as: dtype) }
    let directory = try ModelDirectory(config: #"{"model_type": "llama"}"#, tensors)
    let layer = try #require(try directory.open().layers.first)
    #expect(layer.storedType == "\(dtype)+F32")
    #expect(layer.storedBytes == 160 * 64 * (2 + 2 + 4))
    let gate = try golden.floats("model.layers.0.mlp.gate_proj.weight")
    let rounded = gate.map { dtype == "F16" ? Float(Float16($0)) : Float(bitPattern: $0.bitPattern & 0xFFFF_0000) }
    #expect(layer.dense?.gateProj.floats == rounded)
    #expect(layer.dense?.downProj?.floats == (try golden.floats("model.layers.0.mlp.down_proj.weight")))
  }

  /// The engine computes from the views what the reference computed from the file.
  @Test(arguments: cases)
  func forwardIsTheReferences(_ golden: Case) throws {
    let expected = try Golden(golden.golden)
    let directory = try ModelDirectory(config: golden.configuration, expected.weights)
    let source = try #require(try directory.open().layers.first)
    try source.confirmFiles()
    let layer = try FeedForwardLayer(try #require(source.dense))
    let input = try expected.floats("input")
    let rows = input.count / layer.dIn
    var output = [Float](repeating: .nan, count: rows * layer.dOut)
    let workspace = Workspace()
    workspace.reserve(for: layer, rows: rows)
    layer.forward(
      input: input, rows: rows, output: &output, activations: ActivationOutputs(), workspace: workspace)
    let error = zip(output, try expected.floats("output")).map { abs($0 - $1) }.max()
    #expect(try #require(error) <= 4 * expected.float32Error)
  }
}

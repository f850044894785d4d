import Checkpoint
import FeedForward
import TensorCoding
import Testing

/// What is held against what: tensors against each other, against `config.json`, against what the engine computes
/// from; and the choice of layers.
@Suite struct LayerCheckTests {
  private static let layer = FamilyTests.layer("model.layers.0.mlp")
  private static let prefix = "model.layers.0.mlp"

  struct Flaw: Sendable, CustomTestStringConvertible {
    var config = ""
    let tensors: [TensorFixture]
    let error: CheckpointError
    var testDescription: String { "\(error)" }
  }

  private static func replacing(_ name: String, by tensor: TensorFixture? = nil) -> [TensorFixture] {
    layer.filter { $0.name != "\(prefix).\(name)" } + (tensor.map { [$0] } ?? [])
  }

  private static func misshapen(_ name: String, _ shape: [Int], expected: String) -> Flaw {
    let full = "\(prefix).\(name)"
    return Flaw(
      tensors: replacing(name, by: TensorFixture(full, shape)),
      error: .misshapenTensor(name: full, expected: expected, found: shape))
  }

  private static func contradiction(_ member: String, _ value: Int) -> Flaw {
    Flaw(
      config: #", "\#(member)": \#(value)"#, tensors: layer,
      error: .contradiction(
        tensor: "\(prefix).gate_proj.weight", shape: [3, 2], member: member, value: String(value)))
  }

  static let flaws: [Flaw] = [
    Flaw(
      tensors: replacing("gate_proj.weight"),
      error: .missingTensor(
        name: "\(prefix).gate_proj.weight", expected: "[d_ff, d_model]",
        found: ["\(prefix).down_proj.weight", "\(prefix).up_proj.weight"])),
    Flaw(
      tensors: replacing("up_proj.weight"),
      error: .missingTensor(
        name: "\(prefix).up_proj.weight", expected: "[3, 2]",
        found: ["\(prefix).down_proj.weight", "\(prefix).gate_proj.weight"])),
    Flaw(
      tensors: replacing("down_proj.weight"),
      error: .missingTensor(
        name: "\(prefix).down_proj.weight", expected: "[2, 3]",
        found: ["\(prefix).gate_proj.weight", "\(prefix).up_proj.weight"])),
    misshapen("gate_proj.weight", [6], expected: "[d_ff, d_model]"),
    misshapen("gate_proj.weight", [], expected: "[d_ff, d_model]"),
    misshapen("gate_proj.weight", [1, 3, 2], expected: "[d_ff, d_model]"),
    misshapen("gate_proj.weight", [0, 2], expected: "[d_ff, d_model]"),
    misshapen("gate_proj.weight", [3, 0], expected: "[d_ff, d_model]"),
    misshapen("up_proj.weight", [2, 3], expected: "[3, 2]"),
    misshapen("up_proj.weight", [4, 2], expected: "[3, 2]"),
    misshapen("down_proj.weight", [3, 2], expected: "[2, 3]"),
    Flaw(
      tensors: layer + [TensorFixture("\(prefix).gate_proj.bias", [2])],
      error: .misshapenTensor(name: "\(prefix).gate_proj.bias", expected: "[3]", found: [2])),
    Flaw(
      tensors: layer + [TensorFixture("\(prefix).down_proj.bias", [2, 1])],
      error: .misshapenTensor(name: "\(prefix).down_proj.bias", expected: "[2]", found: [2, 1])),
    Flaw(
      config: #", "mlp_bias": true"#, tensors: layer + [TensorFixture("\(prefix).gate_proj.bias", [3])],
      error: .missingTensor(
        name: "\(prefix).up_proj.bias", expected: "[3]",
        found: ["down_proj.weight", "gate_proj.bias", "gate_proj.weight", "up_proj.weight"].map { "\(prefix).\($0)" })),
    Flaw(
      config: #", "mlp_bias": false"#, tensors: layer + [TensorFixture("\(prefix).up_proj.bias", [3])],
      error: .contradiction(tensor: "\(prefix).up_proj.bias", shape: [3], member: "mlp_bias", value: "false")),
    Flaw(
      tensors: replacing(
        "up_proj.weight",
        by: TensorFixture("\(prefix).up_proj.weight", dtype: "F8_E5M2", [3, 2], data: [UInt8](repeating: 0, count: 6))),
      error: .unsupportedElementType(tensor: "\(prefix).up_proj.weight", found: .f8E5M2)),
    Flaw(
      tensors: replacing(
        "gate_proj.weight",
        by: TensorFixture("\(prefix).gate_proj.weight", dtype: "F64", [3, 2], data: [UInt8](repeating: 0, count: 48))),
      error: .unsupportedElementType(tensor: "\(prefix).gate_proj.weight", found: .f64)),
    contradiction("hidden_size", 4),
    contradiction("intermediate_size", 4),
    Flaw(
      config: #", "num_hidden_layers": 2"#, tensors: layer,
      error: .missingTensor(name: "model.layers.1.mlp.gate_proj.weight", expected: "[d_ff, d_model]", found: [])),
    // A hole in the numbering is a layer that is missing.
    Flaw(
      tensors: layer + FamilyTests.layer("model.layers.2.mlp"),
      error: .missingTensor(name: "model.layers.1.mlp.gate_proj.weight", expected: "[d_ff, d_model]", found: [])),
  ]

  @Test(arguments: flaws)
  func refuses(_ flaw: Flaw) throws {
    let directory = try ModelDirectory(config: #"{"model_type": "llama"\#(flaw.config)}"#, flaw.tensors)
    #expect(throws: flaw.error) { try directory.open() }
  }

  @Test func aFusedTensorHasAnEvenNumberOfRows() throws {
    let name = "model.layers.0.mlp.gate_up_proj.weight"
    let directory = try ModelDirectory(
      config: #"{"model_type": "phi3"}"#,
      [TensorFixture(name, [5, 3]), TensorFixture("model.layers.0.mlp.down_proj.weight", [3, 2])])
    #expect(
      throws: CheckpointError.misshapenTensor(name: name, expected: "[2·d_ff, d_model]", found: [5, 3])
    ) { try directory.open() }
  }

  @Test(arguments: [
    (#""block_ff_dim": 5, "block_auto_adjust_ff_dim": false"#, true),
    (#""intermediate_size": 5"#, true),
    (#""intermediate_size": 6"#, false),
    (#""intermediate_size": 5, "block_auto_adjust_ff_dim": true"#, false),
    (#""block_ff_dim": 6, "block_auto_adjust_ff_dim": true, "block_multiple_of": 5"#, true),
    (#""block_ff_dim": 6, "intermediate_size": 77, "block_auto_adjust_ff_dim": true, "block_multiple_of": 5"#, true),
    // ⌊1.3·⌊2·6/3⌋⌋ = 5
    (
      #""block_ff_dim": 6, "block_ffn_dim_multiplier": 1.3, "block_multiple_of": 1, "block_auto_adjust_ff_dim": true"#,
      true
    ),
    (
      #""block_ff_dim": 6, "block_ffn_dim_multiplier": 2, "block_multiple_of": 1, "block_auto_adjust_ff_dim": true"#,
      false
    ),
  ])
  func lfm2sAdjustedWidth(members: String, agrees: Bool) throws {
    let directory = try ModelDirectory(
      config: #"{"model_type": "lfm2", \#(members)}"#,
      FamilyTests.layer("model.layers.0.feed_forward", ["w1", "w3", "w2"], dFF: 5))
    if agrees {
      #expect(try directory.open().layers[0].dFF == 5)
    } else {
      #expect(throws: CheckpointError.self) { try directory.open() }
    }
  }

  /// ⌊2/3·⌊6·4⌋⌋ = 16, which is a multiple of 8.
  @Test(arguments: [(4, true), (4.5, false), (1, false)])
  func dinov2sWidthIsARatio(ratio: Double, agrees: Bool) throws {
    let directory = try ModelDirectory(
      config: #"{"model_type": "dinov2", "hidden_size": 6, "mlp_ratio": \#(ratio)}"#,
      [TensorFixture("blocks.0.mlp.w12.weight", [32, 6]), TensorFixture("blocks.0.mlp.w3.weight", [6, 16])])
    if agrees {
      #expect(try directory.open().layers[0].dFF == 16)
    } else {
      #expect(throws: CheckpointError.self) { try directory.open() }
    }
  }

  // MARK: Configuration

  @Test(arguments: [
    ("", JSONError.syntax(offset: 0, expected: .value)),
    (#"{"model_type": "llama",}"#, .syntax(offset: 23, expected: .memberName)),
    ("[]", .mismatch(pointer: "", .kind(expected: .object, found: .array))),
    (
      #"{"model_type": "llama", "hidden_size": 2, "hidden_size": 2}"#,
      .mismatch(pointer: "/hidden_size", .duplicateMember)
    ),
    (
      #"{"model_type": "llama", "hidden_size": "2"}"#,
      .mismatch(pointer: "/hidden_size", .kind(expected: .number, found: .string))
    ),
    (#"{"model_type": "llama", "hidden_size": 2.5}"#, .mismatch(pointer: "/hidden_size", .notAnInteger)),
    (
      #"{"model_type": "llama", "hidden_size": -2}"#,
      .mismatch(pointer: "/hidden_size", .outOfRange(1...1 << 30))
    ),
    (
      #"{"model_type": "llama", "num_hidden_layers": 1000000000000}"#,
      .mismatch(pointer: "/num_hidden_layers", .outOfRange(0...1 << 16))
    ),
    (
      #"{"model_type": "llama", "hidden_act": ["silu"]}"#,
      .mismatch(pointer: "/hidden_act", .kind(expected: .string, found: .array))
    ),
    (
      #"{"text_config": {"model_type": "llama", "mlp_bias": 1}}"#,
      .mismatch(pointer: "/text_config/mlp_bias", .kind(expected: .boolean, found: .number))
    ),
  ])
  func malformedConfiguration(json: String, error: JSONError) throws {
    let directory = try ModelDirectory(config: json, Self.layer)
    #expect(throws: CheckpointError.malformedJSON(path: directory["config.json"], error)) {
      try directory.open()
    }
  }

  // MARK: Which layers

  private func threeLayers(_ members: String = "") throws -> ModelDirectory {
    try ModelDirectory(
      config: #"{"model_type": "llama"\#(members)}"#, (0..<3).flatMap { FamilyTests.layer("model.layers.\($0).mlp") })
  }

  @Test(arguments: [
    ("0", [0]), ("0-2", [0, 1, 2]), ("2,0", [0, 2]), ("1-1,1,0-1", [0, 1]),
  ])
  func selection(text: String, numbers: [Int]) throws {
    let checkpoint = try threeLayers().open(layers: LayerSelection(parsing: text))
    #expect(checkpoint.layers.map(\.name) == numbers.map { "model.layers.\($0).mlp" })
    #expect(checkpoint.layers.map(\.index) == Array(numbers.indices))
  }

  @Test(arguments: [("3", 3), ("0-3", 3), ("7-9", 7), ("0,9223372036854775807", Int.max), ("0-9223372036854775807", 3)])
  func selectionOutOfRange(text: String, requested: Int) throws {
    let selection = try LayerSelection(parsing: text)
    #expect(throws: CheckpointError.layerOutOfRange(requested: requested, count: 3)) {
      try threeLayers().open(layers: selection)
    }
  }

  @Test(arguments: [
    "", ",", "0,", ",0", "-", "0-", "-1", "2-1", "0--1", "0-1-2", " 0", "0 ", "+1", "0x1", "١", "1.0", "a",
    "18446744073709551616",
  ])
  func noSelection(text: String) {
    #expect(throws: CheckpointError.layerSelection(found: text)) { try LayerSelection(parsing: text) }
  }

  @Test func aSelectionNeedsOnlyItsOwnLayers() throws {
    let directory = try ModelDirectory(
      config: #"{"model_type": "llama", "num_hidden_layers": 32}"#, FamilyTests.layer("model.layers.1.mlp"))
    let checkpoint = try directory.open(layers: LayerSelection(parsing: "1"))
    #expect(checkpoint.layers.map(\.name) == ["model.layers.1.mlp"])
  }

  @Test func layersBeyondTheConfigurationAreLeftOut() throws {
    let checkpoint = try threeLayers(#", "num_hidden_layers": 2"#).open()
    #expect(checkpoint.layers.map(\.name) == ["model.layers.0.mlp", "model.layers.1.mlp"])
    #expect(checkpoint.notes == ["num_hidden_layers is 2: the layers from model.layers.2.mlp on are left out"])
  }

  @Test func tensorsThatOnlyResembleALayersAreNone() throws {
    let names = [
      "model.layers.01.mlp.gate_proj.weight", "model.layers.9.mlpx.gate_proj.weight", "model.layers..mlp.x",
      "model.layers.9.mlp", "xmodel.layers.9.mlp.gate_proj.weight", "model.layers.٩.mlp.gate_proj.weight",
    ]
    let directory = try ModelDirectory(
      config: #"{"model_type": "llama"}"#, Self.layer + names.map { TensorFixture($0, [1]) })
    #expect(try directory.open().layers.map(\.name) == ["model.layers.0.mlp"])
  }
}

import Foundation
import InferenceAPI
import Testing

/// Every golden of the fixtures is answered over HTTP: which test does so, and those that no other one has.
@Suite struct GoldenIndexTests {
  /// A golden's name, and the test that holds an answer against it.
  static let index: [String: String] = {
    var index: [String: String] = [:]
    func add(_ test: String, _ names: some Sequence<String>) { for name in names { index[name] = test } }
    add("GoldenTests.weightsInTheRequest", GoldenTests.cases.map(\.file))
    add("MixtureTests.answersAsTheGolden", MixtureTests.cases.map(\.file))
    add("GLUTests.torchFunctionalGLU", ["functional_glu"])
    add("GLUTests.tutorialGates", ["blog_reglu_sigmoid", "blog_geglu_sigmoid"])
    add("GLUTests.torchGradients", ["glu", "gtu", "reglu", "geglu", "swiglu"].map { "grad_gate_" + $0 })
    add(
      "GradientTests.publishedGradients",
      ["bilinear", "geglu", "geglu_tanh", "glu", "gtu", "reglu", "swiglu"].flatMap {
        ["grad_ffn_\($0)", "grad_ffn_\($0)_bias"]
      })
    add(
      "GatedConvolutionTests",
      ["glu", "gtu"].flatMap { gate in [1, 3, 4].map { "dauphin_\(gate)_conv_k\($0)" } })
    add("fusedHalves", fused.map(\.file))
    add("plainLayers", plain.map(\.file))
    add("fullSize", ["big_llama_2048x8192", "big_gemma_2048x8192"])
    add("twoGates", ["blog_geglu_tanh_sigmoid"])
    add("activations", ["activation_scalars"])
    add("nonFiniteInputIsRefused", ["activation_nonfinite"])
    return index
  }()

  @Test func everyGoldenHasATest() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "FeedForwardTests/Fixtures")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter {
      $0.hasSuffix(".safetensors")
    }
    #expect(Set(files.map { String($0.dropLast(".safetensors".count)) }) == Set(Self.index.keys))
    #expect(Self.index.count == 71)
  }

  // MARK: Fused tensors

  struct Fused: Sendable, CustomTestStringConvertible {
    let file: String
    let variant: String
    let both: String
    let down: String
    var testDescription: String { file }
  }

  static let fused = [
    Fused(file: "phi3_mlp", variant: "swiglu", both: "gate_up_proj", down: "down_proj"),
    Fused(file: "modernbert_mlp", variant: "geglu", both: "Wi", down: "Wo"),
    Fused(file: "modernbert_mlp_bias", variant: "geglu", both: "Wi", down: "Wo"),
  ]

  /// The halves in a request of their own, the first of them the gate.
  @Test(arguments: fused)
  func fusedHalves(_ test: Fused) async throws {
    let golden = try Golden(test.file)
    var weights: [String] = []
    for (suffix, member) in [(".weight", ""), (".bias", "_bias")] {
      guard let both = golden["\(test.both)\(suffix)"] else { continue }
      let half = both.floats.count / 2
      let shape = [both.shape[0] / 2] + both.shape.dropFirst()
      let gate = Golden.Values(shape: shape, floats: Array(both.floats[..<half]))
      let up = Golden.Values(shape: shape, floats: Array(both.floats[half...]))
      weights.append(#""gate_proj\#(member)":\#(gate.base64),"up_proj\#(member)":\#(up.base64)"#)
      weights.append(#""down_proj\#(member)":\#(try golden("\(test.down)\(suffix)").base64)"#)
    }
    let answer = await (try Harness()).ffn(
      """
      {"variant":"\(test.variant)","weights":{\(weights.joined(separator: ","))},"input":\(try golden("input").base64)}
      """)
    #expect(answer.status == 200, "\(answer.text)")
    #expect(GoldenTests.distance(answer.output, try golden("output").floats) <= (try golden.bound))
  }

  // MARK: Layers without a gate

  struct Plain: Sendable, CustomTestStringConvertible {
    let file: String
    let variant: String
    var testDescription: String { file }
  }

  static let plain = [("relu", "reglu"), ("gelu", "geglu"), ("swish", "swiglu")].flatMap { name, variant in
    ["", "_bias"].map { Plain(file: "shazeer_ffn_plain_\(name)\($0)", variant: variant) }
  }

  /// `W2·act(W1·x)` is the gated layer whose other branch is 1: no weights and a bias of ones.
  @Test(arguments: plain)
  func plainLayers(_ test: Plain) async throws {
    let golden = try Golden(test.file)
    let first = try golden("W1.weight")
    let zeros = Golden.Values(shape: first.shape, floats: Array(repeating: 0, count: first.floats.count))
    let ones = Golden.Values(shape: [first.shape[0]], floats: Array(repeating: 1, count: first.shape[0]))
    var weights = [
      #""gate_proj":\#(first.base64)"#, #""up_proj":\#(zeros.base64)"#, #""up_proj_bias":\#(ones.base64)"#,
      #""down_proj":\#(try golden("W2.weight").base64)"#,
    ]
    if let bias = golden["W1.bias"] { weights.append(#""gate_proj_bias":\#(bias.base64)"#) }
    if let bias = golden["W2.bias"] { weights.append(#""down_proj_bias":\#(bias.base64)"#) }
    let answer = await (try Harness()).ffn(
      """
      {"variant":"\(test.variant)","weights":{\(weights.joined(separator: ","))},"input":\(try golden("input").base64)}
      """)
    #expect(answer.status == 200, "\(answer.text)")
    #expect(GoldenTests.distance(answer.output, try golden("output").floats) <= (try golden.bound))
  }

  // MARK: Gates

  /// A gate that has no name is two gates one after the other.
  @Test func twoGates() async throws {
    let golden = try Golden("blog_geglu_tanh_sigmoid")
    let input = try golden("input")
    let (rows, width) = (input.shape[0], input.shape[1] / 2)
    func half(_ second: Bool) -> Golden.Values {
      var floats: [Float] = []
      for row in 0..<rows {
        let first = (2 * row + (second ? 1 : 0)) * width
        floats += input.floats[first..<first + width]
      }
      return Golden.Values(shape: [rows, width], floats: floats)
    }
    let ones = Golden.Values(shape: [rows, width], floats: Array(repeating: 1, count: rows * width))
    let harness = try Harness()
    let activated = await harness.glu(#"{"variant":"geglu_tanh","a":\#(half(false).base64),"b":\#(ones.base64)}"#)
    let inner = Golden.Values(shape: [rows, width], floats: activated.output)
    let answer = await harness.glu(#"{"variant":"glu","a":\#(inner.base64),"b":\#(half(true).base64)}"#)
    #expect(GoldenTests.distance(answer.output, try golden("output").floats) <= 2e-6)
  }

  /// transformers' activations, each through a gate whose other operand leaves it as it is. Its gelu cancels below
  /// zero, hence the absolute floor.
  @Test(arguments: [
    ("gelu", "geglu"), ("gelu_new", "geglu_tanh"), ("gelu_pytorch_tanh", "geglu_tanh"), ("quick_gelu", "geglu_quick"),
    ("silu", "swiglu"), ("relu", "reglu"), ("relu2", "relu2glu"), ("linear", "bilinear"), ("sigmoid", "glu"),
    ("tanh", "gtu"),
  ])
  func activations(_ name: String, _ variant: String) async throws {
    let golden = try Golden("activation_scalars")
    let all = zip(try golden("input").floats, try golden("output." + name).floats)
    // A square beyond float32 is no answer but a problem.
    let finite = all.filter { $1.isFinite }
    #expect(finite.count > 480)
    let x = Golden.Values(shape: [finite.count], floats: finite.map { $0.0 })
    // σ(200) is 1 in float32.
    let constant = Golden.Values(
      shape: x.shape, floats: Array(repeating: name == "tanh" ? 200 : 1, count: x.floats.count))
    let (a, b) = name == "sigmoid" ? (constant, x) : (x, constant)
    let answer = await (try Harness()).glu(#"{"variant":"\#(variant)","a":\#(a.base64),"b":\#(b.base64)}"#)
    #expect(answer.status == 200, "\(answer.text)")
    try #require(answer.output.count == finite.count)
    for (y, (x, want)) in zip(answer.output, finite) {
      let error = abs(Double(y) - Double(want))
      #expect(y == want || error <= max(1e-13, abs(Double(want)) * (2e-7 + 6e-8 * pow(abs(Double(x)), 3))), "at \(x)")
    }
  }

  /// JSON has no such numbers, and bytes that hold them are refused.
  @Test func nonFiniteInputIsRefused() async throws {
    let input = try Golden("activation_nonfinite")("input")
    #expect(input.floats.allSatisfy { !$0.isFinite })
    let harness = try Harness()
    let literal = await harness.glu(#"{"variant":"swiglu","a":[Infinity],"b":[1]}"#)
    #expect(literal.status == 400 && literal.problem == "malformed-json")
    for value in input.floats {
      let tensor = Golden.Values(shape: [1], floats: [value])
      let answer = await harness.glu(#"{"variant":"swiglu","a":\#(tensor.base64),"b":[1]}"#)
      #expect(answer.status == 422 && answer.problem == "non-finite-input", "\(answer.text)")
    }
  }

  // MARK: Full size

  /// SplitMix64, as the goldens' makers count it.
  private static func values(seed: UInt64, count: Int, scale: Float, into bytes: inout Data) {
    var state = seed
    var floats = [Float](repeating: 0, count: count)
    floats.withUnsafeMutableBufferPointer { floats in
      for i in 0..<count {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        z ^= z >> 31
        floats[i] = (Float(z >> 40) * 0x1p-23 - 1) * scale
      }
    }
    floats.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }

  /// The layers of Llama 3.2 1B and Gemma 2B in full size, from a checkpoint made anew from its counters.
  @Test(.serialized, arguments: [("big_llama_2048x8192", "swiglu"), ("big_gemma_2048x8192", "geglu_tanh")])
  func fullSize(_ name: String, _ variant: String) async throws {
    let golden = try Golden(name)
    let elements = 2048 * 8192
    let tensors = ["gate_proj", "up_proj", "down_proj"].enumerated().map { place, name in
      """
      "\(name).weight":{"dtype":"F32","shape":\(name == "down_proj" ? [2048, 8192] : [8192, 2048]),\
      "data_offsets":[\(4 * elements * place),\(4 * elements * (place + 1))]}
      """
    }
    let header = #"{"__metadata__":{"variant":"\#(variant)"},\#(tensors.joined(separator: ","))}"#
    var file = Data()
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { file.append(contentsOf: $0) }
    file += Data(header.utf8)
    for (seed, scale) in [(1, Float(0x1p-5)), (2, 0x1p-5), (3, 0x1p-6)] {
      Self.values(seed: UInt64(seed), count: elements, scale: scale, into: &file)
    }
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: url) }
    try file.write(to: url)
    let harness = try Harness([.init(name: "big", source: .checkpoint(path: url.path))])
    let answer = await harness.ffn(#"{"input":\#(try golden("input").base64)}"#)
    #expect(answer.status == 200, "\(answer.text.prefix(400))")
    #expect(answer.json["variant"] as? String == variant)
    #expect(GoldenTests.distance(answer.output, try golden("output").floats) <= (try golden.bound))
  }
}

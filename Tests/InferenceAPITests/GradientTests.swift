import Foundation
import InferenceAPI
import Testing

/// POST /v1/ffn/gradient: the vector–Jacobian product of layers that are served, and of weights in the request.
@Suite struct GradientTests {
  static let forever = Duration.seconds(3600)

  static func gradient(_ harness: Harness, _ json: String) async -> Answer {
    await harness.send(Harness.post("/v1/ffn/gradient", json))
  }

  static func weights(_ answer: Answer) -> [String: Any] { answer.json["grad_weights"] as? [String: Any] ?? [:] }

  static func gradInput(_ answer: Answer) -> [Float] { Answer.floats(answer.json["grad_input"]) }

  /// To within what float32 sums of this size round off.
  static func isGolden(_ found: [Float], _ expected: [Float]) -> Bool {
    GoldenTests.distance(found, expected) <= 1e-6 * max(1, expected.map { Double(abs($0)) }.max() ?? 1)
  }

  @Test(
    arguments: ["bilinear", "geglu", "geglu_tanh", "glu", "gtu", "reglu", "swiglu"].flatMap { [$0, $0 + "_bias"] },
    ["nested", "flat", "base64"])
  func publishedGradients(_ name: String, _ form: String) async throws {
    let golden = try Golden("grad_ffn_" + name)
    let variant = name.hasSuffix("_bias") ? String(name.dropLast("_bias".count)) : name
    // gtu's activated value is W; in the others W is what is activated.
    let names = [
      ("gate_proj", variant == "gtu" ? "V" : "W"), ("up_proj", variant == "gtu" ? "W" : "V"), ("down_proj", "W2"),
    ]
    var weights: [String] = []
    for (member, tensor) in names {
      weights.append("\"\(member)\":\(try golden(tensor + ".weight").inForm(form))")
      if let bias = golden[tensor + ".bias"] { weights.append("\"\(member)_bias\":\(bias.inForm(form))") }
    }
    let answer = await Self.gradient(
      try Harness(),
      """
      {"variant":"\(variant)","weights":{\(weights.joined(separator: ","))},"input":\(try golden("input").inForm(form)),
      "grad_output":\(try golden("grad_output").inForm(form)),"weights_gradient":true}
      """)
    #expect(answer.status == 200)
    #expect(Self.isGolden(answer.output, try golden("output").floats))
    #expect(Self.isGolden(Self.gradInput(answer), try golden("grad.input").floats))
    #expect(Answer.shape(answer.json["grad_input"]) == (try golden("input").shape))
    #expect(Self.weights(answer).count == weights.count)
    for (member, tensor) in names {
      let expected = try golden("grad.\(tensor).weight")
      let found = Self.weights(answer)[member]
      #expect(Answer.shape(found) == expected.shape)
      #expect(Self.isGolden(Answer.floats(found), expected.floats), "\(member)")
      if let bias = golden["grad.\(tensor).bias"] {
        let found = Self.weights(answer)[member + "_bias"]
        #expect(Self.isGolden(Answer.floats(found), bias.floats), "\(member)_bias")
      }
    }
  }

  /// Each gate of the demo model, by central differences of its formula in float64.
  @Test(arguments: variants)
  func servedLayersAreDifferentiated(_ variant: String) async throws {
    let input = [0.53, -1.07, 0.71, 0.29]
    let gradOutput = [1.0, -0.5, 0.25, 2.0]
    let oracle = Oracle.demo(variant)
    func loss(_ x: [Double]) -> Double { zip(oracle.apply(x).output, gradOutput).reduce(0) { $0 + $1.0 * $1.1 } }
    let slopes = input.indices.map { index in
      var (above, below) = (input, input)
      above[index] += 1e-5
      below[index] -= 1e-5
      return (loss(above) - loss(below)) / 2e-5
    }
    let harness = try Harness()
    let body = #""layer":"\#(variant)","input":[\#(input)]"#
    let answer = await Self.gradient(
      harness, #"{\#(body),"grad_output":[\#(gradOutput)],"activations":["gate","hidden"],"id":"g"}"#)
    #expect(answer.status == 200)
    #expect(isClose(Self.gradInput(answer), slopes, tolerance: 1e-4))
    #expect(answer.json["grad_weights"] == nil)
    #expect(answer.json["id"] as? String == "g" && answer.json["layer"] as? String == variant)
    // What the forward pass alone answers, bit for bit.
    let forward = await harness.ffn(#"{\#(body),"activations":["gate","hidden"]}"#)
    #expect(answer.output == forward.output)
    #expect(answer.activation("hidden") == forward.activation("hidden"))
    #expect(answer.activation("gate") == forward.activation("gate"))
  }

  @Test func gradientsOfWeightsThatTheLayerHas() async throws {
    let harness = try Harness()
    let served = await Self.gradient(
      harness, #"{"input":[1,2,3,4],"grad_output":[1,1,1,1],"weights_gradient":true}"#)
    #expect(Set(Self.weights(served).keys) == ["gate_proj", "up_proj", "down_proj"])
    #expect(Answer.shape(Self.weights(served)["down_proj"]) == [4, 8])
    let given = await Self.gradient(
      harness,
      """
      {"variant":"bilinear","weights":{"gate_proj":[[2]],"up_proj":[[3]],"up_proj_bias":[1]},"input":[[5],[7]],
      "grad_output":[[1],[10]],"weights_gradient":true}
      """)
    // y = 2x·(3x + 1): ∂y/∂x = 12x + 2, ∂/∂gate = x·(3x + 1), ∂/∂up = 2x·x, ∂/∂bias = 2x.
    #expect(given.output == [160, 308])
    #expect(Self.gradInput(given) == [62, 860])
    #expect(Answer.floats(Self.weights(given)["gate_proj"]) == [5 * 16 + 70 * 22])
    #expect(Answer.floats(Self.weights(given)["up_proj"]) == [50 + 980])
    #expect(Answer.floats(Self.weights(given)["up_proj_bias"]) == [10 + 140])
    #expect(Self.weights(given).count == 3)
    #expect(given.json["model"] == nil && given.json["layer"] == nil)
  }

  /// Requests for one layer share a batch; those that ask for the weights' gradients are computed alone.
  @Test func joinedRowsGiveTheBitsOfEachAlone() async throws {
    let alone = try Harness()
    let together = try Harness(maxBatchRows: 12, batchDelay: Self.forever)
    let bodies = (0..<6).map { seed in
      let (x, g) = (BatchTests.row(seed), BatchTests.row(seed + 40))
      return #"{"layer":"geglu","input":[\#(x),\#(g)],"grad_output":[\#(g),\#(x)],"activations":["up"]}"#
    }
    let exchanges = bodies.map { together.start(Harness.post("/v1/ffn/gradient", $0)) }
    for (body, exchange) in zip(bodies, exchanges) {
      let joined = Answer(await exchange.response())
      #expect(joined.status == 200)
      #expect(joined.untimed == (await Self.gradient(alone, body)).untimed)
      #expect((joined.json["timing"] as? [String: Int])?["batch_requests"] == 6)
    }
    let withWeights = bodies.map { $0.dropLast() + #","weights_gradient":true}"# }
    let busy = try Harness(maxBatchRows: 64, batchDelay: .zero)
    for exchange in withWeights.map({ busy.start(Harness.post("/v1/ffn/gradient", String($0))) }) {
      let answer = Answer(await exchange.response())
      #expect((answer.json["timing"] as? [String: Int])?["batch_requests"] == 1)
    }
  }

  @Test func bytesAreTheSameWhereverTheyAreReadAndPrinted() async throws {
    let inline = try Harness {
      $0.inline.bodyBytes = .max
      $0.inline.replyNumbers = .max
    }
    let handedOver = try Harness {
      $0.inline.bodyBytes = 0
      $0.inline.replyNumbers = 0
    }
    let rows = (0..<300).map(BatchTests.row).joined(separator: ",")
    for encoding in ["nested", "base64"] {
      let body = #"{"input":[\#(rows)],"grad_output":[\#(rows)],"weights_gradient":true,"encoding":"\#(encoding)"}"#
      let (one, other) = (await Self.gradient(inline, body), await Self.gradient(handedOver, body))
      #expect(one.status == 200)
      #expect(one.untimed == other.untimed)
    }
  }

  static let given = #""variant":"glu","weights":{"gate_proj":[[1,2],[3,4],[5,6]],"up_proj":[[1,2],[3,4],[5,6]]}"#

  @Test(arguments: [
    RuleTests.Refusal(#"{"input":[1,2,3,4]}"#, 422, "missing-member", "/grad_output"),
    RuleTests.Refusal(#"{"grad_output":[1,2,3,4]}"#, 422, "missing-member", "/input"),
    RuleTests.Refusal(#"{"input":[1,2,3,4],"grad_output":1}"#, 422, "invalid-value", "/grad_output"),
    RuleTests.Refusal(#"{"input":[1,2,3,4],"grad_output":[1,2,3]}"#, 422, "shape-mismatch", "/grad_output"),
    RuleTests.Refusal(#"{"input":[1,2,3,4],"grad_output":[[1,2,3,4]]}"#, 422, "shape-mismatch", "/grad_output"),
    RuleTests.Refusal(
      #"{"input":[[1,2,3,4]],"grad_output":[[1,2,3,4],[1,2,3,4]]}"#, 422, "shape-mismatch", "/grad_output"),
    RuleTests.Refusal(#"{"input":[1,2,3],"grad_output":[1,2,3]}"#, 422, "shape-mismatch", "/input"),
    RuleTests.Refusal(#"{"input":[1,2,3,4],"grad_output":[1,2,3,1e39]}"#, 422, "non-finite-input", "/grad_output/3"),
    RuleTests.Refusal(
      #"{"input":[1,2,3,4],"grad_output":[1,2,3,4],"weights_gradient":1}"#, 422, "invalid-value", "/weights_gradient"),
    RuleTests.Refusal(
      #"{"input":[1,2,3,4],"grad_output":[1,2,3,4],"grad":1}"#, 422, "unknown-member", "/grad"),
    RuleTests.Refusal(
      #"{"input":[1,2,3,4],"grad_output":[1,2,3,4],"grad_output":[1,2,3,4]}"#, 422, "duplicate-member", "/grad_output"),
    RuleTests.Refusal(#"{"layer":99,"input":[1],"grad_output":[1]}"#, 404, "unknown-layer", "/layer"),
    RuleTests.Refusal(#"{"model":"x","input":[1],"grad_output":[1]}"#, 404, "unknown-model", "/model"),
    // Without a down projection the output is as wide as the gate.
    RuleTests.Refusal(#"{"input":[1,2],"grad_output":[1,2],\#(given)}"#, 422, "shape-mismatch", "/grad_output"),
    RuleTests.Refusal(
      #"{"input":[1,2,3,4],"grad_output":[1,2,3,4],"experts":{"indices":[0],"weights":[1]}}"#, 422,
      "conflicting-member", "/experts"),
    RuleTests.Refusal(#"{"input":[1,2,3,4],"grad_output":[1,2,3,4]"#, 400, "malformed-json", offset: 42),
  ])
  func refusals(_ test: RuleTests.Refusal) async throws {
    let answer = await Self.gradient(try Harness(), test.body)
    #expect(answer.status == test.status, "\(answer.text)")
    #expect(answer.problem == test.problem)
    #expect(answer.pointer == test.pointer)
    #expect(answer.offset == test.offset)
  }

  /// The members of a question for gradients belong to this path alone.
  @Test(arguments: [#""grad_output":[1,2,3,4]"#, #""weights_gradient":true"#])
  func forwardPassKnowsNoGradients(_ member: String) async throws {
    let answer = await (try Harness()).ffn(#"{"input":[1,2,3,4],\#(member)}"#)
    #expect(answer.status == 422 && answer.problem == "unknown-member")
  }

  /// max(0, x)′ is 0 at 0, and a gradient beyond float32 is named by its place.
  @Test func specialValues() async throws {
    let harness = try Harness()
    func body(_ x: String, _ g: String) -> String {
      """
      {"variant":"reglu","weights":{"gate_proj":[[1]],"up_proj":[[0]],"up_proj_bias":[2]},"input":\(x),
      "grad_output":\(g),"weights_gradient":true}
      """
    }
    #expect(
      Self.gradInput(await Self.gradient(harness, body("[[0],[-0.0],[-3],[1e-45],[3]]", "[[1],[1],[1],[1],[1]]")))
        == [0, 0, 0, 2, 2])
    // y = 2·max(0, x): the output is finite, its gradients are not.
    let beyond = await Self.gradient(harness, body("[[1],[3]]", "[[1],[3e38]]"))
    #expect(beyond.status == 422 && beyond.problem == "non-finite-output")
    #expect(beyond.json["tensor"] as? String == "grad_input" && beyond.json["index"] as? [Int] == [1, 0])
    let sum = await Self.gradient(harness, body("[[1e20],[1e20]]", "[[1e18],[1e18]]"))
    #expect(sum.status == 422 && sum.json["tensor"] as? String == "grad_weights.gate_proj")
    #expect(sum.json["index"] as? [Int] == [0, 0])
  }

  @Test func repliesAreBounded() async throws {
    let harness = try Harness { $0.resultElementsLimit = 104 }
    let rows = (0..<14).map(BatchTests.row).joined(separator: ",")
    let many = await Self.gradient(harness, #"{"input":[\#(rows)],"grad_output":[\#(rows)]}"#)
    #expect(many.status == 422 && many.problem == "invalid-value" && many.pointer == "/input")
    let weights = await Self.gradient(
      harness, #"{"input":[1,2,3,4],"grad_output":[1,2,3,4],"weights_gradient":true}"#)
    #expect(weights.status == 200)
    let narrow = await Self.gradient(
      try Harness { $0.resultElementsLimit = 103 },
      #"{"input":[1,2,3,4],"grad_output":[1,2,3,4],"weights_gradient":true}"#)
    #expect(narrow.status == 422 && narrow.problem == "invalid-value" && narrow.pointer == "/weights_gradient")
  }

  @Test func requestPastItsDeadlineIsNotComputed() async throws {
    let harness = try Harness(batchDelay: Self.forever)
    let answer = await Self.gradient(harness, #"{"input":[1,2,3,4],"grad_output":[1,2,3,4],"timeout_ms":1}"#)
    #expect(answer.status == 504 && answer.problem == "deadline-exceeded")
  }

  /// The transposed weights show in the model's bytes once there has been a gradient.
  @Test func transposedWeightsAreCounted() async throws {
    let harness = try Harness()
    func bytes() async -> Int { ((await harness.get("/v1/models/demo")).json["bytes"] as? Int) ?? 0 }
    let before = await bytes()
    _ = await harness.ffn(#"{"input":[1,2,3,4]}"#)
    #expect(await bytes() == before)
    _ = await Self.gradient(harness, #"{"input":[1,2,3,4],"grad_output":[1,2,3,4]}"#)
    #expect(await bytes() > before)
  }
}

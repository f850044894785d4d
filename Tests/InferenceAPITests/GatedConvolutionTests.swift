import Foundation
import InferenceAPI
import Testing

/// POST /v1/gated-conv: gated convolutions with weights in the request, and from checkpoints.
@Suite struct GatedConvolutionTests {
  static func convolve(_ harness: Harness, _ json: String) async -> Answer {
    await harness.send(Harness.post("/v1/gated-conv", json))
  }

  /// `[batch, channels, time]`, as torch has it, turned to `[batch, time, channels]`.
  static func sequences(_ values: Golden.Values) -> Golden.Values {
    let (batch, channels, length) = (values.shape[0], values.shape[1], values.shape[2])
    return Golden.Values(
      shape: [batch, length, channels],
      floats: (0..<values.floats.count).map { place in
        let (b, t, c) = (place / (length * channels), place / channels % length, place % channels)
        return values.floats[(b * channels + c) * length + t]
      })
  }

  static let goldens = ["glu", "gtu"].flatMap { gate in [1, 3, 4].map { "dauphin_\(gate)_conv_k\($0)" } }

  @Test(arguments: goldens, ["nested", "flat", "base64"])
  func weightsInTheRequest(_ file: String, _ form: String) async throws {
    let golden = try Golden(file)
    let input = Self.sequences(try golden("input"))
    let answer = await Self.convolve(
      try Harness(),
      """
      {"variant":"\(file.contains("glu") ? "glu" : "gtu")","weights":{"conv":\(try golden("conv.weight").inForm(form)),
      "bias":\(try golden("conv.bias").inForm(form))},"input":\(input.inForm(form)),"id":"c"}
      """)
    #expect(answer.status == 200, "\(answer.text)")
    let expected = Self.sequences(try golden("output"))
    #expect(Answer.shape(answer.json["output"]) == expected.shape)
    #expect(GoldenTests.distance(answer.output, expected.floats) <= (try golden.bound))
    #expect(answer.json["id"] as? String == "c" && answer.json["model"] == nil)
    #expect((answer.json["timing"] as? [String: Int])?["batch_rows"] == 22)
  }

  /// Serves a checkpoint that a test has written.
  static func serve(
    _ tensors: [(name: String, values: Golden.Values)], metadata: [String: String] = [:], maxBatchRows: Int = 64,
    batchDelay: Duration = .zero
  ) throws -> Harness {
    let url = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
    try Golden.write(tensors, metadata: metadata, to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try Harness(
      [
        GivenModel(name: "conv", source: .checkpoint(path: url.path)),
        GivenModel(name: "demo", source: .demo),
      ], maxBatchRows: maxBatchRows, batchDelay: batchDelay)
  }

  @Test(arguments: goldens)
  func checkpointWithOneConvolution(_ file: String) async throws {
    let golden = try Golden(file)
    let variant = file.contains("glu") ? "glu" : "gtu"
    let harness = try Self.serve(
      [("conv.weight", try golden("conv.weight")), ("conv.bias", try golden("conv.bias"))],
      metadata: variant == "glu" ? [:] : ["variant": variant])
    let answer = await Self.convolve(harness, #"{"input":\#(Self.sequences(try golden("input")).nested)}"#)
    #expect(answer.status == 200, "\(answer.text)")
    #expect(GoldenTests.distance(answer.output, Self.sequences(try golden("output")).floats) <= (try golden.bound))
    #expect(answer.json["model"] as? String == "conv" && answer.json["layer"] as? String == "conv")
    #expect(answer.json["variant"] as? String == variant)

    let model = (await harness.get("/v1/models/conv")).json
    let layer = try #require((model["layers"] as? [[String: Any]])?.first)
    #expect(model["family"] as? String == "gated_conv")
    #expect(layer["kind"] as? String == "gated_convolution")
    #expect(layer["channels_in"] as? Int == 16 && layer["channels_out"] as? Int == 24)
    #expect(layer["kernel_widths"] as? [Int] == [Int(String(file.last!))!])
    #expect(layer["d_model"] == nil)
  }

  /// Both names of weight norm, whose magnitudes are the norms of the golden's own kernel.
  @Test(arguments: [
    ("conv.weight_g", "conv.weight_v"),
    ("conv.parametrizations.weight.original0", "conv.parametrizations.weight.original1"),
  ])
  func weightNormIsResolvedAtLoad(_ magnitude: String, _ direction: String) async throws {
    let golden = try Golden("dauphin_glu_conv_k3")
    let kernel = try golden("conv.weight")
    let norms = (0..<48).map { c in
      Float(kernel.floats[c * 48..<(c + 1) * 48].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot())
    }
    let harness = try Self.serve([
      (magnitude, Golden.Values(shape: [48, 1, 1], floats: norms)),
      (direction, Golden.Values(shape: kernel.shape, floats: kernel.floats.map { $0 * 4 })),
      ("conv.bias", try golden("conv.bias")),
    ])
    let answer = await Self.convolve(harness, #"{"input":\#(Self.sequences(try golden("input")).nested)}"#)
    #expect(GoldenTests.distance(answer.output, Self.sequences(try golden("output")).floats) <= 2 * (try golden.bound))
  }

  /// Two layers of one channel and width 1 that keep the channels: y = x + 2x·σ(0) and again, or without the sums.
  @Test(arguments: [(nil, 4.0 as Float), ("blocks", 4), ("none", 1)])
  func stack(_ residual: String?, _ factor: Float) async throws {
    let kernel = Golden.Values(shape: [2, 1, 1], floats: [2, 0])
    let harness = try Self.serve(
      [("layers.0.conv.weight", kernel), ("layers.1.conv.weight", kernel)],
      metadata: residual.map { ["residual": $0] } ?? [:])
    let answer = await Self.convolve(harness, #"{"input":[[1],[-3],[0.5]]}"#)
    #expect(answer.output == [factor, -3 * factor, 0.5 * factor], "\(answer.text)")
    #expect(answer.json["layer"] as? String == "layers")
  }

  /// The same in a request.
  @Test(arguments: [("", 4.0 as Float), (#","residual":"blocks""#, 4), (#","residual":"none""#, 1)])
  func stackInTheRequest(_ residual: String, _ factor: Float) async throws {
    let layer = #"{"conv":[[[2]],[[0]]]}"#
    let answer = await Self.convolve(
      try Harness(), #"{"variant":"glu","weights":[\#(layer),\#(layer)],"input":[[1],[-3],[0.5]]\#(residual)}"#)
    #expect(answer.output == [factor, -3 * factor, 0.5 * factor], "\(answer.text)")
    let single = await Self.convolve(
      try Harness(), #"{"variant":"glu","weights":[\#(layer)],"input":[[1],[-3],[0.5]]\#(residual)}"#)
    #expect(single.output == [1, -3, 0.5])
  }

  /// A bottleneck (3 → 2 → 3 channels, widths 1, 3 and 2) and a layer that leaves its channels, against the formula in
  /// float64.
  @Test(arguments: ["glu", "gtu"])
  func stackAgainstTheFormula(_ variant: String) async throws {
    let shapes: [(inputs: Int, outputs: Int, width: Int)] = [(3, 2, 1), (2, 2, 3), (2, 3, 2), (3, 4, 2)]
    var state: UInt64 = 5
    func floats(_ count: Int) -> [Float] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) * 0x1p-23 - 1
      }
    }
    let layers = shapes.map { (conv: floats(2 * $0.outputs * $0.inputs * $0.width), bias: floats(2 * $0.outputs)) }
    let input = floats(7 * 3)
    func convolve(_ x: [[Double]], _ layer: Int) -> [[Double]] {
      let (inputs, outputs, width) = shapes[layer]
      return x.indices.map { time in
        let sums = (0..<2 * outputs).map { output in
          var sum = Double(layers[layer].bias[output])
          for tap in 0..<width where time - width + 1 + tap >= 0 {
            for channel in 0..<inputs {
              let weight = Double(layers[layer].conv[(output * inputs + channel) * width + tap])
              sum += weight * x[time - width + 1 + tap][channel]
            }
          }
          return sum
        }
        return (0..<outputs).map { output in
          let gate = 1 / (1 + exp(-sums[outputs + output]))
          return (variant == "gtu" ? tanh(sums[output]) : sums[output]) * gate
        }
      }
    }
    let rows = (0..<7).map { row in input[(row * 3)..<(row * 3 + 3)].map(Double.init) }
    let block = convolve(convolve(convolve(rows, 0), 1), 2)
    let expected = convolve(zip(block, rows).map { zip($0, $1).map(+) }, 3)
    let weights = zip(shapes, layers).map { (shape, layer) -> String in
      let conv = Golden.Values(shape: [2 * shape.outputs, shape.inputs, shape.width], floats: layer.conv)
      return #"{"conv":\#(conv.nested),"bias":\#(layer.bias)}"#
    }.joined(separator: ",")
    let sequence = Golden.Values(shape: [7, 3], floats: input).nested
    let answer = await Self.convolve(
      try Harness(), #"{"variant":"\#(variant)","weights":[\#(weights)],"input":\#(sequence)}"#)
    #expect(answer.status == 200, "\(answer.text)")
    #expect(Answer.shape(answer.json["output"]) == [7, 4])
    #expect(GoldenTests.distance(answer.output, expected.flatMap { $0 }.map { Float($0) }) <= 2e-6)
  }

  @Test func joinedSequencesGiveTheBitsOfEachAlone() async throws {
    let golden = try Golden("dauphin_gtu_conv_k4")
    let tensors = [("conv.weight", try golden("conv.weight")), ("conv.bias", try golden("conv.bias"))]
    let alone = try Self.serve(tensors, metadata: ["variant": "gtu"])
    let together = try Self.serve(
      tensors, metadata: ["variant": "gtu"], maxBatchRows: 3 + 22 + 5 + 1, batchDelay: BatchTests.forever)
    let batch = Self.sequences(try golden("input"))
    let bodies = [
      Golden.Values(shape: [3, 16], floats: Array(batch.floats[..<48])), batch,
      Golden.Values(shape: [5, 16], floats: Array(batch.floats[64..<144])),
      Golden.Values(shape: [1, 1, 16], floats: Array(batch.floats[100..<116])),
    ].map { #"{"input":\#($0.nested)}"# }
    let exchanges = bodies.map { together.start(Harness.post("/v1/gated-conv", $0)) }
    for (body, exchange) in zip(bodies, exchanges) {
      let joined = Answer(await exchange.response())
      #expect(joined.status == 200)
      #expect(joined.untimed == (await Self.convolve(alone, body)).untimed)
      #expect((joined.json["timing"] as? [String: Int])?["batch_requests"] == 4)
    }
  }

  static let given = #""variant":"glu","weights":{"conv":[[[1,2]],[[0,0]]],"bias":[0,0]}"#

  @Test func byHand() async throws {
    let answer = await Self.convolve(try Harness(), #"{\#(Self.given),"input":[[1],[10],[100]]}"#)
    // σ(0)·(2x_t + x_{t−1})
    #expect(answer.output == [1, 10.5, 105])
    let empty = await Self.convolve(try Harness(), #"{\#(Self.given),"input":[[3e38]]}"#)
    #expect(empty.status == 422 && empty.problem == "non-finite-output")
    #expect(empty.json["index"] as? [Int] == [0, 0])
  }

  @Test(arguments: [
    RuleTests.Refusal(#"{\#(given)}"#, 422, "missing-member", "/input"),
    RuleTests.Refusal(#"{"input":[[1]],"variant":"glu"}"#, 422, "conflicting-member", "/variant"),
    RuleTests.Refusal(#"{"input":[[1]],"weights":{"conv":[[[1]],[[1]]]}}"#, 422, "missing-member", "/variant"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"swiglu","weights":{"conv":[[[1]],[[1]]]}}"#, 422, "invalid-value", "/variant"),
    RuleTests.Refusal(#"{\#(given),"input":[[1]],"model":"demo"}"#, 422, "conflicting-member", "/model"),
    RuleTests.Refusal(#"{\#(given),"input":[[1]],"layer":0}"#, 422, "conflicting-member", "/layer"),
    RuleTests.Refusal(#"{\#(given),"input":[[1]],"activations":[]}"#, 422, "unknown-member", "/activations"),
    RuleTests.Refusal(#"{\#(given),"input":[1]}"#, 422, "shape-mismatch", "/input"),
    RuleTests.Refusal(#"{\#(given),"input":[[1,2]]}"#, 422, "shape-mismatch", "/input"),
    RuleTests.Refusal(#"{\#(given),"input":[[[[1]]]]}"#, 422, "shape-mismatch", "/input"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":{"bias":[1,1]}}"#, 422, "missing-member", "/weights/conv"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":{"conv":[[1],[1]]}}"#, 422, "shape-mismatch", "/weights/conv"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":{"conv":[[[1]],[[1]],[[1]]]}}"#, 422, "shape-mismatch",
      "/weights/conv"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":{"conv":[[[1]],[[1]]],"bias":[1]}}"#, 422, "shape-mismatch",
      "/weights/bias"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":{"conv":[[[1]],[[1]]],"bias":[[1,1]]}}"#, 422, "shape-mismatch",
      "/weights/bias"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":{"conv":[[[1]],[[1]]],"kernel":1}}"#, 422, "unknown-member",
      "/weights/kernel"),
    RuleTests.Refusal(#"{"input":[[1]],"residual":"none"}"#, 422, "conflicting-member", "/residual"),
    RuleTests.Refusal(#"{\#(given),"input":[[1]],"residual":"some"}"#, 422, "invalid-value", "/residual"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":[]}"#, 422, "missing-member", "/weights/0"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":[{"conv":[[[1]],[[1]]]},{"bias":[1,1]}]}"#, 422, "missing-member",
      "/weights/1/conv"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":[{"conv":[[[1]],[[1]]]},{"conv":[[[1],[1]],[[1],[1]]]}]}"#, 422,
      "shape-mismatch", "/weights/1/conv"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":[{"conv":[[[1]],[[1]]]},{"conv":[[[1]],[[1]]],"bias":[1]}]}"#, 422,
      "shape-mismatch", "/weights/1/bias"),
    RuleTests.Refusal(
      #"{"input":[[1]],"variant":"glu","weights":[{"conv":[[1],[1]]}]}"#, 422, "shape-mismatch", "/weights/0/conv"),
    RuleTests.Refusal(#"{"input":[[1,2,3,4]]}"#, 422, "conflicting-member", "/layer"),
    RuleTests.Refusal(#"{"input":[[1,2,3,4]],"model":"x"}"#, 404, "unknown-model", "/model"),
    RuleTests.Refusal(#"{"input":[[1,2,3,4]],"layer":77}"#, 404, "unknown-layer", "/layer"),
    RuleTests.Refusal(#"{\#(given),"input":[[1]]"#, 400, "malformed-json", offset: 80),
  ])
  func refusals(_ test: RuleTests.Refusal) async throws {
    let answer = await Self.convolve(try Harness(), test.body)
    #expect(answer.status == test.status, "\(answer.text)")
    #expect(answer.problem == test.problem)
    #expect(answer.pointer == test.pointer)
    #expect(answer.offset == test.offset)
  }

  @Test func convolutionsAreNoFeedForwardLayers() async throws {
    let harness = try Self.serve([("conv.weight", Golden.Values(shape: [2, 1, 1], floats: [1, 1]))])
    let forward = await harness.ffn(#"{"input":[[1]]}"#)
    #expect(forward.status == 422 && forward.problem == "conflicting-member" && forward.pointer == "/layer")
    let gradient = await GradientTests.gradient(harness, #"{"input":[[1]],"grad_output":[[1]]}"#)
    #expect(gradient.status == 422 && gradient.problem == "conflicting-member")
    let layer = await Self.convolve(harness, #"{"model":"demo","input":[[1,2,3,4]]}"#)
    #expect(layer.status == 422 && layer.problem == "conflicting-member" && layer.pointer == "/layer")
    #expect((await harness.ffn(#"{"model":"demo","input":[1,2,3,4]}"#)).status == 200)
  }

  @Test func requestsAreBounded() async throws {
    let harness = try Harness {
      $0.resultElementsLimit = 10
      $0.multiplyAddsLimit = 60
    }
    func answer(_ length: Int) async -> Answer {
      let input = [String](repeating: "[1]", count: length).joined(separator: ",")
      return await Self.convolve(harness, #"{\#(Self.given),"input":[\#(input)]}"#)
    }
    #expect((await answer(10)).status == 200)
    let many = await answer(11)
    #expect(many.status == 422 && many.problem == "invalid-value" && many.pointer == "/input")
    // 4 multiply–adds a position, and a position of history between sequences: 15 in all.
    let sequences = await Self.convolve(
      harness, #"{\#(Self.given),"input":[\#([String](repeating: "[[1]]", count: 9).joined(separator: ","))]}"#)
    #expect(sequences.status == 422 && sequences.pointer == "/input")
  }
}

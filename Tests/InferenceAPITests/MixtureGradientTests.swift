import Foundation
import InferenceAPI
import Testing

/// POST /v1/ffn/gradient of mixtures; FeedForwardTests hold the numbers against a formula in float64.
@Suite struct MixtureGradientTests {
  static func floats(_ answer: Answer, _ member: String) -> [Float] { Answer.floats(answer.json[member]) }

  static func product(_ a: ArraySlice<Float>, _ b: [Float]) -> Double {
    var sum = 0.0
    for (x, y) in zip(a, b) { sum += Double(x) * Double(y) }
    return sum
  }

  /// What PyTorch's autograd finds for the published models' own code (scripts/make-goldens.py).
  @Test(arguments: MixtureTests.cases.filter { $0.file != "mixtral_moe_fused" })
  func publishedGradients(_ test: MixtureTests.Case) async throws {
    let (golden, gradients) = (try Golden(test.file), try Golden(test.file, of: "InferenceAPITests"))
    let harness = try MixtureTests.with(test) { try Harness($0) }
    let answer = await GradientTests.gradient(
      harness,
      """
      {"input":\(try golden("input").base64),"grad_output":\(try gradients("grad_output").base64),
      "encoding":"nested","weights_gradient":true}
      """)
    #expect(answer.status == 200, "\(answer.text)")
    #expect(GradientTests.isGolden(answer.output, try golden("output").floats))
    #expect(GradientTests.isGolden(GradientTests.gradInput(answer), try gradients("grad_input").floats))
    let weights = GradientTests.weights(answer)
    for (name, expected) in gradients.tensors where name != "grad_output" && name != "grad_input" {
      #expect(Answer.shape(weights[name]) == expected.shape, "\(name)")
      #expect(GradientTests.isGolden(Answer.floats(weights[name]), expected.floats), "\(name)")
    }
  }

  /// The gradient by the input is the slope of the served forward pass, wherever the choice does not change.
  @Test(arguments: MixtureTests.cases)
  func gradientIsTheSlopeOfTheForwardPass(_ test: MixtureTests.Case) async throws {
    let golden = try Golden(test.file)
    let harness = try MixtureTests.with(test) { try Harness($0) }
    let row = Array(try golden("input").floats[..<64])
    let gradOutput = Array(try golden("output").floats[..<64])
    let body = #""grad_output":\#(gradOutput),\#(MixtureTests.router)"#
    let answer = await GradientTests.gradient(harness, #"{"input":\#(row),\#(body)}"#)
    #expect(answer.status == 200, "\(answer.text)")
    let forward = await harness.ffn(#"{"input":\#(row),\#(MixtureTests.router)}"#)
    #expect(answer.output == forward.output)
    #expect(answer.activation("expert_weights") == forward.activation("expert_weights"))
    #expect(answer.activation("expert_indices") == forward.activation("expert_indices"))
    let gradInput = Self.floats(answer, "grad_input")
    try #require(gradInput.count == 64)
    let size = gradInput.map(abs).max()!
    for index in stride(from: 0, to: 64, by: 9) {
      let step: Float = 0x1p-7
      var (above, below) = (row, row)
      above[index] += step
      below[index] -= step
      let ends = await harness.ffn(#"{"input":[\#(above),\#(below)],\#(MixtureTests.router)}"#)
      let choice = answer.activation("expert_indices").sorted()
      let choices = ends.activation("expert_indices")
      guard choices.prefix(test.topK).sorted() == choice, choices.suffix(test.topK).sorted() == choice else { continue }
      let difference = Self.product(ends.output[..<64], gradOutput) - Self.product(ends.output[64...], gradOutput)
      let slope = difference / (Double(above[index]) - Double(below[index]))
      #expect(abs(slope - Double(gradInput[index])) <= 1e-3 * Double(size), "\(index)")
    }
  }

  @Test(arguments: MixtureTests.cases)
  func weightsHaveTheirNamesAndShapes(_ test: MixtureTests.Case) async throws {
    let golden = try Golden(test.file)
    let harness = try MixtureTests.with(test) { try Harness($0) }
    let rows = try golden("input").nested
    let answer = await GradientTests.gradient(
      harness, #"{"input":\#(rows),"grad_output":\#(rows),"weights_gradient":true}"#)
    #expect(answer.status == 200, "\(answer.text)")
    let weights = GradientTests.weights(answer)
    #expect(Answer.shape(weights["router"]) == [8, 64])
    let isGptOss = test.file.hasPrefix("gpt_oss")
    #expect((weights["router_bias"] != nil) == isGptOss)
    #expect((0..<8).allSatisfy { weights["experts.\($0).gate_proj"] != nil })
    #expect((weights["experts.7.down_proj_bias"] != nil) == isGptOss)
    #expect((weights["shared.up_proj"] != nil) == test.hasShared)
    #expect((weights["shared_gate"] != nil) == test.file.hasPrefix("qwen2"))
    #expect(weights["output_bias"] == nil)
    // Alone or among others: the sum over the rows is the sum of each one's.
    let input = try golden("input")
    var sum = [Float](repeating: 0, count: 8 * 64)
    for row in 0..<input.shape[0] {
      let values = Array(input.floats[(row * 64)..<((row + 1) * 64)])
      let alone = await GradientTests.gradient(
        harness, #"{"input":\#(values),"grad_output":\#(values),"weights_gradient":true}"#)
      for (place, value) in Answer.floats(GradientTests.weights(alone)["router"]).enumerated() { sum[place] += value }
    }
    let size = max(1, Double(sum.map(abs).max()!))
    #expect(GoldenTests.distance(Answer.floats(weights["router"]), sum) <= 1e-5 * size)
  }

  /// Experts that the request chose: by their weights the gradient is g·expert(x), and requests that wait together get
  /// the bits that each gets alone.
  @Test func chosenExperts() async throws {
    let test = MixtureTests.cases[0]
    let golden = try Golden(test.file)
    let alone = try MixtureTests.with(test) { try Harness($0) }
    let together = try MixtureTests.with(test) { try Harness($0, workers: 1, batchDelay: .milliseconds(200)) }
    let input = try golden("input")
    let bodies = (0..<input.shape[0]).map { row in
      let values = Array(input.floats[(row * 64)..<((row + 1) * 64)])
      return """
        {"input":\(values),"grad_output":\(values),"experts":{"indices":[\(row % 8),\((row + 3) % 8)],"weights":[0.5,2]}}
        """
    }
    let exchanges = bodies.map { together.start(Harness.post("/v1/ffn/gradient", $0)) }
    for (row, (body, exchange)) in zip(bodies, exchanges).enumerated() {
      let joined = Answer(await exchange.response())
      let single = await GradientTests.gradient(alone, body)
      #expect(single.status == 200, "\(single.text)")
      #expect(joined.untimed == single.untimed)
      let values = Array(input.floats[(row * 64)..<((row + 1) * 64)])
      let one = await alone.ffn(
        #"{"input":\#(values),"experts":{"indices":[\#((row + 3) % 8)],"weights":[1]}}"#)
      let product = Self.product(one.output[...], values)
      let found = Self.floats(single, "grad_expert_weights")
      #expect(found.count == 2 && abs(Double(found[1]) - product) <= 1e-5 * max(1, abs(product)))
    }
    let weights = await GradientTests.gradient(
      alone, String(bodies[0].dropLast()) + #","weights_gradient":true}"#)
    #expect(GradientTests.weights(weights).keys.allSatisfy { $0.hasPrefix("experts.") })
  }
}

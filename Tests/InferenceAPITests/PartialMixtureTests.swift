import Checkpoint
import Foundation
import InferenceAPI
import Testing

/// Mixtures some of whose experts are on another server.
@Suite struct PartialMixtureTests {
  /// Mixtral with experts 0 to 3 of 8, and all of it.
  private func harnesses(batchDelay: Duration = .zero) throws -> (part: Harness, whole: Harness) {
    let test = MixtureTests.cases[0]
    var loading = Harness.Loading()
    loading.configuration.experts = try ExpertSelection(parsing: "0-3")
    let part = try MixtureTests.with(test) {
      try Harness($0, workers: 1, batchDelay: batchDelay, loading: loading)
    }
    return (part, try MixtureTests.with(test) { try Harness($0) })
  }

  private static func rows() throws -> (nested: String, each: [String]) {
    let input = try Golden(MixtureTests.cases[0].file)("input")
    let each = (0..<5).map {
      Golden.Values(shape: [64], floats: Array(input.floats[$0 * 64..<($0 + 1) * 64])).nested
    }
    return (input.nested, each)
  }

  /// What the router of the golden's file chose, row by row.
  private static func choices() throws -> [[Int]] {
    let indices = try Golden(MixtureTests.cases[0].file)("router_indices").floats
    return (0..<5).map { [Int(indices[2 * $0]), Int(indices[2 * $0 + 1])] }
  }

  private func missing(_ answer: Answer) -> [Int: Set<Int>] {
    let rows = answer.json["missing"] as? [[String: Any]] ?? []
    return Dictionary(
      uniqueKeysWithValues: rows.compactMap { row in
        guard let number = row["row"] as? Int, let experts = row["experts"] as? [Int] else { return nil }
        return (number, Set(experts))
      })
  }

  @Test func modelsSayWhichExpertsAreHere() async throws {
    let (part, whole) = try harnesses()
    func layer(_ harness: Harness) async -> [String: Any] {
      ((await harness.get("/v1/models/moe")).json["layers"] as? [[String: Any]])?.first ?? [:]
    }
    let held = await layer(part)
    #expect(held["experts"] as? Int == 8 && held["held_experts"] as? [Int] == [0, 1, 2, 3])
    let all = await layer(whole)
    #expect(all["experts"] as? Int == 8 && all["held_experts"] == nil)
    #expect(held["bytes"] as? Int ?? .max < all["bytes"] as? Int ?? 0)
  }

  /// Two halves of the experts sum up to the whole, whoever holds which.
  @Test func skippedExpertsAreLeftOutAndNamed() async throws {
    let (part, whole) = try harnesses()
    let (input, _) = try Self.rows()
    let choices = try Self.choices()
    try #require(choices.contains { $0.contains { $0 > 3 } })
    let skipped = await part.ffn(
      #"{"input":\#(input),"experts":{"missing":"skip"},"activations":["expert_indices","expert_weights"]}"#)
    #expect(skipped.status == 200, "\(skipped.text)")
    var expected: [Int: Set<Int>] = [:]
    for (row, experts) in choices.enumerated() where experts.contains(where: { $0 > 3 }) {
      expected[row] = Set(experts.filter { $0 > 3 })
    }
    #expect(missing(skipped) == expected)

    // The whole server, given the same choice with the others weighted 0, has the same bits.
    let activations = try #require(skipped.json["activations"] as? [String: Any])
    let indices = try #require(activations["expert_indices"] as? [[Int]])
    let weights = try #require(activations["expert_weights"] as? [[Double]])
    let kept = zip(indices, weights).map { zip($0, $1).map { $0 > 3 ? 0 : $1 } }
    let given = await whole.ffn(#"{"input":\#(input),"experts":{"indices":\#(indices),"weights":\#(kept)}}"#)
    #expect(given.output == skipped.output && given.json["missing"] == nil)
    let named = await part.ffn(
      #"{"input":\#(input),"experts":{"indices":\#(indices),"weights":\#(weights),"missing":"skip"}}"#)
    #expect(named.output == skipped.output && missing(named) == expected)
    let nothing = await whole.ffn(#"{"input":\#(input),"experts":{"missing":"skip"}}"#)
    #expect(nothing.json["missing"] as? [Int] == [])
  }

  /// The same by the Open Inference Protocol, whose reply names them in a text.
  @Test func inferenceSkipsByAParameter() async throws {
    let (part, _) = try harnesses()
    let input = try Golden(MixtureTests.cases[0].file)("input")
    func infer(_ parameters: String, _ experts: String = "") async -> Answer {
      let rows = #"{"name":"input","shape":\#(input.shape),"datatype":"FP32","data":\#(input.nested)}"#
      return await part.send(
        OpenInferenceMessage.infer("moe", #"{"inputs":[\#(rows)\#(experts)],"parameters":{\#(parameters)}}"#))
    }
    let (nested, _) = try Self.rows()
    let native = await part.ffn(#"{"input":\#(nested),"experts":{"missing":"skip"}}"#)
    let skipped = await infer(#""missing":"skip""#)
    #expect(skipped.status == 200, "\(skipped.text)")
    #expect(Inferred(skipped).floats() == native.output)
    let text = (skipped.json["parameters"] as? [String: Any])?["missing"] as? String
    let listed = try JSONSerialization.jsonObject(with: Data((text ?? "").utf8)) as? [NSDictionary]
    #expect(listed == native.json["missing"] as? [NSDictionary] && listed?.isEmpty == false)
    #expect((await infer(#""missing":"error""#)).status == 422)
    #expect((await infer("")).status == 422)
    #expect((await infer(#""missing":"some""#)).status == 422)
    // Chosen by the request: all five rows go to expert 6, which is not here.
    let shape = #""shape":[\#(input.shape[0]),1]"#
    let ones = [Int](repeating: 1, count: input.shape[0])
    let experts = #"""
      ,{"name":"expert_indices",\#(shape),"datatype":"INT64","data":\#(ones.map { 6 * $0 })},\#
      {"name":"expert_weights",\#(shape),"datatype":"FP32","data":\#(ones)}
      """#
    let nothing = await infer(#""missing":"skip""#, experts)
    #expect(nothing.status == 200 && Inferred(nothing).floats().allSatisfy { $0 == 0 }, "\(nothing.text)")
    #expect((await infer("", experts)).status == 422)
  }

  @Test func withoutSkippingTheRequestIsRefused() async throws {
    let (part, _) = try harnesses()
    let (input, _) = try Self.rows()
    let routed = await part.ffn(#"{"input":\#(input)}"#)
    #expect(routed.status == 422 && routed.problem == "missing-expert" && routed.pointer == "/input")
    for policy in ["", #","missing":"error""#] {
      let given = await part.ffn(
        #"{"input":[\#(MixtureTests.row)],"experts":{"indices":[[1,6]],"weights":[[1,0]]\#(policy)}}"#)
      #expect(given.status == 422 && given.problem == "missing-expert" && given.pointer == "/experts/indices/0/1")
    }
    let here = await part.ffn(#"{"input":[\#(MixtureTests.row)],"experts":{"indices":[[1,3]],"weights":[[1,0]]}}"#)
    #expect(here.status == 200)
    let beyond = await part.ffn(
      #"{"input":[\#(MixtureTests.row)],"experts":{"indices":[[1,8]],"weights":[[1,0]],"missing":"skip"}}"#)
    #expect(beyond.status == 422 && beyond.problem == "invalid-value")
  }

  /// One batch of rows that need what is not here and of rows that do not: each request is answered for itself.
  @Test func companyDoesNotChangeWhoIsRefused() async throws {
    let (part, whole) = try harnesses(batchDelay: .milliseconds(200))
    let (_, rows) = try Self.rows()
    let choices = try Self.choices()
    let bodies = rows.map { #"{"input":\#($0)}"# } + rows.map { #"{"input":\#($0),"experts":{"missing":"skip"}}"# }
    let exchanges = bodies.map(part.startFFN)
    for (place, exchange) in exchanges.enumerated() {
      let answer = Answer(await exchange.response())
      let experts = choices[place % rows.count]
      let isRefused = place < rows.count && experts.contains { $0 > 3 }
      #expect(answer.status == (isRefused ? 422 : 200))
      if isRefused { continue }
      if experts.allSatisfy({ $0 <= 3 }) {
        #expect(answer.output == (await whole.ffn(bodies[place % rows.count])).output)
      }
    }
  }
}

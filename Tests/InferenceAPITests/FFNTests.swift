import Foundation
import HTTP1
import Testing

@Suite struct FFNTests {
  static let x: [Double] = [0.5, -1.0, 2.0, 0.25]
  static let rows: [[Double]] = [[0.5, -1.0, 2.0, 0.25], [1.5, 0.75, -0.5, -2.0], [-0.125, 3, 0, 1]]

  @Test(arguments: variants)
  func demoLayerComputesItsFormula(_ variant: String) async throws {
    let harness = try Harness()
    let answer = await harness.ffn(
      #"{"model":"demo","layer":"\#(variant)","input":\#(Self.rows),"activations":["gate","up","hidden"]}"#)
    let expected = Self.rows.map { Oracle.demo(variant).apply($0) }
    #expect(answer.status == 200)
    #expect(isClose(answer.output, expected.flatMap(\.output)))
    #expect(isClose(answer.activation("gate"), expected.flatMap(\.gate)))
    #expect(isClose(answer.activation("up"), expected.flatMap(\.up)))
    #expect(isClose(answer.activation("hidden"), expected.flatMap(\.hidden)))
    #expect(Answer.shape(answer.json["output"]) == [3, 4])
    #expect(answer.json["variant"] as? String == variant)
  }

  @Test func replyHasTheMembersOfTheOutline() async throws {
    let harness = try Harness()
    let answer = await harness.ffn(
      #"{"model":"demo","layer":"swiglu","input":[[0.5,-1,2,0.25]],"activations":["gate"],"timeout_ms":60000,"id":"r\"1"}"#
    )
    #expect(answer.status == 200)
    #expect(answer.fields.first(.contentType) == "application/json")
    #expect(Set(answer.json.keys) == ["id", "model", "layer", "variant", "output", "activations", "timing"])
    #expect(answer.json["id"] as? String == "r\"1")
    #expect(answer.json["model"] as? String == "demo")
    #expect(answer.json["layer"] as? String == "swiglu")
    #expect((answer.json["activations"] as? [String: Any]).map { Array($0.keys) } == ["gate"])
    let timing = answer.json["timing"] as? [String: Int] ?? [:]
    #expect(
      Set(timing.keys) == [
        "read_us", "decode_us", "queue_us", "compute_us", "encode_us", "total_us", "batch_rows", "batch_requests",
      ])
    #expect(timing["batch_rows"] == 1)
    #expect(timing["batch_requests"] == 1)
  }

  @Test func minimalRequestGoesToTheDefaultLayer() async throws {
    let answer = await (try Harness()).ffn(#"{"input":[0.5,-1,2,0.25]}"#)
    #expect(answer.status == 200)
    #expect(Set(answer.json.keys) == ["model", "layer", "variant", "output", "timing"])
    #expect(answer.json["model"] as? String == "demo")
    #expect(answer.json["layer"] as? String == "swiglu")
    #expect(Answer.shape(answer.json["output"]) == [4])
    #expect(isClose(answer.output, Oracle.demo("swiglu").apply(Self.x).output))
  }

  @Test func layerIsAnIndexOrAName() async throws {
    let harness = try Harness()
    for (index, variant) in variants.enumerated() {
      let byIndex = await harness.ffn(#"{"layer":\#(index),"input":[1,2,3,4]}"#)
      let byName = await harness.ffn(#"{"layer":"\#(variant)","input":[1,2,3,4]}"#)
      #expect(byIndex.json["layer"] as? String == variant)
      #expect(byIndex.untimed == byName.untimed)
    }
  }

  @Test(arguments: [
    ("[0.5,-1,2,0.25]", [4]), ("[[0.5,-1,2,0.25]]", [1, 4]), ("[[[0.5,-1,2,0.25]],[[0.5,-1,2,0.25]]]", [2, 1, 4]),
    ("[[[[[[[[0.5,-1,2,0.25]]]]]]]]", [1, 1, 1, 1, 1, 1, 1, 4]),
  ])
  func outputKeepsTheLeadingDimensions(_ input: String, _ shape: [Int]) async throws {
    let answer = await (try Harness()).ffn(#"{"input":\#(input),"activations":["hidden"]}"#)
    #expect(Answer.shape(answer.json["output"]) == shape)
    #expect(Answer.shape((answer.json["activations"] as? [String: Any])?["hidden"]) == shape.dropLast() + [8])
    let row = Oracle.demo("swiglu").apply(Self.x).output
    let rows = shape.dropLast().reduce(1, *)
    #expect(isClose(answer.output, (0..<rows).flatMap { _ in row }))
  }

  @Test func serverTimingSaysWhatTheReplySays() async throws {
    let answer = await (try Harness()).ffn(#"{"input":[1,2,3,4]}"#)
    let timing = answer.json["timing"] as? [String: Int] ?? [:]
    let field = answer.fields.first(.serverTiming) ?? ""
    let metrics = field.components(separatedBy: ", ")
    for (index, name) in ["read", "decode", "queue", "compute", "encode", "total"].enumerated() {
      let milliseconds = Double(timing["\(name)_us"] ?? -1) / 1000
      #expect(metrics[index] == "\(name);dur=\(String(format: "%.3f", milliseconds))")
    }
    #expect(field.hasSuffix(#"batch;desc="1 rows, 1 requests""#))
  }
}

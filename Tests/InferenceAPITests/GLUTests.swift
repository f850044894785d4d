import Batching
import Foundation
import HTTP1
import InferenceAPI
import Testing

/// POST /v1/glu: a gate without weights.
@Suite struct GLUTests {
  /// The gate in float64: a layer without a down projection whose projections pick the operands.
  static func gate(_ variant: String, _ a: Double, _ b: Double) -> Double {
    let gateIsB = ["glu", "gtu", "reglu_sigmoid", "geglu_sigmoid"].contains(variant)
    let oracle = Oracle(variant: variant, gateProj: [[1, 0]], upProj: [[0, 1]])
    return oracle.apply(gateIsB ? [b, a] : [a, b]).hidden[0]
  }

  static let a: [Double] = [0.5, -1.25, 2, -3.5, 0.125, 7.5]
  static let b: [Double] = [1.5, 0.75, -2, -0.25, 9, 1]

  @Test(arguments: variants)
  func gateOfTwoTensors(_ variant: String) async throws {
    let answer = await (try Harness()).glu(
      #"{"variant":"\#(variant)","a":[[0.5,-1.25,2],[-3.5,0.125,7.5]],"b":[[1.5,0.75,-2],[-0.25,9,1]]}"#)
    #expect(answer.status == 200)
    #expect(answer.json["variant"] as? String == variant)
    #expect(Set(answer.json.keys) == ["variant", "output", "timing"])
    #expect(Answer.shape(answer.json["output"]) == [2, 3])
    #expect(isClose(answer.output, zip(Self.a, Self.b).map { Self.gate(variant, $0, $1) }, tolerance: 1e-6))
  }

  /// Away from every kink, the closed forms are what central differences of the formula give.
  @Test(arguments: variants)
  func derivativesAreSlopes(_ variant: String) async throws {
    let answer = await (try Harness()).glu(
      #"{"variant":"\#(variant)","a":\#(Self.a),"b":\#(Self.b),"derivative":true}"#)
    #expect(answer.status == 200)
    let h = 1e-5
    let byA = zip(Self.a, Self.b).map { a, b in
      (Self.gate(variant, a + h, b) - Self.gate(variant, a - h, b)) / (2 * h)
    }
    let byB = zip(Self.a, Self.b).map { a, b in
      (Self.gate(variant, a, b + h) - Self.gate(variant, a, b - h)) / (2 * h)
    }
    #expect(isClose(answer.derivative("a"), byA, tolerance: 1e-6))
    #expect(isClose(answer.derivative("b"), byB, tolerance: 1e-6))
    #expect(isClose(answer.output, zip(Self.a, Self.b).map { Self.gate(variant, $0, $1) }, tolerance: 1e-6))
  }

  @Test func parametersBelongToTheFormula() async throws {
    let harness = try Harness()
    func output(_ json: String) async -> [Float] { await harness.glu(json).output }
    // x·σ(−x) at 1, σ(0) = 1/2, min(9, 3)·σ(0)·(clamp(9, ±3) + 1).
    #expect(isClose(await output(#"{"variant":"swiglu","beta":-1,"a":[1],"b":[1]}"#), [1 / (1 + exp(1.0))]))
    #expect(await output(#"{"beta":0,"a":[8],"b":[2],"variant":"swiglu"}"#) == [8])
    #expect(await output(#"{"variant":"swiglu_clamped","alpha":0,"limit":3,"a":[9],"b":[9]}"#) == [6])
  }

  @Test func kinksHaveTheirDerivative() async throws {
    let harness = try Harness()
    let relu = await harness.glu(#"{"variant":"reglu","a":[0,-0.0,1],"b":[3,3,3],"derivative":true}"#)
    #expect(relu.derivative("a") == [0, 0, 3])
    let clamp = await harness.glu(
      #"{"variant":"swiglu_clamped","alpha":0,"limit":2,"a":[2,2.5,1],"b":[-2,2,2.5],"derivative":true}"#)
    #expect(clamp.derivative("a") == [-0.5, 0, 1.5])
    #expect(clamp.derivative("b") == [1, 1, 0])
  }

  /// Element by element, from the indices: a is the first half of the dimension, b the second.
  @Test(arguments: [
    (0, 0), (1, 1), (2, 2), (3, 3), (-1, 3), (-2, 2), (-3, 1), (-4, 0),
  ])
  func splitAlongEveryDimension(_ dim: Int, _ axis: Int) async throws {
    let shape = [4, 2, 6, 8]
    let values = (0..<384).map { Float($0 * 37 % 101) / 16 - 3 }
    let answer = await (try Harness()).glu(
      #"{"variant":"glu","input":\#(Golden.Values(shape: shape, floats: values).nested),"dim":\#(dim),"derivative":true}"#
    )
    #expect(answer.status == 200)
    var half = shape
    half[axis] /= 2
    var expected: [Double] = []
    var byB: [Double] = []
    func offset(_ index: [Int]) -> Int { zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 } }
    for i in 0..<half[0] {
      for j in 0..<half[1] {
        for k in 0..<half[2] {
          for l in 0..<half[3] {
            var index = [i, j, k, l]
            let a = Double(values[offset(index)])
            index[axis] += half[axis]
            let b = Double(values[offset(index)])
            let sigmoid = 1 / (1 + exp(-b))
            expected.append(a * sigmoid)
            byB.append(a * sigmoid * (1 - sigmoid))
          }
        }
      }
    }
    #expect(Answer.shape(answer.json["output"]) == half)
    #expect(isClose(answer.output, expected, tolerance: 1e-6))
    let derivative = try #require(answer.json["derivative"] as? [String: Any])
    #expect(Answer.shape(derivative["a"]) == half && Answer.shape(derivative["b"]) == half)
    #expect(isClose(answer.derivative("b"), byB, tolerance: 1e-6))
  }

  /// Halves of every length, short ones that are gathered and long ones that are not, over several runs of each.
  @Test(arguments: [1, 3, 255, 256, 300, 5000])
  func halvesOfEveryLength(_ half: Int) async throws {
    let outer = 12_000 / half
    let values = (0..<outer * 2 * half).map { Float($0 * 7919 % 4001) / 1000 - 2 }
    let input = Golden.Values(shape: [outer, 2 * half], floats: values)
    let answer = await (try Harness()).glu(#"{"variant":"bilinear","input":\#(input.base64),"derivative":true}"#)
    let rows = (0..<outer).map { values[$0 * 2 * half..<($0 + 1) * 2 * half] }
    let a = rows.flatMap { $0.prefix(half) }
    let b = rows.flatMap { $0.suffix(half) }
    #expect(answer.output == zip(a, b).map { $0 * $1 })
    #expect(answer.derivative("a") == b)
    #expect(answer.derivative("b") == a)
  }

  @Test(arguments: [0, 1, 2, -1, -2, -3, nil], ["nested", "flat", "base64"])
  func torchFunctionalGLU(_ dim: Int?, _ form: String) async throws {
    let golden = try Golden("functional_glu")
    let answer = await (try Harness()).glu(
      #"{"variant":"glu","input":\#(try golden("input").inForm(form))\#(dim.map { #","dim":\#($0)"# } ?? "")}"#)
    let expected = try golden(dim.map { "output_dim\($0)" } ?? "output")
    #expect(Answer.shape(answer.json["output"]) == expected.shape)
    #expect(GoldenTests.distance(answer.output, expected.floats) <= 5e-7)
  }

  @Test(arguments: ["reglu_sigmoid", "geglu_sigmoid"])
  func tutorialGates(_ variant: String) async throws {
    let golden = try Golden("blog_" + variant)
    let answer = await (try Harness()).glu(#"{"variant":"\#(variant)","input":\#(try golden("input").nested)}"#)
    #expect(GoldenTests.distance(answer.output, try golden("output").floats) <= 2e-6)
  }

  @Test(arguments: ["glu", "gtu", "reglu", "geglu", "swiglu"])
  func torchGradients(_ variant: String) async throws {
    let golden = try Golden("grad_gate_" + variant)
    let answer = await (try Harness()).glu(
      #"{"variant":"\#(variant)","input":\#(try golden("input").nested),"derivative":true}"#)
    #expect(GoldenTests.distance(answer.output, try golden("output").floats) <= 4e-6)
    let upstream = try golden("grad_output").floats
    let expected = try golden("grad.input")
    let width = expected.shape[1] / 2
    var found: [Float] = []
    for row in 0..<expected.shape[0] {
      for name in ["a", "b"] {
        let slopes = answer.derivative(name)[row * width..<(row + 1) * width]
        found += zip(slopes, upstream[(row * width)...]).map { $0 * $1 }
      }
    }
    #expect(GoldenTests.distance(found, expected.floats) <= 4e-6)
  }

  @Test func replyTakesTheFormOfTheFirstTensor() async throws {
    let harness = try Harness()
    // 1.5 and −2 in BF16.
    let bf16 = #"{"shape":[2],"datatype":"BF16","base64":"wD8AwA=="}"#
    let same = await harness.glu(#"{"variant":"bilinear","a":\#(bf16),"b":[1,3],"derivative":true,"id":"g"}"#)
    #expect(same.json["id"] as? String == "g")
    #expect((same.json["output"] as? [String: Any])?["datatype"] as? String == "BF16")
    #expect(same.output == [1.5, -6])
    #expect(same.derivative("a") == [1, 3])
    #expect(same.derivative("b") == [1.5, -2])
    let nested = await harness.glu(#"{"variant":"bilinear","a":\#(bf16),"b":[1,3],"encoding":"nested"}"#)
    #expect(nested.json["output"] as? [Double] == [1.5, -6])
    let flat = await harness.glu(#"{"variant":"bilinear","a":[1,3],"b":\#(bf16),"encoding":"flat"}"#)
    let object = try #require(flat.json["output"] as? [String: Any])
    #expect(object["datatype"] as? String == "FP32" && object["data"] as? [Double] == [1.5, -6])
  }

  @Test func eightDimensions() async throws {
    let answer = await (try Harness()).glu(#"{"variant":"bilinear","input":[[[[[[[[2,3]]]],[[[[4,5]]]]]]]],"dim":3}"#)
    #expect(answer.untimed == #"{"variant":"bilinear","output":[[[[[[[[8.0,15.0]]]]]]]]"#)
  }

  static let refusals: [RuleTests.Refusal] = [
    .init("{", 400, "malformed-json", offset: 1),
    .init(#"{"variant":"glu","a":[NaN],"b":[1]}"#, 400, "malformed-json", offset: 22),
    .init("[]", 422, "invalid-value", ""),
    .init("{}", 422, "missing-member", "/variant"),
    .init(#"{"variant":"gelu","a":[1],"b":[1]}"#, 422, "invalid-value", "/variant"),
    .init(#"{"variant":"glu"}"#, 422, "missing-member", "/a"),
    .init(#"{"variant":"glu","a":[1]}"#, 422, "missing-member", "/b"),
    .init(#"{"variant":"glu","b":[1]}"#, 422, "missing-member", "/a"),
    .init(#"{"variant":"glu","dim":0}"#, 422, "missing-member", "/input"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"c":1}"#, 422, "unknown-member", "/c"),
    .init(#"{"variant":"glu","a":[1],"a":[1]}"#, 422, "duplicate-member", "/a"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"input":[1,2]}"#, 422, "conflicting-member", "/a"),
    .init(#"{"variant":"glu","b":[1],"input":[1,2]}"#, 422, "conflicting-member", "/b"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"dim":0}"#, 422, "conflicting-member", "/dim"),
    .init(#"{"variant":"glu","a":[1,2],"b":[[1,2]]}"#, 422, "shape-mismatch", "/b"),
    .init(#"{"variant":"glu","a":[[1],[2]],"b":[[1,2]]}"#, 422, "shape-mismatch", "/b"),
    .init(#"{"variant":"glu","input":[1,2,3]}"#, 422, "shape-mismatch", "/input"),
    .init(#"{"variant":"glu","input":[[1,2],[3,4],[5,6]],"dim":0}"#, 422, "shape-mismatch", "/input"),
    .init(#"{"variant":"glu","input":[1,2],"dim":1}"#, 422, "invalid-value", "/dim"),
    .init(#"{"variant":"glu","input":[1,2],"dim":-2}"#, 422, "invalid-value", "/dim"),
    .init(#"{"variant":"glu","input":[1,2],"dim":8}"#, 422, "invalid-value", "/dim"),
    .init(#"{"variant":"glu","input":[1,2],"dim":0.5}"#, 422, "invalid-value", "/dim"),
    .init(#"{"variant":"glu","input":[[1,2],[3]]}"#, 422, "shape-mismatch", "/input/1"),
    .init(#"{"variant":"glu","input":[[[[[[[[[1,2]]]]]]]]]}"#, 422, "shape-mismatch", "/input/0/0/0/0/0/0/0/0"),
    .init(#"{"variant":"glu","a":[[1,2],[3,1e39]],"b":[[1,2],[3,4]]}"#, 422, "non-finite-input", "/a/1/1"),
    .init(#"{"variant":"glu","a":[],"b":[]}"#, 422, "shape-mismatch", "/a"),
    .init(#"{"variant":"glu","a":[1],"b":["1"]}"#, 422, "invalid-value", "/b/0"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"derivative":1}"#, 422, "invalid-value", "/derivative"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"encoding":"csv"}"#, 422, "invalid-value", "/encoding"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"timeout_ms":0}"#, 422, "invalid-value", "/timeout_ms"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"id":1}"#, 422, "invalid-value", "/id"),
    .init(#"{"variant":"glu","a":[1],"b":[1],"beta":1}"#, 422, "conflicting-member", "/beta"),
    .init(#"{"variant":"geglu","a":[1],"b":[1],"alpha":1}"#, 422, "conflicting-member", "/alpha"),
    .init(#"{"variant":"swiglu","a":[1],"b":[1],"limit":1}"#, 422, "conflicting-member", "/limit"),
    .init(#"{"variant":"swiglu_clamped","a":[1],"b":[1],"beta":1}"#, 422, "conflicting-member", "/beta"),
    .init(#"{"variant":"swiglu_clamped","a":[1],"b":[1],"limit":0}"#, 422, "invalid-value", "/limit"),
    .init(#"{"variant":"swiglu","a":[1],"b":[1],"beta":1e39}"#, 422, "non-finite-input", "/beta"),
    .init(#"{"variant":"glu","model":"demo","a":[1],"b":[1]}"#, 422, "unknown-member", "/model"),
  ]

  /// The same for a body that is decoded on the I/O queue and for one that a worker decodes.
  @Test(arguments: refusals, [48 << 10, 0])
  func refusalHasItsStatusAndItsPlace(_ refusal: RuleTests.Refusal, _ inlineBodyBytes: Int) async throws {
    let harness = try Harness { $0.inline.bodyBytes = inlineBodyBytes }
    let answer = await harness.glu(refusal.body)
    #expect(answer.status == refusal.status)
    #expect(answer.problem == refusal.problem)
    #expect(answer.pointer == refusal.pointer)
    #expect(answer.offset == refusal.offset)
    #expect((answer.json["detail"] as? String)?.isEmpty == false)
    #expect(harness.outcomes.all.map(\.route) == ["/v1/glu"])
  }

  @Test(arguments: [
    (#"{"variant":"bilinear","a":[[1,2],[3e38,1]],"b":[[1,2],[2,1]]}"#, "output", [1, 0]),
    (#"{"variant":"relu2glu","a":[1e20],"b":[0],"encoding":"flat","derivative":true}"#, "output", [0]),
    // 2·a·b is beyond FP16 where a²·b is not; a² is not either.
    (
      #"{"variant":"relu2glu","a":{"shape":[2],"datatype":"FP16","data":[0,0.625]},"b":[1,65504],"encoding":"base64","derivative":true}"#,
      "derivative.a", [1]
    ),
    (
      #"{"variant":"bilinear","a":{"shape":[2],"datatype":"FP16","data":[0,0.5]},"b":[1,70000],"encoding":"base64","derivative":true}"#,
      "derivative.a", [1]
    ),
  ])
  func nonFiniteResultIsNamedByItsIndex(_ body: String, _ tensor: String, _ index: [Int]) async throws {
    let answer = await (try Harness()).glu(body)
    #expect(answer.status == 422)
    #expect(answer.problem == "non-finite-output")
    #expect(answer.json["tensor"] as? String == tensor)
    #expect(answer.json["index"] as? [Int] == index)
  }

  @Test func replyMayHaveSoManyElements() async throws {
    let harness = try Harness { $0.resultElementsLimit = 8 }
    #expect((await harness.glu(#"{"variant":"glu","input":[1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8]}"#)).status == 200)
    let split = await harness.glu(#"{"variant":"glu","input":[1,2,3,4,5,6],"derivative":true}"#)
    #expect(split.status == 422 && split.problem == "invalid-value" && split.pointer == "/input")
    let pair = await harness.glu(#"{"variant":"glu","a":[1,2,3],"b":[1,2,3],"derivative":true}"#)
    #expect(pair.status == 422 && pair.problem == "invalid-value" && pair.pointer == "/a")
  }

  @Test func largeBodiesAndRepliesGetTheSameBytes() async throws {
    let body = #"{"variant":"geglu","a":\#(Self.a),"b":\#(Self.b),"derivative":true}"#
    let small = await (try Harness()).glu(body)
    let large = await (try Harness { ($0.inline.bodyBytes, $0.inline.replyNumbers) = (0, 0) }).glu(body)
    #expect(small.status == 200)
    #expect(large.untimed == small.untimed)
  }

  @Test(arguments: [48 << 10, 0])
  func passedDeadlineIsNotComputed(_ inlineBodyBytes: Int) async throws {
    let harness = try Harness { $0.inline.bodyBytes = inlineBodyBytes }
    let exchange = TestExchange()
    let (head, body) = Harness.parse(
      Array(Harness.post("/v1/glu", #"{"variant":"glu","a":[1],"b":[1],"timeout_ms":5}"#).utf8))
    let now = MonotonicClock.now()
    harness.handle(head, body, receivedAt: now - 6_000_000, completedAt: now, reply: exchange.sink)
    let answer = Answer(await exchange.response())
    #expect(answer.status == 504)
    #expect(answer.problem == "deadline-exceeded")
  }

  @Test func timingSaysWhereItWent() async throws {
    let harness = try Harness()
    let answer = await harness.glu(#"{"variant":"glu","a":[[1,2],[3,4],[5,6]],"b":[[1,2],[3,4],[5,6]]}"#)
    let timing = try #require(answer.json["timing"] as? [String: Int])
    #expect(timing["batch_rows"] == 3 && timing["batch_requests"] == 1)
    #expect(answer.fields.first(.serverTiming)?.hasPrefix("read;dur=") == true)
    let outcome = try #require(harness.outcomes.all.first)
    #expect(outcome.route == "/v1/glu" && outcome.layer == nil && outcome.rows == 3)
    #expect(outcome.timing.total / 1000 == UInt64(timing["total_us"] ?? 0))
  }

  @Test func clientThatHasGoneGetsNothing() async throws {
    let harness = try Harness(workers: 1)
    let exchange = TestExchange()
    exchange.cancel()
    _ = harness.start(
      Array(Harness.post("/v1/glu", #"{"variant":"glu","a":[1],"b":[1]}"#).utf8), at: exchange)
    await withCheckedContinuation { done in harness.api.drain { done.resume() } }
    #expect(harness.outcomes.all.count == 1)
  }
}

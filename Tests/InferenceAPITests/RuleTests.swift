import Foundation
import HTTP1
import InferenceAPI
import Testing

/// What the design settles beyond the outline: each refusal with its status, its slug and its place.
@Suite struct RuleTests {
  struct Refusal: Sendable, CustomTestStringConvertible {
    let body: String
    let status: Int
    let problem: String
    var pointer: String?
    var offset: Int?

    init(_ body: String, _ status: Int, _ problem: String, _ pointer: String? = nil, offset: Int? = nil) {
      self.body = body
      self.status = status
      self.problem = problem
      self.pointer = pointer
      self.offset = offset
    }

    var testDescription: String { body.count > 100 ? body.prefix(100) + "…" : body }
  }

  static let weights = #""weights":{"gate_proj":[[1,2],[3,4],[5,6]],"up_proj":[[1,2],[3,4],[5,6]]}"#

  static let malformed = [
    Refusal("", 400, "missing-body"),
    Refusal("{", 400, "malformed-json", offset: 1),
    Refusal("x", 400, "malformed-json", offset: 0),
    Refusal(#"{"input":[1,2,3,4]"#, 400, "malformed-json", offset: 18),
    Refusal(#"{"input":[1,2,3,4]} x"#, 400, "malformed-json", offset: 20),
    Refusal(#"{"input":[1,2,3,NaN]}"#, 400, "malformed-json", offset: 16),
    Refusal(#"{"input":[1,2,3,Infinity]}"#, 400, "malformed-json", offset: 16),
    Refusal(#"{"input":[1,2,3,-Infinity]}"#, 400, "malformed-json", offset: 17),
    Refusal(#"{"input":[1,2,3,01]}"#, 400, "malformed-json", offset: 17),
    Refusal(#"{"input":[1,2,3,4,]}"#, 400, "malformed-json", offset: 18),
    // Nested deeper than 64, even where eight dimensions would have been too many already.
    Refusal(
      #"{"input":\#(String(repeating: "[", count: 64))1\#(String(repeating: "]", count: 64))}"#, 400, "malformed-json",
      offset: 72),
    // What is not JSON is that first, whatever else is wrong before it.
    Refusal(#"{"unknown":1,"input":[1,2,3,4}"#, 400, "malformed-json", offset: 29),
  ]

  static let members = [
    Refusal("[]", 422, "invalid-value", ""),
    Refusal("3", 422, "invalid-value", ""),
    Refusal("{}", 422, "missing-member", "/input"),
    Refusal(#"{"input":[1,2,3,4],"inputs":1}"#, 422, "unknown-member", "/inputs"),
    Refusal(#"{"input":[1,2,3,4],"a/b~c":1}"#, 422, "unknown-member", "/a~1b~0c"),
    Refusal(#"{"input":[1,2,3,4],"input":[1,2,3,4]}"#, 422, "duplicate-member", "/input"),
    Refusal(#"{"input":[1,2,3,4],"id":7}"#, 422, "invalid-value", "/id"),
    Refusal(#"{"input":[1,2,3,4],"model":null}"#, 422, "invalid-value", "/model"),
    Refusal(#"{"input":[1,2,3,4],"layer":1.5}"#, 422, "invalid-value", "/layer"),
    Refusal(#"{"input":[1,2,3,4],"layer":-1}"#, 422, "invalid-value", "/layer"),
    Refusal(#"{"input":[1,2,3,4],"layer":[0]}"#, 422, "invalid-value", "/layer"),
    Refusal(#"{"input":[1,2,3,4],"timeout_ms":0}"#, 422, "invalid-value", "/timeout_ms"),
    Refusal(#"{"input":[1,2,3,4],"timeout_ms":0.5}"#, 422, "invalid-value", "/timeout_ms"),
    Refusal(#"{"input":[1,2,3,4],"timeout_ms":86400001}"#, 422, "invalid-value", "/timeout_ms"),
    Refusal(#"{"input":[1,2,3,4],"encoding":"xml"}"#, 422, "invalid-value", "/encoding"),
    Refusal(#"{"input":[1,2,3,4],"activations":"gate"}"#, 422, "invalid-value", "/activations"),
    Refusal(#"{"input":[1,2,3,4],"activations":["gate","down"]}"#, 422, "invalid-value", "/activations/1"),
    Refusal(#"{"input":[1,2,3,4],"activations":["up","up"]}"#, 422, "duplicate-member", "/activations/1"),
  ]

  static let tensors = [
    Refusal(#"{"input":1}"#, 422, "invalid-value", "/input"),
    Refusal(#"{"input":[]}"#, 422, "shape-mismatch", "/input"),
    Refusal(#"{"input":[[1,2,3,4],[]]}"#, 422, "shape-mismatch", "/input/1"),
    Refusal(#"{"input":[[1,2,3,4],[1,2,3]]}"#, 422, "shape-mismatch", "/input/1"),
    Refusal(#"{"input":[[1,2,3,4],["1",2,3,4]]}"#, 422, "invalid-value", "/input/1/0"),
    Refusal(#"{"input":[[[[[[[[[1]]]]]]]]]}"#, 422, "shape-mismatch", "/input/0/0/0/0/0/0/0/0"),
    Refusal(#"{"input":[[1,2,3,4],[1,2,1e39,4]]}"#, 422, "non-finite-input", "/input/1/2"),
    Refusal(#"{"input":[[1,2,3,4],[1,2,3.4028236e38,4]]}"#, 422, "non-finite-input", "/input/1/2"),
    Refusal(#"{"input":{"shape":[4],"data":[1,2,3,4]}}"#, 422, "missing-member", "/input/datatype"),
    Refusal(#"{"input":{"shape":[0,4],"datatype":"FP32","data":[]}}"#, 422, "shape-mismatch", "/input/shape/0"),
    Refusal(#"{"input":{"shape":[4],"datatype":"FP8","data":[1,2,3,4]}}"#, 422, "invalid-value", "/input/datatype"),
    Refusal(
      #"{"input":{"shape":[4],"datatype":"FP16","data":[1,2,3,65520]}}"#, 422, "non-finite-input", "/input/data/3"),
    Refusal(#"{"input":{"shape":[4],"datatype":"FP32","data":[1,2,3]}}"#, 422, "shape-mismatch", "/input/data"),
    Refusal(#"{"input":{"shape":[4],"datatype":"FP16","base64":"AAA="}}"#, 422, "shape-mismatch", "/input/base64"),
    Refusal(
      #"{"input":{"shape":[1],"datatype":"FP32","base64":"AADAfw=="}}"#, 422, "non-finite-input", "/input/base64"),
    Refusal(#"{"input":[1,2,3]}"#, 422, "shape-mismatch", "/input"),
    Refusal(#"{"input":[[1],[2],[3],[4]]}"#, 422, "shape-mismatch", "/input"),
  ]

  static let layers = [
    Refusal(#"{"model":"llama","input":[1,2,3,4]}"#, 404, "unknown-model", "/model"),
    Refusal(#"{"layer":12,"input":[1,2,3,4]}"#, 404, "unknown-layer", "/layer"),
    Refusal(#"{"layer":"silu","input":[1,2,3,4]}"#, 404, "unknown-layer", "/layer"),
    // The model is looked up before the shape is checked.
    Refusal(#"{"model":"llama","input":[1,2,3]}"#, 404, "unknown-model", "/model"),
  ]

  static let givenWeights = [
    Refusal(#"{"input":[1,2],"variant":"glu"}"#, 422, "conflicting-member", "/variant"),
    Refusal(#"{"input":[1,2,3,4],"beta":2}"#, 422, "conflicting-member", "/beta"),
    Refusal(#"{"input":[1,2],\#(weights)}"#, 422, "missing-member", "/variant"),
    Refusal(#"{"input":[1,2],"variant":"glu","model":"demo",\#(weights)}"#, 422, "conflicting-member", "/model"),
    Refusal(#"{"input":[1,2],"variant":"glu","layer":0,\#(weights)}"#, 422, "conflicting-member", "/layer"),
    Refusal(#"{"input":[1,2],"variant":"gelu",\#(weights)}"#, 422, "invalid-value", "/variant"),
    Refusal(#"{"input":[1,2],"variant":"glu","beta":1,\#(weights)}"#, 422, "conflicting-member", "/beta"),
    Refusal(#"{"input":[1,2],"variant":"swiglu","alpha":1,\#(weights)}"#, 422, "conflicting-member", "/alpha"),
    Refusal(#"{"input":[1,2],"variant":"swiglu_clamped","limit":0,\#(weights)}"#, 422, "invalid-value", "/limit"),
    Refusal(#"{"input":[1,2],"variant":"swiglu","beta":1e39,\#(weights)}"#, 422, "non-finite-input", "/beta"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"up_proj":[[1]]}}"#, 422, "missing-member", "/weights/gate_proj"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[[1]]}}"#, 422, "missing-member", "/weights/up_proj"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[[1]],"gate_proj":[[1]]}}"#, 422, "duplicate-member",
      "/weights/gate_proj"),
    Refusal(#"{"input":[1,2],"variant":"glu","weights":{"gate":[[1]]}}"#, 422, "unknown-member", "/weights/gate"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[1,2],"up_proj":[[1,2]]}}"#, 422, "shape-mismatch",
      "/weights/gate_proj"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[[1,2]],"up_proj":[[1,2],[3,4]]}}"#, 422,
      "shape-mismatch", "/weights/up_proj"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[[1,2]],"up_proj":[[1,2]],"down_proj":[[1,2]]}}"#, 422,
      "shape-mismatch", "/weights/down_proj"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[[1,2]],"up_proj":[[1,2]],"gate_proj_bias":[1,2]}}"#,
      422, "shape-mismatch", "/weights/gate_proj_bias"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[[1,2]],"up_proj":[[1,2]],"up_proj_bias":[[1]]}}"#,
      422, "shape-mismatch", "/weights/up_proj_bias"),
    Refusal(
      #"{"input":[1,2],"variant":"glu","weights":{"gate_proj":[[1,2]],"up_proj":[[1,2]],"down_proj_bias":[1]}}"#,
      422, "conflicting-member", "/weights/down_proj_bias"),
    Refusal(#"{"input":[1,2,3],"variant":"glu",\#(weights)}"#, 422, "shape-mismatch", "/input"),
  ]

  @Test(arguments: malformed + members + tensors + layers + givenWeights)
  func refusalHasItsStatusAndItsPlace(_ refusal: Refusal) async throws {
    let harness = try Harness()
    let answer = await harness.ffn(refusal.body)
    #expect(answer.status == refusal.status)
    #expect(answer.problem == refusal.problem)
    #expect(answer.pointer == refusal.pointer)
    #expect(answer.offset == refusal.offset)
    #expect(answer.fields.first(.contentType) == "application/problem+json")
    #expect(answer.json["status"] as? Int == refusal.status)
    #expect((answer.json["title"] as? String)?.isEmpty == false)
    #expect((answer.json["detail"] as? String)?.isEmpty == false)

    let outcome = try #require(harness.outcomes.all.first)
    #expect(harness.outcomes.all.count == 1)
    #expect(outcome.status?.code == refusal.status)
    #expect(answer.json["instance"] as? String == "urn:uuid:\(outcome.id)")
    #expect(UUID(uuidString: outcome.id.description) != nil)

    let next = await harness.ffn(#"{"input":[1,2,3,4]}"#)
    #expect(next.status == 200)
  }

  @Test func weightsMayHaveSoManyElementsTogether() async throws {
    let harness = try Harness { $0.weightsElementsLimit = 11 }
    let answer = await harness.ffn(#"{"input":[1,2],"variant":"glu",\#(Self.weights)}"#)
    #expect(answer.status == 422)
    #expect(answer.problem == "invalid-value")
    #expect(answer.pointer?.hasPrefix("/weights/up_proj") == true)
  }

  @Test func replyMayHaveSoManyElements() async throws {
    let harness = try Harness { $0.resultElementsLimit = 24 }
    let fits = await harness.ffn(#"{"input":[[1,2,3,4],[1,2,3,4]],"activations":["up"]}"#)
    #expect(fits.status == 200)
    let exceeds = await harness.ffn(#"{"input":[[1,2,3,4],[1,2,3,4]],"activations":["up","gate"]}"#)
    #expect(exceeds.status == 422)
    #expect(exceeds.problem == "invalid-value")
    #expect(exceeds.pointer == "/input")
  }

  @Test func requestMayTakeSoMuchComputing() async throws {
    // A row of the demo model takes 8·(2·4 + 4) multiply–adds.
    let harness = try Harness { $0.multiplyAddsLimit = 2 * 96 }
    #expect((await harness.ffn(#"{"input":[[1,2,3,4],[1,2,3,4]]}"#)).status == 200)
    let exceeds = await harness.ffn(#"{"input":[[1,2,3,4],[1,2,3,4],[1,2,3,4]]}"#)
    #expect(exceeds.status == 422)
    #expect(exceeds.pointer == "/input")
  }

  @Test func hiddenRowsOfGivenWeightsAreBoundedToo() async throws {
    let harness = try Harness { $0.resultElementsLimit = 12 }
    func body(_ rows: String) -> String {
      #"{"variant":"glu","weights":{"gate_proj":[[1],[2],[3],[4]],"up_proj":[[1],[2],[3],[4]],"down_proj":[[1,1,1,1]]},"#
        + #""input":\#(rows)}"#
    }
    #expect((await harness.ffn(body("[[1],[2],[3]]"))).status == 200)
    #expect((await harness.ffn(body("[[1],[2],[3],[4]]"))).pointer == "/input")
  }

  @Test(arguments: [
    (#"{"layer":"bilinear","input":[[1,2,3,4],[1e30,2e30,1e30,4e30]]}"#, "output", [1, 0]),
    // The gate's branch overflows and max(0, ·) hides it from the output.
    (
      #"{"variant":"reglu","weights":{"gate_proj":[[-3e38],[1]],"up_proj":[[0],[1]]},"input":[2],"activations":["gate"]}"#,
      "gate", [0]
    ),
    // 65520 is the first that FP16 rounds to infinity.
    (
      #"{"variant":"bilinear","weights":{"gate_proj":[[65519],[65520]],"up_proj":[[1],[1]]},"input":{"shape":[1,1],"datatype":"FP16","base64":"ADw="}}"#,
      "output", [0, 1]
    ),
  ])
  func nonFiniteResultIsNamedByItsIndex(_ body: String, _ tensor: String, _ index: [Int]) async throws {
    let answer = await (try Harness()).ffn(body)
    #expect(answer.status == 422)
    #expect(answer.problem == "non-finite-output")
    #expect(answer.json["tensor"] as? String == tensor)
    #expect(answer.json["index"] as? [Int] == index)
    #expect(answer.pointer == nil)
  }

  @Test func numbersAtTheEdgeOfFloat32AreInputs() async throws {
    let answer = await (try Harness()).ffn(
      #"{"variant":"bilinear","weights":{"gate_proj":[[1]],"up_proj":[[1]]},"input":[[3.4028235e38],[-1e-60],[1E-45]]}"#
    )
    #expect(answer.status == 422)  // 3.4028235e38 squared
    let small = await (try Harness()).ffn(
      #"{"variant":"glu","weights":{"gate_proj":[[0]],"up_proj":[[1]]},"input":[[3.4028235e38],[-1e-60],[1E-45]]}"#)
    #expect(small.status == 200)
    #expect(small.output[0] == 3.4028235e38 / 2)
  }
}

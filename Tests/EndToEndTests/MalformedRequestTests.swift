import Foundation
import Testing

/// Each way in which a body can be wrong: its status, its type, where the problem lies; and the next request on a new
/// connection is served.
@Suite struct MalformedRequestTests {
  struct Case {
    let body: String
    let status: Int
    let type: String
    var offset: Int?
    var pointer: String?
    var method = "POST"
    var path = "/v1/ffn"
    var contentType: String? = "application/json"
  }

  static let cases = [
    Case(body: "", status: 400, type: "missing-body"),
    Case(body: "{", status: 400, type: "malformed-json", offset: 1),
    Case(body: #"{"input":[1,2,3,4]"#, status: 400, type: "malformed-json", offset: 18),
    Case(body: #"{"input":[1,2,3,4]} x"#, status: 400, type: "malformed-json", offset: 20),
    Case(body: #"{"input":[1,2,NaN,4]}"#, status: 400, type: "malformed-json", offset: 14),
    Case(body: #"{"input":[1,2,Infinity,4]}"#, status: 400, type: "malformed-json", offset: 14),
    Case(body: #"{"input":[01,2,3,4]}"#, status: 400, type: "malformed-json", offset: 11),
    Case(body: #"{"input":[1,2,3,4,]}"#, status: 400, type: "malformed-json", offset: 18),
    Case(body: "{'input':[1,2,3,4]}", status: 400, type: "malformed-json", offset: 1),
    Case(body: String(repeating: "[", count: 100), status: 400, type: "malformed-json", offset: 64),
    Case(
      body: #"{"input":"# + String(repeating: "[", count: 100) + "1" + String(repeating: "]", count: 100) + "}",
      status: 400, type: "malformed-json"),
    Case(body: "[1,2,3,4]", status: 422, type: "invalid-value", pointer: ""),
    Case(body: "{}", status: 422, type: "missing-member", pointer: "/input"),
    Case(body: #"{"input":"1"}"#, status: 422, type: "invalid-value", pointer: "/input"),
    Case(body: #"{"input":[1,2,"3",4]}"#, status: 422, type: "invalid-value", pointer: "/input/2"),
    Case(body: #"{"input":[1,2,null,4]}"#, status: 422, type: "invalid-value", pointer: "/input/2"),
    Case(body: #"{"input":[1,2,1e39,4]}"#, status: 422, type: "non-finite-input", pointer: "/input/2"),
    Case(body: #"{"input":[1,2,3]}"#, status: 422, type: "shape-mismatch", pointer: "/input"),
    Case(body: #"{"input":[[1,2,3,4],[1,2,3]]}"#, status: 422, type: "shape-mismatch", pointer: "/input/1"),
    Case(body: #"{"input":[[1,2,3,4],[]]}"#, status: 422, type: "shape-mismatch", pointer: "/input/1"),
    Case(body: #"{"input":[]}"#, status: 422, type: "shape-mismatch", pointer: "/input"),
    Case(body: #"{"input":[[[[[[[[[1]]]]]]]]]}"#, status: 422, type: "shape-mismatch"),
    Case(
      body: #"{"input":{"shape":[4],"datatype":"FP32","data":[1,2,3]}}"#, status: 422, type: "shape-mismatch",
      pointer: "/input/data"),
    Case(
      body: #"{"input":{"shape":[4],"datatype":"FP8","data":[1,2,3,4]}}"#, status: 422, type: "invalid-value",
      pointer: "/input/datatype"),
    Case(
      body: #"{"input":{"shape":[4],"datatype":"FP32","base64":"???"}}"#, status: 422, type: "invalid-value",
      pointer: "/input/base64"),
    Case(
      body: #"{"input":{"shape":[1],"datatype":"FP32","base64":"AADAfw=="},"model":"demo"}"#, status: 422,
      type: "non-finite-input", pointer: "/input/base64"),
    Case(body: #"{"input":[1,2,3,4],"inputs":1}"#, status: 422, type: "unknown-member", pointer: "/inputs"),
    Case(body: #"{"input":[1,2,3,4],"input":[1,2,3,4]}"#, status: 422, type: "duplicate-member", pointer: "/input"),
    Case(body: #"{"input":[1,2,3,4],"id":7}"#, status: 422, type: "invalid-value", pointer: "/id"),
    Case(body: #"{"input":[1,2,3,4],"timeout_ms":-1}"#, status: 422, type: "invalid-value", pointer: "/timeout_ms"),
    Case(
      body: #"{"input":[1,2,3,4],"activations":["gates"]}"#, status: 422, type: "invalid-value",
      pointer: "/activations/0"),
    Case(body: #"{"input":[1,2,3,4],"encoding":"xml"}"#, status: 422, type: "invalid-value", pointer: "/encoding"),
    Case(body: #"{"input":[1,2,3,4],"model":"other"}"#, status: 404, type: "unknown-model", pointer: "/model"),
    Case(body: #"{"input":[1,2,3,4],"layer":"other"}"#, status: 404, type: "unknown-layer", pointer: "/layer"),
    Case(body: #"{"input":[1,2,3,4],"layer":12}"#, status: 404, type: "unknown-layer", pointer: "/layer"),
    Case(body: #"{"input":[1,2,3,4],"beta":2}"#, status: 422, type: "conflicting-member", pointer: "/beta"),
    Case(body: #"{"input":[1e38,1e38,1e38,1e38]}"#, status: 422, type: "non-finite-output"),
    Case(body: #"{"input":[1,2,3,4]}"#, status: 415, type: "unsupported-media-type", contentType: "text/plain"),
    Case(body: #"{"input":[1,2,3,4]}"#, status: 415, type: "unsupported-media-type", contentType: nil),
    Case(body: "", status: 405, type: "method-not-allowed", method: "GET"),
    Case(body: #"{"input":[1,2,3,4]}"#, status: 404, type: "unknown-route", path: "/v1/nothing"),
  ]

  @Test func eachBodyGetsItsProblem() async throws {
    struct Answer: Decodable {
      let status: Int
      let headers: [String: String]
      let body: String
      let next: Int
    }
    struct Problem: Decodable {
      let type: String
      let status: Int
      let instance: String
      let offset: Int?
      let pointer: String?
    }
    func request(_ test: Case) -> [String: Any] {
      [
        "method": test.method, "path": test.path, "headers": test.contentType.map { ["Content-Type": $0] } ?? [:],
        "body": Data(test.body.utf8).base64EncodedString(),
      ]
    }
    let server = try await RunningServer()
    let good = Case(body: #"{"input":[1,2,3,4]}"#, status: 200, type: "")
    let script: [String: Any] = [
      "port": server.port, "good": request(good), "requests": Self.cases.map(request),
    ]
    let client = try await Program.python("exchange.py", input: JSONSerialization.data(withJSONObject: script))
    try #require(client.status == 0, "\(client.error)")
    let answers = try JSONDecoder().decode([Answer].self, from: Data(client.output.utf8))
    try #require(answers.count == Self.cases.count)
    for (test, answer) in zip(Self.cases, answers) {
      let name = "\(test.method) \(test.path) \(test.body.prefix(60)) → \(answer.status) \(answer.body)"
      #expect(answer.status == test.status, "\(name)")
      #expect(answer.headers["content-type"] == "application/problem+json", "\(name)")
      #expect(answer.next == 200, "after \(name)")
      let problem = try JSONDecoder().decode(Problem.self, from: Data(answer.body.utf8))
      #expect(problem.type == "urn:sluice:problem:" + test.type, "\(name)")
      #expect(problem.status == test.status, "\(name)")
      if let offset = test.offset { #expect(problem.offset == offset, "\(name)") }
      if let pointer = test.pointer { #expect(problem.pointer == pointer, "\(name)") }
    }
    #expect(await server.stop() == 0)
    // All is written when it has ended: each problem is in the log under its instance's id, by the same name.
    for (test, answer) in zip(Self.cases, answers) {
      let problem = try JSONDecoder().decode(Problem.self, from: Data(answer.body.utf8))
      let id = problem.instance.replacing("urn:uuid:", with: "")
      let line = server.log.first { $0.contains(id) }
      #expect(line?.contains("\"problem\":\"\(test.type)\"") == true)
    }
  }

  /// `scripts/storm` for a moment: damaged requests to every endpoint, and the same bits for the same row meanwhile.
  @Test func theServerServesOnInAStorm() async throws {
    let storm = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "scripts/storm").path
    let found = try await Program.run(
      Program.named("python3"), [storm, "--seconds", "4", "--clients", "2", "--binary", try Program.sluice.path])
    #expect(found.status == 0, "\(found.output) \(found.error)")
  }

  /// A body above the limit is refused on its declared length, before it is sent.
  @Test func aBodyAboveTheLimitIsRefusedUnread() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let body = folder.url.appending(path: "body.json")
    try Data(repeating: UInt8(ascii: " "), count: 70_000).write(to: body)
    let server = try await RunningServer("--max-body-bytes", "64K")
    let curl = try await Program.curl(
      "-H", "Content-Type: application/json", "-H", "Expect: 100-continue", "--data-binary", "@\(body.path)", "-o",
      "/dev/null", "-w", "%{http_code} %{size_upload}", server.url("/v1/ffn"))
    #expect(curl.output == "413 0", "\(curl.error)")
    #expect(await server.stop() == 0)
  }
}

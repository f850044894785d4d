import Foundation
import HTTP1
import InferenceAPI
import Testing

/// openapi.yaml is what the program does, and what it serves.
@Suite struct OpenAPITests {
  static let file: String = {
    let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "openapi.yaml")
    return (try? String(contentsOf: url, encoding: .utf8)) ?? ""
  }()

  static let lines = file.components(separatedBy: "\n")

  @Test func programServesTheFile() async throws {
    let answer = await (try Harness()).get("/openapi.yaml")
    #expect(!Self.file.isEmpty)
    #expect(answer.text == Self.file)
  }

  /// A text without quotes that goes on behind a colon is no YAML (1.2.2, 7.3.3).
  @Test func plainTextsHoldNoColon() {
    for line in Self.lines {
      for key in ["description: ", "summary: "] {
        guard let range = line.range(of: key), let first = line[range.upperBound...].first else { continue }
        if "\"'|>{".contains(first) { continue }
        #expect(!line[range.upperBound...].contains(": "), "\(line)")
      }
    }
  }

  @Test func pathsAreTheRouteTable() throws {
    var described: Set<String> = []
    var path = ""
    let start = try #require(Self.lines.firstIndex(of: "paths:"))
    for line in Self.lines[(start + 1)...].prefix(while: { $0.isEmpty || $0.hasPrefix(" ") }) {
      if line.hasPrefix("  /") { path = line.trimmingCharacters(in: [" ", ":"]) }
      if line.hasPrefix("    "), !line.hasPrefix("     "), line.hasSuffix(":") {
        described.insert(line.trimmingCharacters(in: [" ", ":"]).uppercased() + " " + path)
      }
    }
    let routes = Set(try Harness([]).api.operations.map { "\($0.method.name) \($0.path)" })
    #expect(described == routes)
  }

  @Test func problemTypesAreThoseOfTheProgram() {
    let prefix = "        - urn:sluice:problem:"
    let described = Self.lines.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    #expect(Set(described) == Set(ProblemType.allCases.map(\.rawValue)))
    #expect(described.count == ProblemType.allCases.count)
    // Each is named at a status that it comes with.
    for slug in described { #expect(Self.file.contains("`\(slug)`"), "\(slug)") }
  }

  /// The examples of POST /v1/ffn and POST /v1/glu by name: a request, then its reply.
  static let examples: [String: [String]] = {
    var examples: [String: [String]] = [:]
    var name = ""
    for line in lines {
      let text = line.trimmingCharacters(in: [" "])
      if text.hasSuffix(":"), !text.contains(" ") { name = String(text.dropLast()) }
      if text.hasPrefix("value: {") { examples[name, default: []].append(String(text.dropFirst("value: ".count))) }
    }
    return examples
  }()

  @Test(arguments: [
    ("readme", "/v1/ffn"), ("minimal", "/v1/ffn"), ("flat", "/v1/ffn"), ("base64", "/v1/ffn"), ("weights", "/v1/ffn"),
    ("gate", "/v1/glu"), ("halves", "/v1/glu"), ("derivative", "/v1/glu"), ("infer", "/v2/models/demo/infer"),
    ("gradient", "/v1/ffn/gradient"), ("gradientOfWeights", "/v1/ffn/gradient"),
    ("convolution", "/v1/gated-conv"),
  ])
  func exampleGetsItsReply(_ name: String, _ path: String) async throws {
    let example = try #require(Self.examples[name])
    try #require(example.count == 2)
    let answer = await (try Harness()).send(Harness.post(path, example[0]))
    #expect(answer.status == 200)
    var expected = try #require(try JSONSerialization.jsonObject(with: Data(example[1].utf8)) as? [String: Any])
    var found = answer.json
    let timing = expected["timing"] == nil ? "parameters" : "timing"
    let timings = [expected, found].map { $0[timing] as? [String: Int] ?? [:] }
    #expect(Set(timings[0].keys) == Set(timings[1].keys) && !timings[0].isEmpty)
    expected[timing] = nil
    found[timing] = nil
    #expect(NSDictionary(dictionary: found) == NSDictionary(dictionary: expected))
  }

  @Test(arguments: [
    ("malformedJSON", "/v1/ffn", #"{"input": [[0.5, NaN, 2.0, 1]]}"#),
    ("unknownMember", "/v1/ffn", #"{"inputs": [[0.5, 1, 2.0, 1]]}"#),
    ("shapeMismatch", "/v1/ffn", #"{"input": [[0.5, -1.0, 2.0]]}"#),
    ("nonFiniteOutput", "/v1/ffn", #"{"input": [[1, 2, 3, 4], [1e30, 2e30, 1e30, 4e30]]}"#),
    ("gradOutputShape", "/v1/ffn/gradient", #"{"input": [[0.5, -1, 2, 0.25]], "grad_output": [[1, 0]]}"#),
    (
      "sequenceShape", "/v1/gated-conv", #"{"variant": "glu", "weights": {"conv": [[[1]], [[1]]]}, "input": [1, 2, 3]}"#
    ),
    ("oddSplit", "/v1/glu", #"{"variant": "glu", "input": [[1, 2, 3], [4, 5, 6]]}"#),
  ])
  func problemIsTheDescribedOne(_ name: String, _ path: String, _ body: String) async throws {
    let example = try #require(Self.examples[name]?.first)
    var expected = try #require(try JSONSerialization.jsonObject(with: Data(example.utf8)) as? [String: Any])
    var found = (await (try Harness()).send(Harness.post(path, body))).json
    expected["instance"] = nil
    found["instance"] = nil
    #expect(NSDictionary(dictionary: found) == NSDictionary(dictionary: expected))
  }
}

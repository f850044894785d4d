import Foundation
import Testing

/// The JSON test suite that the codec's tests hold, through POST /v1/ffn: no text gets past the API as something else.
@Suite struct JSONTests {
  static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "TensorCodingTests/Fixtures/json-cases")

  static func files(_ prefix: String) throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
      .filter { $0.lastPathComponent.hasPrefix(prefix) }
  }

  static func post(_ file: URL, _ harness: Harness) async throws -> Answer {
    let body = [UInt8](try Data(contentsOf: file))
    let head = Harness.post("/v1/ffn", String(repeating: "x", count: body.count)).utf8.dropLast(body.count)
    return Answer(await harness.start(Array(head) + body).response())
  }

  @Test func whatIsNotJSONIsMalformed() async throws {
    let harness = try Harness()
    let files = try Self.files("n_")
    #expect(files.count > 150)
    for file in files {
      let answer = try await Self.post(file, harness)
      #expect(answer.status == 400, "\(file.lastPathComponent)")
      #expect(answer.problem == (answer.offset == nil ? "missing-body" : "malformed-json"))
    }
  }

  @Test func whatIsJSONIsNoRequest() async throws {
    let harness = try Harness()
    let files = try Self.files("y_")
    #expect(files.count > 90)
    for file in files {
      let answer = try await Self.post(file, harness)
      #expect(answer.status == 422, "\(file.lastPathComponent)")
      #expect(answer.pointer != nil)
    }
  }

  @Test func whatTheStandardLeavesOpenIsOneOfBoth() async throws {
    let harness = try Harness()
    for file in try Self.files("i_") {
      let answer = try await Self.post(file, harness)
      #expect([400, 422].contains(answer.status), "\(file.lastPathComponent)")
    }
  }
}

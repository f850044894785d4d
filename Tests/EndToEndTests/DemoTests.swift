import Foundation
import Testing

/// A newcomer's first minute: start it, ask it, stop it.
@Suite struct DemoTests {
  struct Reply: Decodable {
    struct Timing: Decodable {
      let read_us, decode_us, queue_us, compute_us, encode_us, total_us, batch_rows, batch_requests: Int
    }

    let id: String?
    let model: String
    let layer: String
    let variant: String
    let output: [Double]
    let activations: [String: [Double]]?
    let timing: Timing
  }

  @Test func theStartLineSaysWhatIsServed() async throws {
    let server = try await RunningServer("--workers", "2", "--kernels", "scalar")
    let line = server.startLine
    #expect(line.addresses == ["127.0.0.1:\(server.port)"] && server.port > 0)
    #expect(
      line.models == [.init(name: "demo", family: "demo", rule: "a layer for each gate, named after it", layers: 12)])
    #expect(line.kernels == "scalar" && line.workers == 2 && line.ready_ms >= 0 && line.resident_bytes > 0)
    #expect(await server.stop() == 0)
  }

  /// The embedded model by its formula, in float64 (see its documentation): silu(gate·x) ⊙ (up·x), then down.
  static func demo(_ x: [Double]) -> (gate: [Double], up: [Double], hidden: [Double], output: [Double]) {
    /// `out` sums over `inputs`, with weights in eighths.
    func project(_ inputs: [Double], _ out: Int, _ weight: (_ output: Int, _ input: Int) -> Int) -> [Double] {
      (0..<out).map { i in
        var sum = 0.0
        for (j, input) in inputs.enumerated() { sum += Double(weight(i, j)) / 8 * input }
        return sum
      }
    }
    let gate = project(x, 8) { (3 * $0 + 5 * $1 + 1) % 11 - 5 }
    let up = project(x, 8) { (5 * $0 + 7 * $1 + 2) % 13 - 6 }
    let hidden = zip(gate, up).map { $0 / (1 + exp(-$0)) * $1 }
    return (gate, up, hidden, project(hidden, 4) { (7 * $0 + 3 * $1 + 4) % 9 - 4 })
  }

  @Test func curlGetsActivationsAndTiming() async throws {
    let server = try await RunningServer()
    let body = #"{"input":[0.5,-1,2,0.25],"activations":["gate","up","hidden"],"id":"r1"}"#
    let curl = try await Program.curl(
      "-H", "Content-Type: application/json", "-d", body, "-D", "-", "-o", "-", server.url("/v1/ffn"))
    #expect(curl.status == 0, "\(curl.error)")
    let parts = curl.output.components(separatedBy: "\r\n\r\n")
    try #require(parts.count == 2)
    #expect(parts[0].hasPrefix("HTTP/1.1 200 "))
    #expect(parts[0].lowercased().contains("\r\nserver-timing: read;dur="))
    let reply = try JSONDecoder().decode(Reply.self, from: Data(parts[1].utf8))
    #expect(reply.id == "r1" && reply.model == "demo" && reply.layer == "swiglu" && reply.variant == "swiglu")
    #expect(reply.timing.batch_rows == 1 && reply.timing.batch_requests == 1)
    #expect(reply.timing.total_us >= reply.timing.compute_us)
    let expected = Self.demo([0.5, -1, 2, 0.25])
    for (found, right) in [
      (reply.output, expected.output), (reply.activations?["gate"], expected.gate),
      (reply.activations?["up"], expected.up), (reply.activations?["hidden"], expected.hidden),
    ] as [([Double]?, [Double])] {
      let found = try #require(found)
      #expect(found.count == right.count && zip(found, right).allSatisfy { abs($0 - $1) < 1e-6 })
    }
    #expect(await server.stop() == 0)
    // The access log and the client tell of the same request.
    let line = try #require(server.log.first { $0.contains("\"route\":\"/v1/ffn\"") })
    #expect(line.contains("\"compute_us\":\(reply.timing.compute_us),"))
    #expect(line.contains("\"model\":\"demo\",\"layer\":\"swiglu\",\"rows\":1,"))
  }

  @Test func theOtherPathsAnswer() async throws {
    let server = try await RunningServer("--no-access-log")
    for (path, expected) in [
      ("/livez", "200"), ("/readyz", "200"), ("/v1/models", "200"), ("/v1/models/demo", "200"),
      ("/v1/models/other", "404"), ("/openapi.yaml", "200"), ("/nowhere", "404"),
    ] {
      let curl = try await Program.curl("-o", "/dev/null", "-w", "%{http_code}", server.url(path))
      #expect(curl.output == expected, "\(path): \(curl.error)")
    }
    let head = try await Program.curl("--head", server.url("/v1/models"))
    #expect(head.output.hasPrefix("HTTP/1.1 200 "))
    #expect(await server.stop() == 0)
    #expect(!server.log.contains { $0.contains("\"message\":\"request\"") })
  }

  /// What README.md says to paste first, pasted; only the port is this server's.
  @Test func theReadmesCurl() async throws {
    let readme = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../README.md")
    let text = try String(contentsOf: readme, encoding: .utf8)
    let command = try #require(Self.curlCommands(in: text).first { $0.contains(":8080/v1/ffn") })
    let server = try await RunningServer()
    let shell = try await Program.run(
      Program.named("sh"), ["-c", command.replacing(":8080/", with: ":\(server.port)/") + " --fail-with-body"])
    #expect(shell.status == 0, "\(command)\n\(shell.output)\(shell.error)")
    #expect(shell.output.contains("\"output\":") && shell.output.contains("\"timing\":"))
    #expect(await server.stop() == 0)
  }

  /// The lines of code blocks that begin with curl, with the lines that a backslash joins to them.
  static func curlCommands(in markdown: String) -> [String] {
    var commands: [String] = []
    var isCode = false
    var isOpen = false
    for line in markdown.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("```") {
        isCode.toggle()
        isOpen = false
      } else if isOpen {
        commands[commands.count - 1] += "\n" + line
        isOpen = line.hasSuffix("\\")
      } else if isCode, line.hasPrefix("curl ") {
        commands.append(String(line))
        isOpen = line.hasSuffix("\\")
      }
    }
    return commands
  }
}

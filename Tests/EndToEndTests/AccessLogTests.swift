import Foundation
import Testing

/// Which requests have a line, and what stands in it.
@Suite struct AccessLogTests {
  private static func requests(_ server: RunningServer) -> [String] {
    server.log.filter { $0.contains("\"message\":\"request\"") }
  }

  @Test func oneOfSoManyHasALine() async throws {
    let server = try await RunningServer("--access-log-sample", "5")
    let urls = (0..<10).flatMap { _ in ["-o", "/dev/null", server.url("/livez")] }
    #expect(try await Program.curl(urls).status == 0)
    _ = try await Program.curl(server.url("/nowhere"))
    #expect(await server.stop() == 0)
    let lines = Self.requests(server)
    #expect(lines.filter { $0.contains("\"route\":\"/livez\"") }.count == 2)
    #expect(lines.filter { $0.contains("unknown-route") }.count == 1)
  }

  @Test func onlyTheSlowHaveALine() async throws {
    let server = try await RunningServer("--access-log-slow", "1h")
    _ = try await Program.curl(server.url("/livez"))
    _ = try await Program.curl("--json", #"{"input":[1]}"#, server.url("/v1/ffn"))
    #expect(await server.stop() == 0)
    #expect(Self.requests(server).count == 1 && Self.requests(server)[0].contains("shape-mismatch"))
    let patient = try await RunningServer("--access-log-slow", "0us")
    _ = try await Program.curl(patient.url("/livez"))
    #expect(await patient.stop() == 0)
    #expect(Self.requests(patient).count == 1)
  }

  @Test func aTraceStandsInTheLogAndInTheAnswer() async throws {
    let server = try await RunningServer()
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    let answer = try await Program.curl(
      "-i", "-H", "traceparent: 00-\(trace)-00f067aa0ba902b7-01", "-H", "X-Request-Id: r-42", "--json",
      #"{"input":[1,2,3,4]}"#, server.url("/v1/ffn"))
    #expect(answer.output.contains("\r\nX-Request-Id: r-42\r\n"))
    let span = try #require(answer.output.split(separator: "traceparent: 00-\(trace)-").last?.prefix(16))
    #expect(await server.stop() == 0)
    let line = try #require(Self.requests(server).first)
    #expect(line.contains("\"id\":\"r-42\",\"trace_id\":\"\(trace)\",\"span_id\":\"\(span)\","))
  }
}

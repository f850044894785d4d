import Foundation
import HTTP1
import InferenceAPI
import Testing

/// What a request is called, in its answer, in its problem and in its outcome.
@Suite struct TracingTests {
  private func get(_ harness: Harness, _ fields: String, path: String = "/livez") async -> Answer {
    await harness.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
  }

  @Test(arguments: ["r1", "0af7651916cd43dd8448eb211c80319c", "A-b.c_d~9", String(repeating: "x", count: 128)])
  func theClientsOwnIdIsKept(_ id: String) async throws {
    let harness = try Harness()
    #expect(await get(harness, "X-Request-Id: \(id)\r\n").fields.first(.xRequestID) == id)
    let problem = await get(harness, "x-request-id: \(id)\r\n", path: "/nowhere")
    #expect(problem.fields.first(.xRequestID) == id)
    #expect(problem.json["instance"] as? String == "urn:sluice:request:\(id)")
    #expect(harness.outcomes.all.map(\.name) == [id, id])
  }

  @Test(arguments: [
    "", "a b", "a,b", "ü", "a\"b", "{}", String(repeating: "x", count: 129), "a\r\nX-Request-Id: b",
  ])
  func anIdThatCouldNotStandInALogIsReplaced(_ id: String) async throws {
    let harness = try Harness()
    let problem = await get(harness, "X-Request-Id: \(id)\r\n", path: "/nowhere")
    let ours = try #require(problem.fields.first(.xRequestID))
    #expect(UUID(uuidString: ours) != nil && problem.json["instance"] as? String == "urn:uuid:\(ours)")
    #expect(harness.outcomes.all.map(\.name) == [ours])
  }

  @Test func everyAnswerHasAnId() async throws {
    let harness = try Harness()
    let answers = [
      await harness.get("/readyz"), await harness.ffn(#"{"input":[1,2,3,4]}"#), await harness.ffn("{"),
      await harness.send("OPTIONS /livez HTTP/1.1\r\nHost: a\r\n\r\n"), await harness.get("/v2/models/none"),
      Answer(harness.api.answer(.requestTimeout, to: nil)),
    ]
    let ids = answers.compactMap { $0.fields.first(.xRequestID) }
    #expect(Set(ids).count == 6)
    #expect(harness.outcomes.all.map(\.name) == ids)
    for answer in answers { #expect(answer.fields.first(.traceparent) == nil) }
  }

  /// W3C Trace Context, section 3.2.2 and 4.3: what is understood goes on, with a span of our own.
  @Test(arguments: [
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00"),
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03", "03"),
    ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-f9", "01"),
    ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
    ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-else", "01"),
  ])
  func aTraceGoesOn(_ traceparent: String, _ flags: String) async throws {
    let harness = try Harness()
    let parts = try #require(await get(harness, "traceparent: \(traceparent)\r\n").fields.first(.traceparent))
      .split(separator: "-").map(String.init)
    #expect(parts.count == 4 && parts[0] == "00" && parts[1] == "4bf92f3577b34da6a3ce929d0e0e4736")
    #expect(parts[2].count == 16 && parts[2] != "00f067aa0ba902b7" && parts[2] != String(repeating: "0", count: 16))
    #expect(parts[3] == flags)
    let trace = try #require(harness.outcomes.all.first?.trace)
    #expect(trace.traceID == parts[1] && trace.spanID == parts[2])
  }

  @Test(arguments: [
    "", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "junk",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
    "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
    "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
    "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
    "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
      + "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  ])
  func aMalformedTraceBeginsAnew(_ traceparent: String) async throws {
    let found = try #require(await get(try Harness(), "traceparent: \(traceparent)\r\n").fields.first(.traceparent))
    let parts = found.split(separator: "-").map(String.init)
    #expect(parts.count == 4 && parts[0] == "00" && parts[1].count == 32 && parts[2].count == 16 && parts[3] == "00")
    #expect(parts[1] != "4bf92f3577b34da6a3ce929d0e0e4736" && parts[1] != String(repeating: "0", count: 32))
  }

  @Test func theOutcomeKnowsTheClient() async throws {
    let harness = try Harness()
    _ = await harness.get("/livez")
    _ = await harness.get("/nowhere")
    #expect(harness.outcomes.all.map { $0.client?.description } == ["192.0.2.7:40000", "192.0.2.7:40000"])
  }

  /// What the transport answers keeps the request's route, its id and its time.
  @Test func aRequestThatFailsOnItsWayIsStillItself() async throws {
    let harness = try Harness()
    let (head, _) = Harness.parse(
      Array(
        "POST /v1/ffn HTTP/1.1\r\nHost: a\r\nX-Request-Id: r7\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
          .utf8))
    guard case .accept(_, let admitted) = harness.api.admit(head) else {
      Issue.record("it is admitted")
      return
    }
    let answer = Answer(harness.api.answer(.requestTimeout, to: head, admitted))
    #expect(answer.status == 408 && answer.fields.first(.xRequestID) == "r7")
    let outcome = try #require(harness.outcomes.all.first)
    #expect(outcome.route == "/v1/ffn" && outcome.name == "r7" && outcome.timing.total > 0)
  }
}

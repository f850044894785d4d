import Foundation
import HTTP1
import InferenceAPI
import Testing

/// Who is let in, and how much of it. A token's digest is here what the test says it is: SHA-256 is tested where it is.
@Suite struct AccessTests {
  /// 32 octets of the token's first letter.
  static func digest(_ token: [UInt8]) -> [UInt8] { Array(repeating: token.first ?? 0, count: 32) }

  static func rule(
    _ name: String, rate: Double? = nil, burst: Double = 1, concurrency: Int? = nil
  ) throws -> KeyRule {
    KeyRule(
      name: name, digest: try #require(TokenDigest(digest(Array(name.utf8)))), rate: rate, burst: burst,
      concurrency: concurrency)
  }

  static func harness(_ rules: KeyRule..., maxBatchRows: Int = 64, batchDelay: Duration = .zero) throws -> (
    Harness, KeyRing
  ) {
    let ring = KeyRing(rules, digest: digest)
    return (try Harness(workers: 1, maxBatchRows: maxBatchRows, batchDelay: batchDelay) { $0.keys = ring }, ring)
  }

  static func post(_ authorization: String?) -> String {
    let field = authorization.map { "Authorization: \($0)\r\n" } ?? ""
    let body = #"{"input":[1,2,3,4]}"#
    return "POST /v1/ffn HTTP/1.1\r\nHost: a\r\n\(field)Content-Type: application/json\r\n"
      + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  @Test(arguments: [
    ("Bearer alice", 200), ("bearer alice", 200), ("BEARER   alice", 200), ("Bearer bob", 200), ("Bearer carol", 401),
    ("Bearer", 401), ("Bearer ", 401), ("Basic alice", 401), ("alice", 401), ("Bearer:alice", 401), (nil, 401),
    ("Bearer alice\r\nAuthorization: Bearer bob", 401),
  ])
  func aKeyLetsIn(_ authorization: String?, _ status: Int) async throws {
    let (harness, _) = try Self.harness(Self.rule("alice"), Self.rule("bob"))
    let answer = await harness.send(Self.post(authorization))
    #expect(answer.status == status)
    guard status == 401 else { return }
    #expect(answer.problem == "unauthorized")
    let challenge = try #require(answer.fields.first(.wwwAuthenticate))
    #expect(challenge.hasPrefix("Bearer realm=\"sluice\""))
    #expect(challenge.contains("error=\"invalid_token\"") == (authorization != nil))
    #expect(harness.outcomes.all.map(\.keyName) == [nil])
  }

  /// On the head: a client without a key sends no body for nothing, and learns nothing of what there is.
  @Test(arguments: ["/v1/ffn", "/v1/models", "/openapi.yaml", "/v2", "/v2/models/demo/infer", "/nowhere"])
  func withoutAKeyThereIsNothing(_ path: String) async throws {
    let (harness, _) = try Self.harness(Self.rule("alice"))
    let (head, _) = Harness.parse(Array("DELETE \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".utf8))
    guard case .reject(let response) = harness.api.admit(head) else {
      Issue.record("\(path) is open")
      return
    }
    #expect(response.status == .unauthorized)
  }

  @Test(arguments: ["/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"])
  func healthAndMetricsNeedNone(_ path: String) async throws {
    let (harness, _) = try Self.harness(Self.rule("alice"))
    #expect(await harness.get(path).status == 200)
  }

  @Test(arguments: [
    ("/livez", 200, 200), ("/metrics", 404, 200), ("/v1/models", 200, 404), ("/openapi.yaml", 200, 404),
    ("/v2/health/ready", 200, 200),
  ])
  func anAdminListenerTakesWhatIsForOperators(_ path: String, _ main: Int, _ admin: Int) async throws {
    let harness = try Harness()
    let request = "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
    #expect(await harness.send(request, at: .main).status == main)
    #expect(await harness.send(request, at: .admin).status == admin)
    #expect(await harness.send(request).status == 200)
  }

  @Test func theAdminListenerNeedsNoKey() async throws {
    let (harness, _) = try Self.harness(Self.rule("alice"))
    #expect(await harness.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", at: .admin).status == 200)
    #expect(await harness.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", at: .main).status == 401)
  }

  /// Two at once, then one in eleven days: the third is told to come back in an hour, the longest that is ever said.
  @Test func aRateIsKept() async throws {
    let (harness, _) = try Self.harness(Self.rule("alice", rate: 0.000_001, burst: 2), Self.rule("bob"))
    for status in [200, 200, 429] {
      let answer = await harness.send(Self.post("Bearer alice"))
      #expect(answer.status == status)
      guard status == 429 else { continue }
      #expect(answer.problem == "rate-limited")
      #expect(answer.fields.first(.retryAfter) == "3600")
    }
    #expect(await harness.send(Self.post("Bearer bob")).status == 200)
    #expect(harness.outcomes.all.map(\.keyName) == ["alice", "alice", "alice", "bob"])
    let metrics = await harness.get("/metrics").text
    #expect(metrics.contains("\nsluice_key_requests_total{key=\"alice\",outcome=\"ok\"} 2\n"))
    #expect(metrics.contains("\nsluice_key_requests_total{key=\"alice\",outcome=\"rate-limited\"} 1\n"))
    #expect(metrics.contains("\nsluice_key_requests_total{key=\"bob\",outcome=\"ok\"} 1\n"))
    #expect(metrics.contains("\nsluice_rejections_total{reason=\"rate-limited\"} 1\n"))
  }

  @Test func concurrencyIsKept() async throws {
    let (harness, _) = try Self.harness(
      Self.rule("alice", concurrency: 2), maxBatchRows: 3, batchDelay: .seconds(600))
    let first = harness.start(Self.post("Bearer alice"))
    let second = harness.start(Self.post("Bearer alice"))
    let third = await harness.send(Self.post("Bearer alice"))
    #expect(third.status == 429 && third.problem == "concurrency-limited" && third.fields.first(.retryAfter) != nil)
    // One client leaves, and its place is free.
    first.cancel()
    let fourth = harness.start(Self.post("Bearer alice"))
    #expect((await harness.send(Self.post("Bearer alice"))).status == 429)
    #expect(
      harness.outcomes.all.map(\.ending) == [
        .problem(.concurrencyLimited), .clientGone, .problem(.concurrencyLimited),
      ])
    second.cancel()
    fourth.cancel()
    #expect(
      await harness.send("GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer alice\r\n\r\n").status == 200)
  }

  @Test func aFailureOnTheWayGivesThePlaceBack() async throws {
    let (harness, _) = try Self.harness(Self.rule("alice", concurrency: 1))
    let (head, _) = Harness.parse(Array(Self.post("Bearer alice").utf8))
    for _ in 0..<3 {
      guard case .accept(_, let admitted) = harness.api.admit(head) else {
        Issue.record("it is admitted")
        return
      }
      #expect(harness.api.answer(.requestTimeout, to: head, admitted).status == .requestTimeout)
    }
    // A client that leaves in the middle of its body is told nothing: then only the memory of it goes.
    _ = harness.api.admit(head)
    #expect(await harness.send(Self.post("Bearer alice")).status == 200)
  }

  @Test func keysAreExchangedAndGoOn() async throws {
    let (harness, ring) = try Self.harness(Self.rule("alice", rate: 0.001, burst: 1), Self.rule("bob"))
    #expect(await harness.send(Self.post("Bearer alice")).status == 200)
    ring.replace([try Self.rule("alice", rate: 0.001, burst: 1), try Self.rule("carol")])
    #expect(await harness.send(Self.post("Bearer alice")).status == 429)
    #expect(await harness.send(Self.post("Bearer bob")).status == 401)
    #expect(await harness.send(Self.post("Bearer carol")).status == 200)
  }

  @Test func digestsHave32Octets() {
    #expect(TokenDigest([]) == nil && TokenDigest(Array(repeating: 0, count: 33)) == nil)
    let octets = (0..<32).map { UInt8($0) }
    #expect(TokenDigest(octets) == TokenDigest(octets))
    for place in 0..<32 {
      var other = octets
      other[place] ^= 0x80
      #expect(TokenDigest(other) != TokenDigest(octets))
    }
  }
}

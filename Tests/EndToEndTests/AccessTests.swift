import Foundation
import Testing

/// Keys from their making to their exchange, and the door for operators.
@Suite struct AccessTests {
  /// Makes a key, and returns its token and its line.
  static func makeKey(_ arguments: String...) async throws -> (token: String, line: String) {
    let made = try await Program.run(Program.sluice, ["key"] + arguments)
    #expect(made.status == 0, "\(made.error)")
    return (made.error.trimmingCharacters(in: .whitespacesAndNewlines), made.output)
  }

  static func status(_ url: String, _ token: String?, _ arguments: String...) async throws -> String {
    let field = token.map { ["-H", "Authorization: Bearer \($0)"] } ?? []
    return try await Program.curl(["-o", "/dev/null", "-w", "%{http_code}"] + field + arguments + [url]).output
  }

  /// What the file holds is the SHA-256 of the token, by somebody else's reckoning.
  @Test func theLineHoldsTheTokensHash() async throws {
    let (token, line) = try await Self.makeKey("alice", "--rate", "2.5", "--concurrency", "8")
    let sum = try await Program.run(Program.named("sha256sum"), [], input: Data(token.utf8))
    let digest = try #require(sum.output.split(separator: " ").first)
    #expect(line == "alice sha256:\(digest) rate=2.5 concurrency=8\n")
    #expect(try await Self.makeKey("alice").token != token)
  }

  @Test(arguments: [
    ["a b"], ["a", "--rate", "0"], ["a", "--rate", "-1"], ["a", "--rate", "inf"], ["a", "--rate", "1e300"],
    ["a", "--concurrency", "0"], ["a", "--burst", "5"],
  ])
  func aKeyThatNoServerWouldTakeIsNotMade(_ arguments: [String]) async throws {
    #expect(try await Program.run(Program.sluice, ["key"] + arguments).status == 64)
  }

  @Test func keysAreWantedAndReadAgain() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let file = folder.url.appending(path: "keys")
    let alice = try await Self.makeKey("alice", "--rate", "0.001", "--burst", "2")
    let bob = try await Self.makeKey("bob")
    try Data("# who may\n\n\(alice.line)".utf8).write(to: file)
    let server = try await RunningServer("--api-keys", file.path)
    let url = server.url("/v1/models")
    #expect(try await Self.status(url, nil) == "401")
    #expect(try await Self.status(url, bob.token) == "401")
    #expect(try await Self.status(url, alice.token) == "200")
    #expect(try await Self.status(server.url("/livez"), nil) == "200")
    #expect(try await Self.status(server.url("/metrics"), nil) == "200")
    // Refused on the head: the body that is announced never leaves.
    let refused = try await Program.curl(
      "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", "-X", "POST", "-H", "Expect: 100-continue", "-H",
      "Content-Type: application/json", "--data-binary", "@/proc/self/exe", server.url("/v1/ffn"))
    #expect(refused.output == "401 0")
    #expect(try await Self.status(url, alice.token) == "200")
    let limited = try await Program.curl("-i", "-H", "Authorization: Bearer \(alice.token)", url)
    #expect(limited.output.hasPrefix("HTTP/1.1 429 ") && limited.output.lowercased().contains("\r\nretry-after: "))

    try Data(bob.line.utf8).write(to: file)
    kill(server.pid, SIGHUP)
    #expect(await server.line { $0.contains("keys read again") } != nil)
    #expect(try await Self.status(url, bob.token) == "200")
    #expect(try await Self.status(url, alice.token) == "401")

    try Data("bob sha256:nonsense".utf8).write(to: file)
    kill(server.pid, SIGHUP)
    let complaint = try #require(await server.line { $0.contains("keys not read again") })
    #expect(complaint.contains("line 1") && !complaint.contains("nonsense"))
    #expect(try await Self.status(url, bob.token) == "200")
    #expect(await server.stop() == 0)
    #expect(server.log.contains { $0.contains("\"key\":\"alice\"") && $0.contains("\"client\":\"127.0.0.1:") })
    #expect(!server.log.contains { $0.contains(alice.token) || $0.contains(bob.token) })
  }

  @Test(arguments: [
    ("", 65, "there is no key"), ("# none\n", 65, "there is no key"), ("alice", 65, "line 1"),
    ("\n\nalice sha256:00", 65, "line 3"), ("alice sha256:\(String(repeating: "0", count: 64)) rate=x", 65, "line 1"),
    ("a! sha256:\(String(repeating: "0", count: 64))", 65, "line 1"),
    (
      "a sha256:\(String(repeating: "0", count: 64))\na sha256:\(String(repeating: "1", count: 64))", 65,
      "stands twice"
    ),
  ])
  func aFileThatIsNoListOfKeysIsRefused(_ text: String, _ status: Int, _ reason: String) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let file = folder.url.appending(path: "keys")
    try Data(text.utf8).write(to: file)
    let refused = try await Program.sluice("serve", "--port", "0", "--api-keys", file.path)
    #expect(refused.status == Int32(status) && refused.error.contains(reason), "\(refused.error)")
  }

  @Test func aMissingFileIsSaid() async throws {
    let refused = try await Program.sluice("serve", "--port", "0", "--api-keys", "/nonexistent/keys")
    #expect(refused.status == 66 && refused.error.contains("/nonexistent/keys"))
  }

  @Test func operatorsHaveADoorOfTheirOwn() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let socket = folder.url.appending(path: "admin").path
    let server = try await RunningServer("--admin-address", "unix:\(socket)")
    func admin(_ path: String, _ arguments: String...) async throws -> String {
      try await Program.curl(
        ["-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", socket] + arguments + ["http://admin\(path)"]
      ).output
    }
    #expect(try await admin("/metrics") == "200")
    #expect(try await admin("/readyz") == "200")
    #expect(try await admin("/v1/models") == "404")
    #expect(try await admin("/v2/repository/index", "-X", "POST") == "200")
    #expect(try await Self.status(server.url("/metrics"), nil) == "404")
    #expect(try await Self.status(server.url("/v2/repository/index"), nil, "-X", "POST") == "404")
    #expect(try await Self.status(server.url("/readyz"), nil) == "200")
    #expect(await server.stop() == 0)
  }

  @Test(arguments: ["8080", "host", "::1:80", "unix:", "host:99999", ":80"])
  func anAddressThatIsNoneIsRefused(_ address: String) async throws {
    #expect(try await Program.sluice("serve", "--admin-address", address).status == 64)
  }
}

import Foundation
import Testing

/// `sluice load-test` against the server, and against servers that answer in every way that HTTP/1.1 allows or not.
@Suite struct LoadTestTests {
  /// What it prints.
  struct Report: Decodable {
    let requests: Int
    let offered: Double
    let due: Double
    let rate: Double
    let errors: Int
    let p50_ms: Double
    let p999_ms: Double
    let max_ms: Double
    let late_ms: Double
    let late_max_ms: Double
    let hiccup_p99_ms: Double
    let hiccup_p999_ms: Double
    let hiccup_max_ms: Double
    let unsent: Int
    let statuses: [String: Int]
  }

  static func report(_ output: String) throws -> Report {
    try JSONDecoder().decode(Report.self, from: Data(output.utf8))
  }

  static func body(_ text: String, in folder: TemporaryFolder) throws -> String {
    let file = folder.url.appending(path: "body")
    try Data(text.utf8).write(to: file)
    return file.path
  }

  @Test(arguments: [[], ["--no-keep-alive"]])
  func itSendsWhatIsDueAndCountsTheAnswers(flags: [String]) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let server = try await RunningServer("--no-access-log")
    let arguments = [
      "load-test", "--url", server.url("/v1/ffn"), "--body", try Self.body(#"{"input": [[1, 2, 3, 4]]}"#, in: folder),
      "--header", "Content-Type: application/json", "--rate", "100", "--time", "1", "--arrivals", "even",
    ]
    let program = try await Program.run(Program.sluice, arguments + flags)
    #expect(program.status == 0 && program.error.isEmpty)
    let report = try Self.report(program.output)
    // 10 ms, 20 ms … 990 ms; the hundredth is due at the end, to the rounding of its time.
    #expect((99...100).contains(report.requests))
    #expect(report.statuses == ["200": report.requests])
    #expect(report.errors == 0 && report.unsent == 0 && report.offered == 100)
    #expect(0 < report.p50_ms && report.p50_ms <= report.p999_ms && report.p999_ms <= report.max_ms)
    #expect(0 < report.late_ms && report.late_ms <= report.late_max_ms)
    #expect(0 < report.hiccup_p99_ms && report.hiccup_p99_ms <= report.hiccup_p999_ms)
    #expect(report.hiccup_p999_ms <= report.hiccup_max_ms)

    let refused = try await Program.run(
      Program.sluice,
      arguments.map { $0 == "Content-Type: application/json" ? "Content-Type: text/plain" : $0 } + flags)
    let counted = try Self.report(refused.output)
    #expect(counted.statuses == ["415": counted.requests] && counted.errors == counted.requests && counted.rate == 0)
    #expect(await server.stop() == 0)
  }

  /// What it prints of a closed loop: nothing was due.
  struct ClosedReport: Decodable {
    let requests: Int
    let rate: Double
    let errors: Int
    let p50_ms: Double
    let max_ms: Double
    let hiccup_max_ms: Double
    let statuses: [String: Int]
    let offered: Double?
    let due: Double?
    let late_ms: Double?
    let late_max_ms: Double?
    let unsent: Int?

    init(_ output: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(output.utf8)) }

    var saysWhatWasDue: Bool { offered ?? due ?? late_ms ?? late_max_ms != nil || unsent != nil }
  }

  @Test(arguments: [[], ["--no-keep-alive"]])
  func withoutARateItAsksAgainWhenItIsAnswered(flags: [String]) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let server = try await RunningServer("--no-access-log")
    let arguments = [
      "load-test", "--url", server.url("/v1/ffn"), "--body", try Self.body(#"{"input": [[1, 2, 3, 4]]}"#, in: folder),
      "--header", "Content-Type: application/json", "--connections", "2", "--time", "500ms",
    ]
    let program = try await Program.run(Program.sluice, arguments + flags)
    #expect(program.status == 0 && program.error.isEmpty)
    let report = try ClosedReport(program.output)
    #expect(report.requests > 2 && report.statuses == ["200": report.requests] && report.errors == 0)
    #expect(0 < report.p50_ms && report.p50_ms <= report.max_ms && 0 < report.hiccup_max_ms && 0 < report.rate)
    #expect(!report.saysWhatWasDue)
    #expect(await server.stop() == 0)
  }

  /// `together` answers nobody before all five have asked.
  @Test(arguments: [("together", "200"), ("pieces", "200"), ("silently-closing", "200"), ("garbage", "broken")])
  func allItsConnectionsAskAtOnce(answer: String, outcome: String) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let program = try await Program.python(
      "answering.py", answer, try Program.sluice.path, "load-test", "--url", "http://127.0.0.1:{port}/", "--body",
      try Self.body("body", in: folder), "--connections", "5", "--time", "200ms")
    #expect(program.status == 0, "\(program.error)")
    let report = try ClosedReport(program.output)
    #expect(report.requests >= 5 && report.statuses == [outcome: report.requests])
  }

  @Test func chanceDecidesTheTimesAndAlwaysTheSame() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let path = folder.url.appending(path: "s").path
    let server = try await RunningServer("--no-access-log", "--unix-socket", path)
    var counts: Set<Int> = []
    for _ in 0..<2 {
      let program = try await Program.sluice(
        "load-test", "--url", "http://localhost/v1/ffn", "--unix-socket", path, "--body",
        try Self.body(#"{"input": [[1, 2, 3, 4]]}"#, in: folder), "--header", "Content-Type: application/json",
        "--rate", "300", "--time", "500ms")
      let report = try Self.report(program.output)
      #expect(report.errors == 0)
      counts.insert(report.requests)
    }
    // 150 expected; five standard deviations of a Poisson distribution on each side.
    #expect(counts.count == 1 && (89...211).contains(counts.first!))
    #expect(await server.stop() == 0)
  }

  @Test func aStallOfItsOwnShowsAsSuch() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let program = try await Program.python(
      "stalling.py", try Program.sluice.path, "load-test", "--url", "http://127.0.0.1:{port}/", "--body",
      try Self.body("body", in: folder), "--rate", "1000", "--time", "300ms", "--arrivals", "even")
    #expect(program.status == 0, "\(program.error)")
  }

  @Test(
    arguments: [
      ("interim", "200"), ("pieces", "200"), ("lower-case", "200"), ("closing", "200"), ("silently-closing", "200"),
      ("no-content", "204"), ("cut", "broken"), ("without-length", "broken"), ("garbage", "broken"),
      ("endless-head", "broken"),
    ])
  func itKnowsWhereAnAnswerEnds(answer: String, outcome: String) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let program = try await Program.python(
      "answering.py", answer, try Program.sluice.path, "load-test", "--url", "http://127.0.0.1:{port}/a?b", "--body",
      try Self.body("body", in: folder), "--rate", "200", "--time", "200ms", "--arrivals", "even")
    #expect(program.status == 0, "\(program.error)")
    let report = try Self.report(program.output)
    #expect((39...40).contains(report.requests) && report.statuses == [outcome: report.requests])
  }

  @Test(
    arguments: [
      (["--url", "ftp://h/p", "--rate", "1"], 64, "Error: The value 'ftp://h/p' is invalid"),
      (["--url", "http://:80/", "--rate", "1"], 64, "Error: The value 'http://:80/' is invalid"),
      (["--url", "http://h:70000/", "--rate", "1"], 64, "Error: The value 'http://h:70000/' is invalid"),
      (["--url", "http://h/", "--rate", "0"], 64, "Error: --rate: "),
      (["--url", "http://h/", "--rate", "1", "--header", "none"], 64, "Error: --header: 'none' is not of the form"),
      (["--url", "http://[::1]:1/", "--rate", "1"], 69, "sluice: http://[::1]:1/: connect: "),
      (["--url", "http://h/", "--rate", "1", "--unix-socket", "/nowhere"], 69, "sluice: http://h/: connect: "),
    ] as [([String], Int32, String)])
  func whatIsWrongIsSaid(arguments: [String], code: Int32, line: String) async throws {
    let program = try await Program.run(Program.sluice, ["load-test", "--body", "/dev/null"] + arguments)
    #expect(program.status == code)
    #expect(program.output.isEmpty)
    #expect(program.error.hasPrefix(line), "\(program.error)")
  }
}

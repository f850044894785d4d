import Foundation
import Testing

/// What loading costs in memory, as the kernel counts it for the process.
@Suite struct MemoryTests {
  /// Room for the program itself, its stacks and workspaces.
  static let programKiB = 64 << 10

  /// A line of /proc/PID/status, in KiB.
  static func status(_ name: String, _ server: RunningServer) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(server.pid)/status", encoding: .utf8)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + ":") })
    return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) })
  }

  /// The peak while 192 MiB are loaded is that and a twentieth, not twice that: pages of the file leave as they are
  /// packed. After they were loaded once more, what the older model held has gone back.
  @Test(arguments: ["f32", "bf16"])
  func theFileNeverStandsBesideItsPackedWeights(_ compute: String) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../scripts/make-checkpoint.py").path
    let made = try await Program.run(
      Program.named("python3"),
      [script, folder.url.path, "--d-model", "1024", "--d-ff", "4096", "--layers", "4", "--shards", "2"])
    try #require(made.status == 0, "\(made.error)")
    let server = try await RunningServer("--model", "m=\(folder.url.path)", "--compute", compute)
    let packed = server.startLine.resident_bytes >> 10
    #expect((compute == "f32" ? 192 << 10 : 96 << 10) <= packed)
    let peak = try Self.status("VmHWM", server)
    #expect(peak <= packed * 105 / 100 + Self.programKiB, "\(peak) KiB at the peak for \(packed) KiB")

    kill(server.pid, SIGHUP)
    _ = await server.line { $0.contains("\"message\":\"loaded\"") }
    let models = try await Program.curl(server.url("/v1/models"))
    #expect(models.output.contains("\"compute\":\"\(compute)\""))
    let resident = try Self.status("VmRSS", server)
    #expect(resident <= packed * 105 / 100 + Self.programKiB, "\(resident) KiB after an exchange of \(packed) KiB")
    #expect(await server.stop() == 0)
  }
}

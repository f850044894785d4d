import Foundation
import Testing

/// The scripts of `examples`: each gets the answer that it tells.
@Suite struct ExampleTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "examples")

  @Test func everyScriptGetsItsAnswer() async throws {
    let scripts =
      try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
      .filter { $0.hasSuffix(".sh") } + ["gradient.py"]
    #expect(!scripts.isEmpty)
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let made = try await Program.run(Self.folder.appending(path: "make-mixture.py"), [folder.url.path])
    try #require(made.status == 0, "\(made.error)")
    let server = try await RunningServer("--no-access-log", "--model", "demo", "--model", "moe=\(folder.url.path)")
    for script in scripts.sorted() {
      let file = Self.folder.appending(path: script)
      let told = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
        .filter { $0.hasPrefix("#   {") }.map { String($0.dropFirst("#   ".count)) }
      let run = try await Program.run(file, [server.url("")])
      #expect(run.status == 0, "\(script): \(run.error)")
      // What is told of a reply ends before its timing.
      let answers = run.output.split(separator: "\n").map { line in
        let parts = line.components(separatedBy: #","timing":"#)
        return parts.count > 1 ? parts[0] + "}" : parts[0]
      }
      #expect(!told.isEmpty && answers == told, "\(script): \(answers)")
    }
    #expect(await server.stop() == 0)
  }

  /// Attention in PyTorch and feed-forward layers here: the tokens of the whole model, or the script fails.
  @Test(.enabled(if: PyPI.hasTorch, "scripts/setup-clients --torch has not installed PyTorch and transformers"))
  func transformersGenerateTheSameTokens() async throws {
    let script = Self.folder.appending(path: "transformers_remote_mlp.py").path
    let run = try await Program.run(PyPI.python, [script, Program.sluice.path])
    #expect(run.status == 0, "\(run.output)\(run.error)")
    #expect(run.output.contains("llama: 48 tokens the same") && run.output.contains("mixtral: 48 tokens the same"))
  }

  private static var compiler: URL? {
    ["c++", "clang++", "g++"].lazy.compactMap { try? Program.named($0) }.first
  }

  /// The engines' clients, over TCP and a Unix socket; each checks that the same row has the same bits.
  @Test(.enabled(if: compiler != nil, "there is no C++ compiler"))
  func layerClientsGetTheirRows() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let client = folder.url.appending(path: "layer_client")
    let compiled = try await Program.run(
      try #require(Self.compiler),
      [
        "-Wall", "-Wextra", "-Werror", "-std=c++17", "-o", client.path,
        Self.folder.appending(path: "layer_client.cpp").path,
      ])
    try #require(compiled.status == 0, "\(compiled.error)")
    let socket = folder.url.appending(path: "s").path
    let server = try await RunningServer("--no-access-log", "--host", "127.0.0.1", "--unix-socket", socket)
    let python = try Program.named("python3")
    let script = Self.folder.appending(path: "layer_client.py").path
    for address in ["127.0.0.1:\(server.port)", socket] {
      for run in [
        try await Program.run(client, [address, "demo", "4", "20", "FP32"]),
        try await Program.run(client, [address, "demo.reglu", "4", "20", "BF16"]),
        try await Program.run(python, [script, address, "demo", "4", "20"]),
      ] {
        #expect(run.status == 0 && run.output.hasPrefix("20 calls of "), "\(run.output)\(run.error)")
      }
    }
    let refused = try await Program.run(client, ["127.0.0.1:\(server.port)", "demo", "5"])
    #expect(refused.status == 1 && refused.error.contains(#"{"error":"#), "\(refused.error)")
    #expect(await server.stop() == 0)
  }
}

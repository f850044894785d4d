import Foundation
import Testing

/// The scripts of `examples`: each gets the answer that it tells.
@Suite struct ExampleTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "examples")

  @Test func everyScriptGetsItsAnswer() async throws {
    let scripts = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path).filter { $0.hasSuffix(".sh") }
    #expect(!scripts.isEmpty)
    let server = try await RunningServer("--no-access-log")
    for script in scripts.sorted() {
      let file = Self.folder.appending(path: script)
      let told = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
        .filter { $0.hasPrefix("#   {") }.map { $0.dropFirst("#   ".count) }
      let run = try await Program.run(file, [server.url("")])
      #expect(run.status == 0, "\(script): \(run.error)")
      let answers = run.output.split(separator: "\n").compactMap { $0.components(separatedBy: #","timing":"#).first }
      #expect(!told.isEmpty && answers == told.map { String($0.dropLast()) }, "\(script)")
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
}

import Foundation
import Testing

/// A published layout from disk to answers.
@Suite struct CheckpointServingTests {
  struct Reply: Decodable {
    let model: String
    let layer: String
    let output: [[[Double]]]
  }

  @Test func aShardedDirectoryAnswersAsTheGolden() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let golden = try LlamaGolden()
    try golden.writeCheckpoint(to: folder.url)
    let server = try await RunningServer("--model", "llama=\(folder.url.path)")
    let rule = "down_proj(silu(gate_proj x) · up_proj x)"
    #expect(server.startLine.models == [.init(name: "llama", family: "llama", rule: rule, layers: 1)])

    // [2, 3, 64]: the golden's five rows, and the first of them again.
    let rows = [[0, 1, 2], [3, 4, 0]]
    let input = rows.map { $0.map { golden.row($0, of: "input") } }
    let body = folder.url.appending(path: "body.json")
    try JSONEncoder().encode(["input": input]).write(to: body)
    let curl = try await Program.curl(
      "--fail-with-body", "-H", "Content-Type: application/json", "--data-binary", "@\(body.path)",
      server.url("/v1/ffn"))
    #expect(curl.status == 0, "\(curl.output)\(curl.error)")
    let reply = try JSONDecoder().decode(Reply.self, from: Data(curl.output.utf8))
    #expect(reply.model == "llama" && reply.layer == LlamaGolden.prefix)
    try #require(reply.output.map { $0.map(\.count) } == [[64, 64, 64], [64, 64, 64]])
    for (batch, places) in rows.enumerated() {
      for (place, row) in places.enumerated() {
        let right = golden.row(row, of: "output")
        let error = zip(reply.output[batch][place], right).map { abs($0 - Double($1)) }.max() ?? .infinity
        #expect(error <= 4 * LlamaGolden.float32Error)
      }
    }
    #expect(await server.stop() == 0)
  }

  /// A file without config.json says by itself what it holds; the start line says how it was understood.
  @Test func aBareFileIsSwiGLUAndTheStartLineSaysSo() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let matrix = SafetensorsFile.Tensor(shape: [2, 2], values: [1, 0, 0, 1])
    let file = folder.url.appending(path: "layer.safetensors")
    try SafetensorsFile(["gate_proj.weight": matrix, "up_proj.weight": matrix, "down_proj.weight": matrix]).write(
      to: file)
    let server = try await RunningServer("--model", "bare=\(file.path)")
    let rule = "down_proj(silu(gate_proj x) · up_proj x)"
    #expect(server.startLine.models == [.init(name: "bare", family: "bare", rule: rule, layers: 1)])
    #expect(await server.stop() == 0)
  }

  /// What is served from a mapping cannot be computed without it: the end says which file it was.
  @Test func aCacheThatIsCutShortWhileItIsServedEndsTheServerByName() async throws {
    let (folder, cache) = (try TemporaryFolder(), try TemporaryFolder())
    defer {
      folder.remove()
      cache.remove()
    }
    try LlamaGolden().writeCheckpoint(to: folder.url)
    let arguments = ["--model", "llama=\(folder.url.path)", "--packed-cache", cache.url.path]
    let packing = try await RunningServer(arguments)
    #expect(await packing.stop() == 0)
    let panels = try #require(
      FileManager.default.contentsOfDirectory(at: cache.url, includingPropertiesForKeys: nil).first)

    // Swift's own crash reporter does not stand the address sanitizer.
    let server = try await RunningServer(arguments, environment: ["SWIFT_BACKTRACE": "enable=no"])
    try #require(truncate(panels.path, 0) == 0)
    let input = "[" + Array(repeating: "1", count: 64).joined(separator: ",") + "]"
    let curl = try await Program.curl(
      "-H", "Content-Type: application/json", "-d", #"{"input":\#(input)}"#, server.url("/v1/ffn"))
    #expect(curl.status != 0)
    let ending = "\(panels.lastPathComponent): cut short or unreadable while it is served"
    let last = await server.line { $0.hasSuffix(ending) }
    #expect(last?.hasPrefix("sluice: ") == true)
    #expect(await server.end() == 128 + SIGBUS)

    // Another start finds that the file is none, and packs again.
    let again = try await RunningServer(arguments)
    #expect(await again.stop() == 0)
  }

  @Test func severalModelsAnswerByTheirNames() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try LlamaGolden().writeCheckpoint(to: folder.url)
    let server = try await RunningServer("--model", "a=\(folder.url.path)", "--model", "demo")
    #expect(server.startLine.models.map(\.name) == ["a", "demo"])
    for (body, expected) in [
      (#"{"model":"demo","layer":"geglu","input":[1,2,3,4]}"#, "200"), (#"{"input":[1,2,3,4]}"#, "422"),
      (#"{"model":"a","layer":1,"input":[1]}"#, "404"), (#"{"model":"b","input":[1]}"#, "404"),
    ] {
      let curl = try await Program.curl(
        "-H", "Content-Type: application/json", "-d", body, "-o", "/dev/null", "-w", "%{http_code}",
        server.url("/v1/ffn"))
      #expect(curl.output == expected, "\(body)")
    }
    #expect(await server.stop() == 0)
  }

  /// Eight clients on one layer: each answer has the digits of the same rows sent alone, and some shared a batch.
  @Test func companyDoesNotChangeABit() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../scripts/make-checkpoint.py").path
    let made = try await Program.run(
      Program.named("python3"), [script, folder.url.path, "--d-model", "256", "--d-ff", "1024", "--dtype", "BF16"])
    try #require(made.status == 0, "\(made.error)")
    let server = try await RunningServer("--model", "m=\(folder.url.path)", "--workers", "1", "--no-access-log")
    let clients = try await Program.python("concurrent.py", "\(server.port)", "256", "8")
    #expect(clients.status == 0, "\(clients.error)")
    #expect((Int(clients.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) > 1)
    #expect(await server.stop() == 0)
  }

  @Test func inspectShowsTheTable() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try LlamaGolden().writeCheckpoint(to: folder.url)
    let inspect = try await Program.sluice("inspect", "--headers", folder.url.path)
    #expect(inspect.status == 0, "\(inspect.error)")
    let lines = inspect.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines.first == "path    \(folder.url.path)")
    #expect(lines.contains("family  llama"))
    #expect(lines.contains { $0.hasPrefix("rule    down_proj(") })
    #expect(
      Array(lines.suffix(4)) == [
        "LAYER  NAME                VARIANT  DTYPE  GATE, UP   DOWN       BIASES   BYTES",
        "    0  model.layers.0.mlp  swiglu   F32    [160, 64]  [64, 160]  -       122880",
        "    1                                                                    122880",
        "",
      ])

    // 160 gate and up outputs in 10 pair panels, 64 outputs in 2 panels, each with 32 biases.
    let packed = 4 * (10 * 32 * 65 + 2 * 32 * 161)
    let measured = try await Program.sluice("inspect", folder.url.path)
    let row = try #require(measured.output.split(separator: "\n").first { $0.contains("model.layers.0.mlp") })
    let cells = row.split(separator: " ").map(String.init)
    #expect(cells.dropLast().suffix(2) == ["f32", "\(packed)"], "\(row)")
    #expect((Double(cells.last ?? "") ?? 1) < 1e-6)
    #expect(measured.output.contains("\nkernels "))
  }

  /// (config.json, exit code, what the one line has to name)
  @Test(arguments: [
    (#"{"model_type":"gpt_neox"}"#, 65, "gpt_neox"),
    (#"{"model_type":"llama","hidden_act":"gelu_fast_sigmoid"}"#, 65, "gelu_fast_sigmoid"),
    (#"{"model_type":"llama","hidden_act":"silu","hidden_size":32}"#, 65, "hidden_size"),
    (#"{"model_type":"#, 65, "config.json"),
  ])
  func whatIsRefusedIsNamed(configuration: String, code: Int32, word: String) async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try LlamaGolden().writeCheckpoint(to: folder.url)
    try Data(configuration.utf8).write(to: folder.url.appending(path: "config.json"))
    for arguments in [["inspect", folder.url.path], ["serve", "--port", "0", "--model", "m=\(folder.url.path)"]] {
      let refused = try await Program.run(Program.sluice, arguments)
      #expect(refused.status == code && refused.output.isEmpty)
      #expect(refused.error.hasPrefix("sluice: ") && refused.error.contains(word), "\(refused.error)")
      #expect(refused.error.split(separator: "\n").count == 1)
    }
  }
}

import Foundation
import Testing

/// `sluice bench`: what it prints, never how fast anything was.
@Suite struct BenchmarkTests {
  @Test func jsonLinesHaveWhatScriptsRead() async throws {
    let program = try await Program.sluice(
      "bench", "--shapes", "64x96,33x17", "--rows", "1-2,4", "--compute", "f32,bf16", "--seconds", "0.001", "--json")
    #expect(program.status == 0 && program.error.isEmpty, "\(program.error)")
    let records = try Self.records(program.output)

    let machine = try #require(records.first)
    #expect(machine["record"] as? String == "machine")
    #expect(machine["cells"] as? Int == 12)
    #expect(machine["kernels"] is String && machine["threads"] is Int)
    let peaks = try #require(machine["peak_gops"] as? [String: Double])
    #expect(Set(peaks.keys) == ["f32", "bf16"] && peaks.values.allSatisfy { $0 > 0 })
    for name in ["memory_read_gbps", "cache_read_gbps", "estimated_seconds"] {
      #expect(try #require(machine[name] as? Double) > 0, "\(name)")
    }

    let cells = records.filter { $0["record"] as? String == "cell" }
    let keys = cells.map { "\($0["d_model"]!)x\($0["d_ff"]!) \($0["compute"]!) of \($0["stored"]!) \($0["rows"]!)" }
    #expect(
      keys
        == [
          "64x96 f32 of F32", "64x96 bf16 of BF16", "33x17 f32 of F32", "33x17 bf16 of BF16",
        ].flatMap { layer in [1, 2, 4].map { "\(layer) \($0)" } })
    for cell in cells {
      #expect(cell["gate"] as? String == "swiglu")
      #expect(try #require(cell["rounds"] as? Int) >= 5)
      let times = ["least_us", "lower_us", "median_us", "upper_us"].compactMap { cell[$0] as? Double }
      #expect(times.count == 4 && times == times.sorted() && times[0] > 0)
      for name in ["gops", "gbps", "peak_share", "read_share"] {
        #expect(try #require(cell[name] as? Double) > 0, "\(name)")
      }
      // Beside the next larger power of two of rows, where there is one.
      let rows = try #require(cell["rows"] as? Int)
      #expect(cell["next_rows"] as? Int == [1: 2, 2: 4][rows])
      #expect((cell["cliff"] is Bool) == (rows < 4))
    }

    let end = try #require(records.last)
    #expect(end["record"] as? String == "end")
    #expect(end["cells"] as? Int == 12 && end["interrupted"] as? Bool == false)
  }

  /// A multiply–add is two operations: rows · 2 · 3 · d_model · d_ff of them in the time of a pass.
  @Test func ratesAreThoseOfTheTimes() async throws {
    let program = try await Program.sluice(
      "bench", "--shapes", "48x80", "--rows", "3", "--compute", "f32", "--seconds", "0.001", "--json")
    let cell = try #require(try Self.records(program.output).first { $0["record"] as? String == "cell" })
    let median = try #require(cell["median_us"] as? Double)
    let gops = try #require(cell["gops"] as? Double)
    #expect(abs(gops * median * 1000 / Double(3 * 6 * 48 * 80) - 1) < 1e-5)
    let bytes = try #require(cell["resident_bytes"] as? Int)
    #expect(bytes >= 3 * 48 * 80 * 4)
    let gbps = try #require(cell["gbps"] as? Double)
    #expect(abs(gbps * median * 1000 / Double(bytes) - 1) < 1e-5)
  }

  @Test func aTableHasALineForEachNumberOfRows() async throws {
    let program = try await Program.sluice(
      "bench", "--shapes", "64x96", "--rows", "1,16,64", "--compute", "f32", "--seconds", "0.001", "--gate", "geglu")
    #expect(program.status == 0 && program.error.isEmpty)
    let lines = program.output.split(separator: "\n").map { $0.split(separator: " ") }
    #expect(lines.map { $0[0] }.starts(with: ["machine", "peaks", "reads", "time", "64x96", "ROWS", "1", "16", "64"]))
    #expect(lines[4].joined(separator: " ").hasPrefix("64x96 f32: geglu, F32 weights, "))
  }

  @Test func aCheckpointsLayersAreMeasuredOnceForEachKind() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try Self.writeLlama(layers: 3, to: folder.url)
    let program = try await Program.sluice(
      "bench", "--model", "small=\(folder.url.path)", "--rows", "2", "--compute", "f32", "--seconds", "0.001", "--json")
    #expect(program.status == 0, "\(program.error)")
    let cells = try Self.records(program.output).filter { $0["record"] as? String == "cell" }
    #expect(cells.count == 1)
    #expect(cells.first?["model"] as? String == "small")
    #expect(cells.first?["layer"] as? String == "model.layers.0.mlp")
    #expect(cells.first?["layers_alike"] as? Int == 3)
  }

  /// DeepSeek V3's layout: a mixture's rows go to some of its experts, so that its weights are not all read.
  @Test func aMixtureIsMeasuredWithItsRouter() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "FeedForwardTests/Fixtures/deepseek_v3_moe.safetensors")
    try FileManager.default.copyItem(at: fixture, to: folder.url.appending(path: "model.safetensors"))
    let configuration = """
      {"model_type": "deepseek_v3", "hidden_size": 64, "moe_intermediate_size": 48, "n_routed_experts": 8, \
      "n_shared_experts": 1, "num_experts_per_tok": 3, "n_group": 4, "topk_group": 2, "norm_topk_prob": true, \
      "routed_scaling_factor": 2.5, "num_hidden_layers": 1}
      """
    try Data(configuration.utf8).write(to: folder.url.appending(path: "config.json"))
    let program = try await Program.sluice(
      "bench", "--model", "moe=\(folder.url.path)", "--rows", "1,2", "--compute", "f32", "--seconds", "0.001", "--json")
    #expect(program.status == 0, "\(program.error)")
    let cells = try Self.records(program.output).filter { $0["record"] as? String == "cell" }
    #expect(cells.map { $0["rows"] as? Int } == [1, 2])
    for cell in cells {
      #expect(cell["experts"] as? Int == 8 && cell["top_k"] as? Int == 3)
      #expect(cell["gbps"] == nil && cell["read_share"] == nil && cell["peak_share"] is Double)
    }
  }

  @Test func aTurnIsAnsweredByALine() async throws {
    let program = try await Program.run(
      Program.sluice, ["bench", "--turns", "--shapes", "64x96", "--rows", "1,8", "--compute", "f32"],
      input: Data("8 0\n1 0.001\n".utf8))
    #expect(program.status == 0 && program.error.isEmpty)
    let records = try Self.records(program.output)
    #expect(records.map { $0["record"] as? String } == ["ready", "turn", "turn"])
    #expect(records.map { $0["rows"] as? Int } == [nil, 8, 1])
    for turn in records.dropFirst() {
      #expect(try #require(turn["passes"] as? Int) >= 3)
      #expect(try #require(turn["median_us"] as? Double) >= #require(turn["least_us"] as? Double))
    }
  }

  /// `Benchmarks/peers/engine --alone`: the tables of docs/performance.md, put where the document has a place for them.
  @Test func theScriptWritesTablesOfIt() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let document = folder.url.appending(path: "figures.md")
    try Data("before\n<!-- engine alone -->\nold\n<!-- end of engine alone -->\nafter\n".utf8).write(to: document)
    let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Benchmarks/peers/engine")
    let program = try await Program.run(
      Program.named("python3"),
      [
        script.path, "--alone", "--binary", try Program.sluice.path, "--shapes", "16x24", "--rows", "1,64",
        "--compute", "f32", "--seconds", "0.001", "--write", document.path,
      ])
    #expect(program.status == 0, "\(program.error)")
    let lines = try String(contentsOf: document, encoding: .utf8).split(separator: "\n").map(String.init)
    #expect(lines.first == "before" && lines.last == "after" && !lines.contains("old"))
    #expect(lines.contains { $0.hasPrefix("| 16×24 | 1 |") } && lines.contains { $0.hasPrefix("|  | 64 |") })
    #expect(lines.contains { $0.hasPrefix("| f32 | 16×24 |") }, "the rows between powers of two")
  }

  @Test func anInterruptedRunSaysWhatItHas() async throws {
    let program = try await Program.python("interrupted.py", try Program.sluice.path)
    #expect(program.status == 0, "\(program.error)")
    let records = try Self.records(program.output)
    #expect(records.first?["record"] as? String == "machine")
    #expect(records.last?["record"] as? String == "end")
    #expect(records.last?["interrupted"] as? Bool == true)
  }

  /// (arguments, exit code, how the error begins)
  @Test(
    arguments: [
      (["--shapes", "64"], 64, "Error: The value '64' is invalid for '--shapes <list>'"),
      (["--rows", "0"], 64, "Error: The value '0' is invalid for '--rows <list>'"),
      (["--compute", "f64"], 64, "Error: The value 'f64' is invalid for '--compute <list>'"),
      (["--seconds", "0"], 64, "Error: --seconds: more than 0 and at most 3600"),
      (["--gate", "gelu"], 64, "Error: --gate: no gate has the name gelu"),
      (["--model", "demo"], 64, "sluice: --model demo: the embedded model is too small to be measured"),
      (["--layers", "0"], 64, "sluice: --layers selects layers of a checkpoint: --model is missing"),
      (["--model", "m=/nowhere/at/all"], 66, "sluice: model \"m\": /nowhere/at/all: "),
      (
        ["--turns", "--shapes", "8x8,8x16", "--compute", "f32"], 64,
        "sluice: --turns takes one layer in one arithmetic: "
      ),
      // 4 TiB a projection.
      (
        ["--shapes", "1048576x1048576", "--compute", "f32", "--seconds", "0.001"], 71,
        "sluice: 1048576x1048576 f32 is left out: it takes "
      ),
    ] as [([String], Int32, String)])
  func whatIsWrongIsSaid(arguments: [String], code: Int32, line: String) async throws {
    let program = try await Program.run(Program.sluice, ["bench"] + arguments)
    #expect(program.status == code)
    #expect(program.error.hasPrefix(line), "\(program.error)")
  }

  /// A checkpoint whose layers take rows of 4 numbers, and differ in nothing but their names.
  private static func writeLlama(layers: Int, to folder: URL) throws {
    let wide = SafetensorsFile.Tensor(shape: [6, 4], values: (0..<24).map { Float($0) / 24 })
    let tall = SafetensorsFile.Tensor(shape: [4, 6], values: wide.values)
    var file = SafetensorsFile()
    for layer in 0..<layers {
      for (name, tensor) in [("gate", wide), ("up", wide), ("down", tall)] {
        file.tensors["model.layers.\(layer).mlp.\(name)_proj.weight"] = tensor
      }
    }
    try file.write(to: folder.appending(path: "model.safetensors"))
    let configuration = """
      {"model_type": "llama", "hidden_size": 4, "intermediate_size": 6, "num_hidden_layers": \(layers), \
      "hidden_act": "silu"}
      """
    try Data(configuration.utf8).write(to: folder.appending(path: "config.json"))
  }

  private static func records(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }
}

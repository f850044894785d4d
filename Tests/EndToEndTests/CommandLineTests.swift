import Foundation
import Testing

/// Flags, variables, exit codes.
@Suite struct CommandLineTests {
  @Test func versionAndHelp() async throws {
    let version = try await Program.sluice("--version")
    #expect(version.status == 0 && version.output.hasPrefix("sluice "))
    let root = try await Program.sluice()
    #expect(root.status == 0 && root.output.contains("SUBCOMMANDS"))
    let serve = try await Program.sluice("serve", "--help")
    #expect(serve.status == 0 && serve.output.contains("--max-batch-rows"))
  }

  /// (arguments, environment, exit code, what the first line of the error has to be)
  @Test(
    arguments: [
      (["serve", "--port", "x"], [:], 64, "Error: The value 'x' is invalid for '--port <n>'"),
      (["serve", "--nothing"], [:], 64, "Error: Unknown option '--nothing'"),
      (["serve", "--max-batch-rows", "0"], [:], 64, "Error: The value '0' is invalid for '--max-batch-rows <n>'"),
      (
        ["serve"], ["SLUICE_PORT": "x"], 64,
        "sluice: SLUICE_PORT=x: The value 'x' is invalid for '--port <n>'"
      ),
      (
        ["serve", "--workers", "1"], ["SLUICE_BATCH_DELAY_US": "1", "SLUICE_HEAD_TIMEOUT": "soon"], 64,
        "sluice: SLUICE_HEAD_TIMEOUT=soon: The value 'soon' is invalid for '--head-timeout <time>'"
      ),
      (["serve"], ["SLUICE_ACCESS_LOG": "perhaps"], 64, "sluice: SLUICE_ACCESS_LOG=perhaps: expected true or false"),
      (["serve", "--kernels", "x"], [:], 64, "sluice: --kernels x: this machine has "),
      (["serve", "--layers", "0"], [:], 64, "sluice: --layers selects layers of a checkpoint: --model is missing"),
      (["serve", "--model", "demo", "--model", "demo"], [:], 64, "sluice: two models have the name \"demo\""),
      (["serve", "--model", "m=/nowhere/at/all"], [:], 66, "sluice: model \"m\": /nowhere/at/all: "),
      (["inspect", "/nowhere/at/all"], [:], 66, "sluice: /nowhere/at/all: "),
      // An address of the documentation's range is nobody's own.
      (["serve", "--host", "203.0.113.7", "--port", "0"], [:], 69, "sluice: cannot listen at 203.0.113.7:0: "),
      (["probe", "--unix-socket", "/nowhere/at/all"], [:], 1, "sluice: not ready: connect: "),
    ] as [([String], [String: String], Int32, String)])
  func whatIsWrongIsSaid(
    arguments: [String], environment: [String: String], code: Int32, line: String
  ) async throws {
    let program = try await Program.run(Program.sluice, arguments, environment: environment)
    #expect(program.status == code)
    #expect(program.output.isEmpty)
    #expect(program.error.hasPrefix(line), "\(program.error)")
  }

  @Test func everyFlagIsAVariableToo() async throws {
    let server = try await RunningServer(
      "--workers", "1",
      environment: [
        "SLUICE_PORT": "0", "SLUICE_WORKERS": "7", "SLUICE_KERNELS": "scalar", "SLUICE_ACCESS_LOG": "false",
        "SLUICE_MODEL": "demo", "SLUICE_BACKLOG": "", "SLUICE_TIMEOUT": "1s", "SLUICE_COLOUR": "blue",
        // What Kubernetes sets for a service named sluice is not meant for the program.
        "SLUICE_SERVICE_HOST": "10.0.0.1", "SLUICE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
      ])
    // The flag wins.
    #expect(server.startLine.workers == 1)
    #expect(server.startLine.kernels == "scalar")
    let warnings = server.log.filter { $0.contains("\"level\":\"warning\"") }
    #expect(warnings.count == 1 && warnings[0].contains("SLUICE_COLOUR"))
    #expect(try await Program.curl(server.url("/readyz")).status == 0)
    #expect(await server.stop() == 0)
    #expect(!server.log.contains { $0.contains("\"message\":\"request\"") })
  }

  @Test func aServiceLinkIsNoPort() async throws {
    let server = try await RunningServer("--port", "0", environment: ["SLUICE_PORT": "tcp://10.0.0.1:8080"])
    #expect(await server.stop() == 0)
  }

  @Test func theProbeAsksOverTCP() async throws {
    let server = try await RunningServer()
    let ready = try await Program.sluice("probe", environment: ["SLUICE_PORT": "\(server.port)"])
    #expect(ready.status == 0 && ready.error.isEmpty)
    #expect(await server.stop() == 0)
    let gone = try await Program.sluice("probe", "--port", "\(server.port)")
    #expect(gone.status == 1 && gone.error.hasPrefix("sluice: not ready: "))
  }

  @Test func theProbeAsksOverAUnixSocket() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let path = folder.url.appending(path: "s").path
    let server = try await RunningServer("--unix-socket", path)
    #expect(server.startLine.addresses == ["unix:\(path)"])
    #expect(try await Program.sluice("probe", "--unix-socket", path).status == 0)
    #expect(await server.stop() == 0)
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}

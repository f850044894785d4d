import Foundation
import Testing

/// Clients of the Open Inference Protocol as they are, over TCP and TLS.
@Suite struct OpenInferenceClientTests {
  /// A server over TCP or TLS with an empty model repository, and what a client needs to reach it.
  private struct Served {
    let server: RunningServer
    let folder: TemporaryFolder
    let authority: [String]
    var repository: URL { folder.url.appending(path: "models") }
    var url: String { (authority.isEmpty ? "http" : "https") + "://localhost:\(server.port)" }

    init(tls: Bool, repository: Bool = true) async throws {
      folder = try TemporaryFolder()
      let models = folder.url.appending(path: "models")
      try FileManager.default.createDirectory(at: models, withIntermediateDirectories: true)
      var arguments = ["--no-access-log", "--model", "demo"]
      if repository { arguments += ["--model-repository", models.path] }
      if tls {
        let (certificate, key) = (folder.url.appending(path: "cert.pem"), folder.url.appending(path: "key.pem"))
        let openssl = try await Program.run(
          Program.named("openssl"),
          [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key.path, "-out", certificate.path,
          ])
        try #require(openssl.status == 0, "\(openssl.error)")
        arguments += ["--tls-cert", certificate.path, "--tls-key", key.path]
        authority = [certificate.path]
      } else {
        authority = []
      }
      server = try await RunningServer(arguments)
    }

    func end() async {
      #expect(await server.stop() == 0)
      folder.remove()
    }
  }

  @Test(
    .enabled(if: PyPI.hasTritonclient, "scripts/setup-clients has not installed tritonclient"),
    arguments: [false, true])
  func tritonclient(_ tls: Bool) async throws {
    let served = try await Served(tls: tls)
    let client = try await Program.run(
      PyPI.python,
      [
        Program.client("OpenInference/tritonclient_session.py"), "localhost:\(served.server.port)",
        served.repository.path,
      ] + served.authority)
    #expect(client.status == 0, "\(client.error)")
    await served.end()
  }

  @Test(arguments: [false, true])
  func bodiesByHand(_ tls: Bool) async throws {
    let served = try await Served(tls: tls, repository: false)
    let client = try await Program.run(
      Program.named("python3"), [Program.client("OpenInference/bodies.py"), served.url] + served.authority)
    #expect(client.status == 0, "\(client.error)")
    await served.end()
  }

  /// Load and unload under eight clients.
  @Test func modelsAreExchangedUnderLoad() async throws {
    let served = try await Served(tls: false)
    let client = try await Program.python(
      "OpenInference/exchange_models.py", "\(served.server.port)", served.repository.path, "\(served.server.pid)")
    #expect(client.status == 0, "\(client.error)")
    await served.end()
  }

  /// The load generator reads metadata, configuration and statistics, and stops at the first answer that it dislikes.
  /// The numbers that it makes up are any of float32, whose products JSON does not have.
  @Test(.enabled(if: PyPI.hasPerfAnalyzer, "scripts/setup-clients has not installed perf_analyzer"))
  func perfAnalyzer() async throws {
    let served = try await Served(tls: false)
    let report = served.folder.url.appending(path: "report.csv")
    for form in [
      ["--input-tensor-format", "binary"],
      ["--input-tensor-format", "json", "--output-tensor-format", "json", "--input-data", "zero"],
    ] {
      let run = try await Program.run(
        PyPI.perfAnalyzer,
        [
          "-m", "demo", "-u", "127.0.0.1:\(served.server.port)", "-b", "8", "--concurrency-range", "4", "-p", "300",
          "--stability-percentage", "999", "--max-trials", "3", "-f", report.path,
        ] + form, environment: ["LD_LIBRARY_PATH": PyPI.perfAnalyzerLibraries])
      #expect(run.status == 0, "\(run.output)\(run.error)")
      let table = try String(contentsOf: report, encoding: .utf8)
      #expect(table.hasPrefix("Concurrency,Inferences/Second"), "\(table)")
      #expect(table.contains("Server Compute Infer"), "statistics were read: \(table)")
    }
    await served.end()
  }
}

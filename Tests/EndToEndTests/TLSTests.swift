import Foundation
import Testing

/// `--tls-cert` and what belongs to it, with certificates made on the spot.
@Suite struct TLSTests {
  /// Makes a self-signed certificate for localhost and its key in one folder.
  private static func makeCertificate(in folder: URL, name: String) async throws {
    let openssl = try await Program.run(
      Program.named("openssl"),
      [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=\(name)", "-addext",
        "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", folder.appending(path: "key.pem").path, "-out",
        folder.appending(path: "cert.pem").path,
      ])
    try #require(openssl.status == 0, "\(openssl.error)")
  }

  @Test func itSpeaksHTTPSAndTakesRenewedCertificates() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try await Self.makeCertificate(in: folder.url, name: "first")
    let (certificate, key) = (folder.url.appending(path: "cert.pem"), folder.url.appending(path: "key.pem"))
    let first = folder.url.appending(path: "first.pem")
    try FileManager.default.copyItem(at: certificate, to: first)
    let server = try await RunningServer("--tls-cert", certificate.path, "--tls-key", key.path)
    let url = "https://127.0.0.1:\(server.port)/v1/ffn"
    func ask(trusting file: URL) async throws -> Program.Output {
      try await Program.curl(
        "--cacert", file.path, "-H", "Content-Type: application/json", "-d", #"{"input":[1,2,3,4]}"#, "-o",
        "/dev/null", "-w", "%{http_code}", url)
    }
    #expect(try await ask(trusting: certificate).output == "200")
    // HTTP in clear on this port is told so.
    let clear = try await Program.curl("-o", "/dev/null", "-w", "%{http_code}", server.url("/readyz"))
    #expect(clear.output == "400")

    try await Self.makeCertificate(in: folder.url, name: "second")
    kill(server.pid, SIGHUP)
    #expect(await server.line(where: { $0.contains("certificates read again") }) != nil)
    #expect(try await ask(trusting: certificate).output == "200")
    #expect(try await ask(trusting: first).status == 60, "the renewed certificate is presented")

    let second = folder.url.appending(path: "second.pem")
    try FileManager.default.copyItem(at: certificate, to: second)
    // A file that cannot be used leaves the server what it has.
    try Data("no certificate".utf8).write(to: certificate)
    kill(server.pid, SIGHUP)
    #expect(await server.line(where: { $0.contains("certificates not read again") }) != nil)
    #expect(try await ask(trusting: second).output == "200")
    #expect(await server.stop() == 0)
  }

  @Test func theProbeAsksByHTTPS() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let other = folder.url.appending(path: "other")
    try FileManager.default.createDirectory(at: other, withIntermediateDirectories: false)
    try await Self.makeCertificate(in: folder.url, name: "sluice")
    try await Self.makeCertificate(in: other, name: "other")
    let (certificate, key) = (folder.url.appending(path: "cert.pem").path, folder.url.appending(path: "key.pem").path)
    let stranger = other.appending(path: "cert.pem").path
    let server = try await RunningServer("--host", "0.0.0.0", "--tls-cert", certificate, "--tls-key", key)
    // The server's variables are the probe's.
    let environment = ["SLUICE_PORT": "\(server.port)", "SLUICE_TLS_CERT": certificate, "SLUICE_TLS_KEY": key]
    #expect(try await Program.sluice("probe", environment: environment).status == 0)

    /// (arguments, exit code, what is said)
    let port = ["--port", "\(server.port)"]
    let cases: [([String], Int32, String)] = [
      (["--tls"], 0, ""),
      (["--tls-ca", certificate, "--host", "localhost"], 0, ""),
      (["--tls-ca", certificate, "--host", "127.0.0.1"], 0, ""),
      (["--tls-ca", certificate, "--host", "127.0.0.2"], 1, "TLS: server certificate refused: IP address mismatch"),
      (["--tls-ca", stranger], 1, "TLS: server certificate refused: self-signed certificate"),
      (["--tls-ca", "/nowhere/ca.pem"], 1, "/nowhere/ca.pem: No such file or directory"),
      ([], 1, "HTTP/1.1 400 Bad Request"),
    ]
    for (arguments, status, said) in cases {
      let probe = try await Program.run(Program.sluice, ["probe"] + port + arguments)
      #expect(probe.status == status, "\(arguments)")
      #expect(probe.error == (said.isEmpty ? "" : "sluice: not ready: \(said)\n"), "\(arguments)")
    }
    #expect(await server.stop() == 0)

    let clear = try await RunningServer()
    let misled = try await Program.sluice("probe", "--tls", "--port", "\(clear.port)")
    #expect(misled.status == 1 && misled.error == "sluice: not ready: TLS: plain HTTP without TLS\n")
    #expect(await clear.stop() == 0)
  }

  @Test func aServerThatDemandsCertificatesIsProbedInClear() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    try await Self.makeCertificate(in: folder.url, name: "sluice")
    let (certificate, key) = (folder.url.appending(path: "cert.pem").path, folder.url.appending(path: "key.pem").path)
    var environment = [
      "SLUICE_TLS_CERT": certificate, "SLUICE_TLS_KEY": key, "SLUICE_TLS_CLIENT_CA": certificate,
      "SLUICE_ADMIN_ADDRESS": "unix:\(folder.url.appending(path: "admin").path)",
    ]
    let server = try await RunningServer([], environment: environment)
    environment["SLUICE_PORT"] = "\(server.port)"
    #expect(try await Program.sluice("probe", environment: environment).status == 0)
    environment["SLUICE_ADMIN_ADDRESS"] = nil
    let refused = try await Program.sluice("probe", environment: environment)
    #expect(refused.status == 1 && refused.error.contains("the server demands a client's certificate"))
    #expect(await server.stop() == 0)
  }

  @Test func whatCannotBeUsedIsNamed() async throws {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    let noKey = try await Program.sluice("serve", "--tls-key", "/nowhere/key.pem")
    #expect(noKey.status == 64 && noKey.error.hasPrefix("sluice: --tls-cert is missing"))
    let missing = try await Program.sluice("serve", "--tls-cert", "/nowhere/cert.pem")
    #expect(missing.status == 66 && missing.error.hasPrefix("sluice: /nowhere/cert.pem: "))
    let file = folder.url.appending(path: "cert.pem")
    try Data("no certificate".utf8).write(to: file)
    let refused = try await Program.sluice("serve", "--tls-cert", file.path)
    #expect(refused.status == 65 && refused.error.hasPrefix("sluice: \(file.path): "))
  }
}

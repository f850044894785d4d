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

import Foundation
import HTTPServer
import Testing

@Suite("TLS contexts from files")
struct TLSContextTests {
  private let fixture: TLSFixture

  init() throws { fixture = try TLSFixture.shared.get() }

  private func load(_ certificate: String, _ key: String, clientCA: String? = nil) throws(TLSConfigurationError)
    -> TLSContext
  {
    try TLSContext(
      TLSConfiguration(
        certificateChainFile: fixture.path(certificate), privateKeyFile: fixture.path(key),
        clientCAFile: clientCA.map { fixture.path($0) }))
  }

  @Test(
    "what can be used",
    arguments: [
      ("chain.pem", "server.key"), ("server.pem", "server.key"), ("chain.pem", "sec1.key"),
      ("chain.pem", "parameters.key"), ("combined.pem", "combined.pem"), ("chain.pem", "combined.pem"),
      ("rsa.pem", "rsa.key"),
    ])
  func usable(certificate: String, key: String) throws {
    #expect(try load(certificate, key).warnings == [])
    #expect(try load(certificate, key, clientCA: "clients.pem").warnings == [])
  }

  @Test("what is wrong, and with which file")
  func errors() {
    let path = fixture.path
    let cases: [(String, String, String?, TLSConfigurationError)] = [
      ("empty.pem", "server.key", nil, .notPEM(file: path("empty.pem"))),
      ("server.der", "server.key", nil, .notPEM(file: path("server.der"))),
      ("chain.pem", "ca.cnf", nil, .notPEM(file: path("ca.cnf"))),
      ("chain.pem", "server.key", "server.der", .notPEM(file: path("server.der"))),
      ("server.key", "server.key", nil, .noCertificate(file: path("server.key"))),
      ("chain.pem", "server.key", "client.key", .noCertificate(file: path("client.key"))),
      ("broken.pem", "server.key", nil, .malformedCertificate(file: path("broken.pem"), number: 1)),
      ("cut.pem", "server.key", nil, .malformedCertificate(file: path("cut.pem"), number: 1)),
      ("second-broken.pem", "server.key", nil, .malformedCertificate(file: path("second-broken.pem"), number: 2)),
      ("chain.pem", "server.pem", nil, .noPrivateKey(file: path("server.pem"))),
      ("chain.pem", "broken.key", nil, .malformedPrivateKey(file: path("broken.key"))),
      ("chain.pem", "encrypted.key", nil, .encryptedPrivateKey(file: path("encrypted.key"))),
      ("chain.pem", "traditional.key", nil, .encryptedPrivateKey(file: path("traditional.key"))),
      ("chain.pem", "rsa.key", nil, .keyMismatch(certificateFile: path("chain.pem"), keyFile: path("rsa.key"))),
      (
        "chain.pem", "client.key", nil,
        .keyMismatch(certificateFile: path("chain.pem"), keyFile: path("client.key"))
      ),
      ("reversed.pem", "server.key", nil, .certificateNotFirst(file: path("reversed.pem"), number: 2)),
      ("weak.pem", "weak.key", nil, .weakCertificate(file: path("weak.pem"))),
    ]
    for (certificate, key, clientCA, expected) in cases {
      let error = #expect(throws: TLSConfigurationError.self) { try load(certificate, key, clientCA: clientCA) }
      #expect(error == expected)
      #expect(error?.description.hasPrefix(fixture.path("")) == true)
    }
  }

  @Test("files that cannot be read, and one without end")
  func unreadable() {
    let path = fixture.path
    let cases: [(String, String, String?, String, Int32)] = [
      ("none.pem", "server.key", nil, path("none.pem"), ENOENT),
      ("chain.pem", "none.key", nil, path("none.key"), ENOENT),
      ("chain.pem", "server.key", "none.pem", path("none.pem"), ENOENT),
      (".", "server.key", nil, path("."), EISDIR), ("/dev/zero", "server.key", nil, "/dev/zero", EFBIG),
    ]
    for (certificate, key, clientCA, file, code) in cases {
      guard
        case .unreadable(file, let reason) = #expect(
          throws: TLSConfigurationError.self, performing: { try load(certificate, key, clientCA: clientCA) })
      else {
        Issue.record("\(certificate) \(key)")
        continue
      }
      #expect(reason.code == code)
    }
  }

  @Test("what is no error, but worth a word")
  func warnings() throws {
    let expired = try load("expired.pem", "expired.key")
    let date = "Feb  1 00:00:00 2020 GMT"
    #expect(expired.warnings == [.expired(file: fixture.path("expired.pem"), subject: "CN=expired", date: date)])
    let future = try load("future.pem", "future.key")
    let start = "Jan  1 00:00:00 2090 GMT"
    #expect(future.warnings == [.notYetValid(file: fixture.path("future.pem"), subject: "CN=future", date: start)])
    let client = try load("client.pem", "client.key")
    let subject = "CN=client 1,O=Exámple"
    #expect(client.warnings == [.notForServers(file: fixture.path("client.pem"), subject: subject)])
    let stale = try load("chain.pem", "server.key", clientCA: "stale.pem")
    #expect(stale.warnings == [.expired(file: fixture.path("stale.pem"), subject: "CN=stale", date: date)])
    for warning in expired.warnings + future.warnings + client.warnings {
      #expect(warning.description.hasPrefix(fixture.path("")))
    }
  }
}

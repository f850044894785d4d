import Foundation
import HTTPServer
import Testing

/// Long enough for many records in one direction.
private let body = Array(String(repeating: "0.123456789, ", count: 20_000).utf8)

private let response =
  Array("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body

@Suite("TLS with curl, Python's ssl and openssl s_client")
struct TLSInteroperabilityTests {
  private let fixture: TLSFixture

  init() throws { fixture = try TLSFixture.shared.get() }

  private func loopback(clientCA: String? = nil, connections: Int = 1) throws -> TLSLoopback {
    let context = try TLSContext(fixture.configuration(clientCA: clientCA))
    return try TLSLoopback(context, connections: connections, response: response)
  }

  @Test("curl", arguments: [("--tlsv1.3", TLSPeer.Version.tls13), ("--tls-max=1.2", .tls12)])
  func curl(flag: String, version: TLSPeer.Version) throws {
    let loopback = try loopback(clientCA: "clients.pem")
    let option = flag.split(separator: "=").map(String.init)
    let received = try Command.run(
      "curl", "--silent", "--show-error", "--max-time", "50", "--cacert", fixture.path("root.pem"),
      "--cert", fixture.path("client.pem"), "--key", fixture.path("client.key"), option[0],
      option.count > 1 ? option[1] : "--http1.1", "https://localhost:\(loopback.port)/v1/models")
    #expect(received == body)
    let outcome = try #require(loopback.finish().first)
    #expect(outcome.request.hasPrefix("GET /v1/models HTTP/1.1\r\n"))
    #expect(outcome.failure == nil && outcome.peer?.version == version && outcome.clientClosed)
    #expect(outcome.peer?.clientSubject == "CN=client 1,O=Exámple")
  }

  @Test("curl without the certificate it needs, and one that expects another server")
  func curlRefused() throws {
    let closed = try loopback(clientCA: "clients.pem")
    #expect(throws: Command.Failure.self) {
      try Command.run(
        "curl", "--silent", "--max-time", "50", "--cacert", fixture.path("root.pem"),
        "https://localhost:\(closed.port)/")
    }
    #expect(closed.finish().first?.failure == .clientCertificateMissing)

    let distrusted = try loopback()
    #expect(throws: Command.Failure.self) {
      try Command.run(
        "curl", "--silent", "--max-time", "50", "--cacert", fixture.path("foreign.pem"),
        "https://localhost:\(distrusted.port)/")
    }
    #expect(distrusted.finish().first?.failure == .peerAlert(48))

    let plain = try loopback()
    #expect(throws: Command.Failure.self) {
      try Command.run("curl", "--silent", "--max-time", "50", "http://localhost:\(plain.port)/")
    }
    #expect(plain.finish().first?.failure == .plainHTTP)
  }

  @Test("Python's ssl, which closes both ways and resumes", arguments: ["TLSv1_2", "TLSv1_3"])
  func python(version: String) throws {
    let loopback = try loopback(connections: 2)
    let script = """
      import socket, ssl, sys
      context = ssl.create_default_context(cafile="\(fixture.path("root.pem"))")
      context.minimum_version = context.maximum_version = ssl.TLSVersion.\(version)
      context.set_alpn_protocols(["h2", "http/1.1"])
      session = None
      for _ in range(2):
        raw = socket.create_connection(("127.0.0.1", \(loopback.port)), 50)
        with context.wrap_socket(raw, server_hostname="localhost", session=session, suppress_ragged_eofs=False) as s:
          assert s.selected_alpn_protocol() == "http/1.1" and s.compression() is None
          assert s.session_reused == (session is not None)
          s.sendall(b"GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
          data = b""
          while chunk := s.recv(4096):  # a ragged end, one without close_notify, would raise
            data += chunk
          session = s.session
          s.unwrap()
      sys.stdout.buffer.write(data)
      """
    #expect(try Command.run("python3", "-c", script) == response)
    let outcomes = loopback.finish()
    #expect(outcomes.map { $0.peer?.isResumed } == [false, true])
    #expect(outcomes.allSatisfy { $0.failure == nil && $0.clientClosed })
  }

  @Test("openssl s_client")
  func sClient() throws {
    let loopback = try loopback(connections: 3)
    let request = Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
    let received = try Command.run(
      "openssl", "s_client", "-connect", "127.0.0.1:\(loopback.port)", "-quiet", "-verify_return_error",
      "-verify_hostname", "localhost", "-CAfile", fixture.path("root.pem"), "-alpn", "http/1.1", input: request)
    #expect(received == response)
    for refused in [["-tls1_1", "-cipher", "ALL@SECLEVEL=0"], ["-alpn", "h2", "-ign_eof"]] {
      #expect(throws: Command.Failure.self) {
        try Command.run(
          "sh", "-c", #"exec openssl s_client -connect "$0" "$@""#, "127.0.0.1:\(loopback.port)", refused[0],
          refused[1], refused.count > 2 ? refused[2] : "-quiet")
      }
    }
    #expect(loopback.finish().map(\.failure) == [nil, .unsupportedVersion, .noSharedProtocol])
  }
}

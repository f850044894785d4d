import HTTP1
import HTTPServer
import Testing

@Suite struct SecureConnections {
  private static func server(
    clientCA: String? = nil, _ adjust: (inout ServerConfiguration) -> Void = { _ in }
  ) throws -> TestServer {
    let context = try TLSContext(TLSFixture.shared.get().configuration(clientCA: clientCA))
    return try TestServer {
      $0.tls = context
      adjust(&$0)
    }
  }

  private static func client(_ server: TestServer, _ options: TLSTestClient.Options = .init()) throws -> RawClient {
    let client = try RawClient(port: server.port)
    try client.secure(TLSTestClient(options))
    return client
  }

  @Test func requestsAndAnswers() throws {
    let server = try Self.server()
    defer { server.stop() }
    let client = try Self.client(server)
    for size in [0, 1, 16_384, 100_000] {
      let body = [UInt8](repeating: 0x62, count: size)
      try client.send(Array("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n".utf8) + body)
      #expect(try client.readAnswer().body == body)
    }
    try client.send("GET /tls HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(try client.readAnswer().text == "nobody")
    #expect(try client.isAtEnd())
  }

  @Test func pipelinedAnswersOfMoreThanTheSocketTakes() throws {
    let server = try Self.server { $0.capacity.unsentBytes = 100_000 }
    defer { server.stop() }
    let client = try Self.client(server)
    let size = 3 << 20
    try client.send(Array("POST /held?a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".utf8))
    try client.send(Array("POST /held?b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".utf8))
    server.held.awaitArrival()
    server.held.awaitArrival()
    for name in ["b", "a"] {
      server.held.take(name)?.respond(Response(.ok, body: [UInt8](repeating: UInt8(ascii: "c"), count: size)))
    }
    for _ in 0..<2 { #expect(try client.readAnswer().body.count == size) }
  }

  @Test func clientsAreKnownByTheirCertificates() throws {
    let server = try Self.server(clientCA: "clients.pem")
    defer { server.stop() }
    let fixture = try TLSFixture.shared.get()
    var options = TLSTestClient.Options()
    options.identity = (fixture.path("client.pem"), fixture.path("client.key"))
    let client = try Self.client(server, options)
    try client.send("GET /tls HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.readAnswer().text.contains("CN=client 1"))
    // In TLS 1.3 the client's handshake is through before its certificate is judged.
    let stranger = try Self.client(server)
    #expect(throws: (any Error).self) {
      try stranger.send("GET /tls HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try stranger.readAnswer()
    }
  }

  @Test func plainHTTPIsAnsweredInPlain() throws {
    let server = try Self.server()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.status == 400)
    #expect(answer.text == "plainHTTPOnTLSPort")
    #expect(answer.fields["connection"] == "close")
    #expect(try client.isAtEnd())
  }

  @Test(arguments: [[0x00], [0x16, 0x03, 0x01, 0x00, 0x05, 1, 2, 3, 4, 5], [UInt8](repeating: 0xff, count: 5000)])
  func garbageEndsTheConnection(bytes: [UInt8]) throws {
    let server = try Self.server { $0.timeouts.handshake = .milliseconds(1) }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send(bytes)
    // An alert at most.
    #expect((try? client.readToEnd().count) ?? 0 <= 7)
  }

  @Test func unfinishedHandshakesEnd() throws {
    let server = try Self.server { $0.timeouts.handshake = .milliseconds(1) }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let hello = TLSTestClient()
    _ = hello.receive([])
    try client.send(hello.takeOutbound().prefix(40))
    #expect(try client.isAtEnd())
  }

  @Test func reloadedContextIsForNewConnections() throws {
    let server = try Self.server()
    defer { server.stop() }
    let old = try Self.client(server)
    try old.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try old.readAnswer().text == "hello")
    server.server.reload(try TLSContext(TLSFixture.shared.get().configuration(clientCA: "clients.pem")))
    try old.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try old.readAnswer().text == "hello")
    let new = try Self.client(server)
    #expect(throws: (any Error).self) {
      try new.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
      _ = try new.readAnswer()
    }
  }
}

import Glibc
import HTTP1
import HTTPServer
import Testing

@Suite struct RequestsAndAnswers {
  @Test func manyRequestsOnOneConnection() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    for _ in 0..<3 {
      try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
      let answer = try client.readAnswer()
      #expect(answer.status == 200)
      #expect(answer.text == "hello")
      #expect(answer.fields["connection"] == nil)
      #expect(answer.fields["content-type"] == "text/plain")
      #expect(answer.fields["date"]?.count == 29)
    }
  }

  @Test func pipelinedAnswersLeaveInTheOrderOfRequests() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let names = ["a", "b", "c", "d"]
    try client.send(names.map { "GET /held?\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
    for _ in names { server.held.awaitArrival() }
    for name in names.reversed() { server.held.answer(name) }
    for name in names { #expect(try client.readAnswer().text == name) }
  }

  /// What came together is settled together; what had to wait for answers to go out is settled too.
  @Test func turnsAreSettled() throws {
    let server = try TestServer { $0.limits.pipelinedRequests = 3 }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    func request(_ name: String) -> String { "GET /settled?\(name) HTTP/1.1\r\nHost: a\r\n\r\n" }
    for name in ["a", "b"] {
      try client.send(request(name))
      #expect(try client.readAnswer().text == "\(name) of 1")
    }
    try client.send((1...3).map { request("\($0)") }.joined())
    for number in 1...3 { #expect(try client.readAnswer().text == "\(number) of 3") }
    let names = (0..<100).map { "\($0)" }
    client.sendInBackground(Array(names.map(request).joined().utf8))
    for name in names { #expect(try client.readAnswer().text.hasPrefix("\(name) of ")) }
  }

  /// More than may wait, all at once: those beyond the cap are read when there is room.
  @Test func pipelinedRequestsBeyondTheCap() throws {
    let server = try TestServer { $0.limits.pipelinedRequests = 4 }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let count = 5_000
    let requests = (0..<count).map {
      "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: \("\($0)".count)\r\n\r\n\($0)"
    }
    client.sendInBackground(Array(requests.joined().utf8))
    for number in 0..<count { #expect(try client.readAnswer().text == "\(number)") }
  }

  @Test(arguments: [1, 2, 3, 7])
  func dribbledBytes(step: Int) throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let bytes = Array(
      ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        + "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n")
        .utf8)
    for start in stride(from: 0, to: bytes.count, by: step) { try client.send(bytes[start...].prefix(step)) }
    #expect(try client.readAnswer().text == "hello")
    #expect(try client.readAnswer().text == "abcde")
  }

  @Test func halfClosedClientsAreAnswered() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /held?1 HTTP/1.1\r\nHost: a\r\n\r\nGET /held?2 HTTP/1.1\r\nHost: a\r\n\r\nGET /he")
    client.endSending()
    server.held.awaitArrival()
    server.held.awaitArrival()
    server.held.answer("1")
    #expect(try client.readAnswer().text == "1")
    server.held.answer("2")
    let last = try client.readAnswer()
    #expect(last.text == "2")
    #expect(last.fields["connection"] == "close")
    #expect(try client.isAtEnd())
  }

  @Test func continueIsSentForAnAcceptedBody() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    #expect(try client.readAnswer().status == 100)
    try client.send("body")
    #expect(try client.readAnswer().text == "body")
  }

  @Test(arguments: [
    ("POST /refused", 503, "full"), ("POST /small", 413, "malformed(HTTP1.ProtocolError.contentTooLarge)"),
  ])
  func noContinueForARefusedBody(line: String, status: Int, body: String) throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("\(line) HTTP/1.1\r\nHost: a\r\nContent-Length: 400\r\nExpect: 100-continue\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.status == status)
    #expect(answer.text == body)
    #expect(answer.fields["connection"] == "close")
    #expect(try client.isAtEnd())
  }

  /// The client sends all of its body before it reads: it must get to see the answer, and not a reset.
  @Test func refusedBodyIsDroppedUntilTheClientHasReadTheAnswer() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let body = [UInt8](repeating: 0x61, count: 8 << 20)
    try client.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
    try client.send(body)
    let answer = try client.readAnswer()
    #expect(answer.status == 503)
    #expect(answer.fields["retry-after"] == "3")
    #expect(try client.isAtEnd())
  }

  @Test func answerToHEADHasNoBody() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    let answer = try client.readAnswer(toHead: true)
    #expect(answer.fields["content-length"] == "5")
    #expect(try client.readAnswer().text == "hello")
  }

  /// After an error in framing nothing is interpreted, not even a request that came with it.
  @Test func malformedRequestEndsTheConnection() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /hello HTTP/1.1\r\nHost : a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.status == 400)
    #expect(answer.text == "malformed(HTTP1.ProtocolError.whitespaceBeforeColon)")
    #expect(answer.fields["connection"] == "close")
    #expect(try client.isAtEnd())
  }

  @Test func connectionCloseIsHonoured() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    #expect(try client.readAnswer().fields["connection"] == "close")
    #expect(try client.isAtEnd())
  }

  @Test func droppedExchangeIsAnswered() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /dropped HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.status == 500)
    #expect(answer.text == "unanswered")
    #expect(try client.readAnswer().text == "hello")
  }

  @Test func onlyTheFirstAnswerCounts() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.awaitArrival()
    let exchange = try #require(server.held.take("a"))
    exchange.respond(Response(.ok, body: Array("first".utf8)))
    exchange.respond(Response(.ok, body: Array("second".utf8)))
    #expect(try client.readAnswer().text == "first")
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.readAnswer().text == "hello")
  }
}

@Suite struct Bodies {
  /// Sizes around the steps in which a body's buffer grows, and those of the socket's buffers.
  @Test(arguments: [0, 1, 8191, 8192, 65_535, 65_536, 70_000, 262_145, 20 << 20], ["length", "chunked"])
  func comeBackAsTheyWere(size: Int, framing: String) throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    // A period that no buffer's size is a multiple of.
    let period = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    var body: [UInt8] = []
    while body.count < size { body += period.prefix(size - body.count) }
    client.sendInBackground(Self.request(body, framing))
    let answer = try client.readAnswer()
    #expect(answer.body.count == size)
    #expect(memcmp(answer.body, body, size) == 0)
  }

  private static func request(_ body: [UInt8], _ framing: String) -> [UInt8] {
    let line = "POST /echo HTTP/1.1\r\nHost: a\r\n"
    if framing == "length" { return Array("\(line)Content-Length: \(body.count)\r\n\r\n".utf8) + body }
    var bytes = Array("\(line)Transfer-Encoding: chunked\r\n\r\n".utf8)
    for start in stride(from: 0, to: body.count, by: 50_000) {
      let chunk = body[start...].prefix(50_000)
      bytes += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
    }
    return bytes + Array("0\r\n\r\n".utf8)
  }
}

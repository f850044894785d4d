import Glibc
import HTTP1
import HTTPServer
import Testing

@Suite struct CodedMessages {
  private static func gzip(_ content: [UInt8]) -> [UInt8] {
    var coded: [UInt8] = []
    var encoder = ContentEncoder(.gzip)
    encoder.encode(content.span.bytes, into: &coded)
    return coded
  }

  private static func post(_ path: String, _ coding: String, _ body: [UInt8]) -> [UInt8] {
    let head =
      "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Encoding: \(coding)\r\nContent-Length: \(body.count)\r\n\r\n"
    return Array(head.utf8) + body
  }

  /// Sizes about the 64 KiB that one visit inflates; what follows on the connection must not be touched by the pauses,
  /// and nothing need follow.
  @Test(arguments: [0, 1, 65_535, 65_536, 65_537, 5 << 20], [true, false])
  func requestsAreDecoded(size: Int, isFollowed: Bool) throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let content = [UInt8](repeating: 0x37, count: size)
    let next = Array("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
    try client.send(Self.post("/echo", "gzip", Self.gzip(content)) + (isFollowed ? next : []))
    let answer = try client.readAnswer()
    #expect(answer.body.count == size)
    #expect(memcmp(answer.body, content, size) == 0)
    if !isFollowed { try client.send(next) }
    #expect(try client.readAnswer().text == "hello")
  }

  @Test(arguments: [
    ("br", "a", 415, "undecodable(HTTPServer.ContentCodingError.unsupported)"),
    ("gzip", "no gzip", 400, "undecodable(HTTPServer.ContentCodingError.malformed(offset: 2))"),
    ("gzip", "", 200, ""),
  ])
  func whatDoesNotDecode(coding: String, body: String, status: Int, text: String) throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send(Self.post("/echo", coding, Array(body.utf8)))
    let answer = try client.readAnswer()
    #expect(answer.status == status)
    #expect(answer.text == text)
    #expect(answer.fields["accept-encoding"] == (status == 415 ? ContentCoding.accepted : nil))
  }

  @Test func truncatedContent() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send(Self.post("/echo", "gzip", Self.gzip(Array("content".utf8)).dropLast()))
    #expect(try client.readAnswer().status == 400)
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.readAnswer().text == "hello")
  }

  /// 64 MiB and one byte in 64 KiB; the limit is 64 MiB.
  @Test func bombIsTooLarge() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let bomb = Self.gzip([UInt8](repeating: 0, count: 64 << 20 + 1))
    client.sendInBackground(Self.post("/echo", "gzip", bomb))
    #expect(try client.readAnswer().status == 413)
  }

  @Test(arguments: ["GET", "HEAD"])
  func repliesAreCodedOnRequest(method: String) throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    let line = "\(method) /text HTTP/1.1\r\nHost: a\r\n"
    try client.send("\(line)\r\n\(line)Accept-Encoding: gzip\r\n\r\n\(line)Accept-Encoding: gzip;q=0\r\n\r\n")
    let plain = try client.readAnswer(toHead: method == "HEAD")
    let coded = try client.readAnswer(toHead: method == "HEAD")
    let refused = try client.readAnswer(toHead: method == "HEAD")
    #expect(plain.fields["content-length"] == "7000")
    #expect(plain.fields["content-encoding"] == nil)
    #expect(refused.fields["content-encoding"] == nil)
    #expect(coded.fields["content-encoding"] == "gzip")
    for answer in [plain, coded, refused] { #expect(answer.fields["vary"] == "Accept, Accept-Encoding") }
    guard method == "GET" else { return }
    var content: [UInt8] = []
    var stream = try InflateStream(.gzip, outputLimit: 7000)
    var offset = 0
    _ = try stream.next(coded.body.span.bytes, offset: &offset, into: &content)
    try stream.finish()
    #expect(content == plain.body)
    #expect(Int(coded.fields["content-length"] ?? "") == coded.body.count)
  }

  @Test func smallRepliesAreLeftAlone() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
    let answer = try client.readAnswer()
    #expect(answer.text == "hello")
    #expect(answer.fields["vary"] == nil)
  }
}

import HTTP1
import Testing

/// The head of the first request in `text`, `nil` if there is none.
func head(_ text: String) -> RequestHead? {
  let octets = octets(text)
  var reader = RequestReader()
  var offset = 0
  if case .head(let head, _) = reader.next(octets.span.bytes, offset: &offset) { return head }
  return nil
}

@Suite struct RequestHeadTests {
  @Test func partsOfTheTarget() throws {
    let origin = try #require(head("GET /v1/models/a%2Fb?x=1?y HTTP/1.1\r\nHost: a:8080\r\n\r\n"))
    #expect(origin.method == .get && origin.target == .origin && origin.version == .http11)
    #expect(origin.path == "/v1/models/a%2Fb" && origin.query == "x=1?y" && origin.authority == "a:8080")

    let absolute = try #require(head("GET http://b:1/?HTTP HTTP/1.0\r\nHost: a\r\n\r\n"))
    #expect(absolute.target == .absolute && absolute.version == .http10 && absolute.authority == "b:1")
    #expect(absolute.path == "/" && absolute.query == "HTTP")

    let bare = try #require(head("GET /? HTTP/1.1\r\nHost: a\r\n\r\n"))
    #expect(bare.query == "" && head("GET / HTTP/1.1\r\nHost: a\r\n\r\n")?.query == nil)
    #expect(head("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")?.target == .asterisk)
    #expect(head("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")?.target == .authority)
    #expect(head("GET / HTTP/1.0\r\n\r\n")?.authority == nil)
  }

  @Test(arguments: [
    ("GET", Method.get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("OPTIONS", .options),
    ("PATCH", .patch), ("TRACE", .trace), ("Get", .other("Get")), ("PROPFIND", .other("PROPFIND")),
  ])
  func methods(_ name: String, _ method: Method) {
    #expect(head("\(name) / HTTP/1.1\r\nHost: a\r\n\r\n")?.method == method && method.name == name)
  }

  @Test func fieldsKeepTheirOrderAndTheirSpelling() throws {
    let fields = try #require(
      head(
        """
        GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id:  r 1 \t\r\naccept-encoding: gzip;q=0.5 , , br\r
        Accept-Encoding:\r\nACCEPT-ENCODING: "a,b\\",c", identity\r\nTraceParent: 00-\u{FF}\r\n\r\n
        """)
    ).fields
    #expect(fields.count == 6)
    #expect(
      fields.map(\.name)
        == ["Host", "X-Request-Id", "accept-encoding", "Accept-Encoding", "ACCEPT-ENCODING", "TraceParent"])
    #expect(fields[1].value == "r 1")
    #expect(fields.first(.xRequestID) == "r 1" && fields.first(.traceparent) == "00-\u{FFFD}")
    #expect(fields.first(.authorization) == nil && !fields.contains(.authorization))
    #expect(fields.all(.acceptEncoding) == ["gzip;q=0.5 , , br", "", "\"a,b\\\",c\", identity"])
    #expect(fields.list(.acceptEncoding) == ["gzip;q=0.5", "br", "\"a,b\\\",c\"", "identity"])
    #expect(fields.contains(.acceptEncoding, token: "Identity") && !fields.contains(.acceptEncoding, token: "gzip"))
    #expect(fields.count(.acceptEncoding) == 3 && fields.count(.contentType) == 0)
  }

  @Test(arguments: [
    // RFC 9112 §9.3: the last three columns of its rules, in a table.
    ("HTTP/1.1", "A: b", true), ("HTTP/1.1", "Connection: close", false), ("HTTP/1.1", "Connection: Close", false),
    ("HTTP/1.1", "Connection: keep-alive", true), ("HTTP/1.1", "Connection: keep-alive, close", false),
    ("HTTP/1.1", "Connection: a\r\nConnection: b ,close", false), ("HTTP/1.1", "Connection: closed", true),
    ("HTTP/1.1", "Connection: , ,", true), ("HTTP/1.0", "A: b", false), ("HTTP/1.0", "Connection: Keep-Alive", true),
    ("HTTP/1.0", "Connection: keep-alive\r\nConnection: close", false), ("HTTP/1.0", "Keep-Alive: timeout=5", false),
  ])
  func persistence(_ version: String, _ field: String, _ isPersistent: Bool) {
    #expect(head("GET / \(version)\r\nHost: a\r\n\(field)\r\n\r\n")?.isPersistent == isPersistent)
  }

  /// What follows CONNECT may be meant for a tunnel that there isn't.
  @Test func connectNeverPersists() {
    #expect(head("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")?.isPersistent == false)
  }

  @Test(arguments: [
    ("HTTP/1.1", "Content-Length: 1\r\nExpect: 100-continue", true), ("HTTP/1.1", "Content-Length: 1", false),
    ("HTTP/1.1", "Transfer-Encoding: chunked\r\nExpect: 100-CONTINUE", true),
    // Nothing to wait for.
    ("HTTP/1.1", "Expect: 100-continue", false), ("HTTP/1.1", "Content-Length: 0\r\nExpect: 100-continue", false),
    // HTTP/1.0 can't be waiting.
    ("HTTP/1.0", "Content-Length: 1\r\nExpect: 100-continue", false),
  ])
  func expectsContinue(_ version: String, _ fields: String, _ expects: Bool) {
    #expect(head("POST / \(version)\r\nHost: a\r\n\(fields)\r\n\r\n")?.expectsContinue == expects)
  }

  @Test(arguments: [
    ("A: b", BodyFraming.none, false), ("Content-Length: 0", .length(0), false),
    ("Content-Length: 7", .length(7), true),
    ("Content-Length: 9223372036854775807", .length(.max), true), ("Transfer-Encoding: chunked", .chunked, true),
  ])
  func framing(_ field: String, _ framing: BodyFraming, _ hasContent: Bool) {
    #expect(head("POST / HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n")?.framing == framing)
    #expect(framing.hasContent == hasContent)
  }

  /// An answer to HEAD has no content even where the head is refused, so its method must be known then.
  @Test(arguments: [
    ("HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Method.head), ("HEAD / X", .head), ("GET / HTTP/2.0\r\n", .get),
    ("\u{16}\u{3}", nil), ("HEAD", nil),
  ])
  func methodOfARefusedRequest(_ sent: String, _ method: Method?) {
    let sent = octets(sent)
    var reader = RequestReader()
    var offset = 0
    _ = reader.next(sent.span.bytes, offset: &offset)
    #expect(reader.method == method)
  }

  @Test func contentGoesPastTheReader() {
    let sent = octets("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
    var reader = RequestReader()
    var offset = 0
    #expect(reader.contentRemaining == 0)
    #expect(name(reader.next(sent.span.bytes, offset: &offset)) == "head")
    #expect(reader.contentRemaining == 9)
    reader.limitContent(to: 8)
    #expect(reader.contentRemaining == 0)
    reader.limitContent(to: 9)
    #expect(name(reader.next(sent.span.bytes, offset: &offset)) == "content 3")
    #expect(reader.contentRemaining == 6)
    reader.passOverContent(4)
    reader.passOverContent(2)
    #expect(name(reader.next(sent.span.bytes, offset: &offset)) == "end")
    #expect(reader.isIdle && reader.contentRemaining == 0)
  }

  @Test func chunkDataGoesPastTheReader() {
    let sent = octets("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
    let rest = octets("\r\n0\r\n\r\n")
    var reader = RequestReader()
    var offset = 0
    #expect(name(reader.next(sent.span.bytes, offset: &offset)) == "head")
    #expect(reader.contentRemaining == 0)
    #expect(name(reader.next(sent.span.bytes, offset: &offset)) == "more")
    #expect(offset == sent.count && reader.contentRemaining == 5)
    reader.passOverContent(5)
    #expect(reader.contentRemaining == 0)
    offset = 0
    #expect(name(reader.next(rest.span.bytes, offset: &offset)) == "end")
  }

  private func name(_ step: RequestReader.Step) -> String {
    switch step {
    case .needsMoreInput: "more"
    case .head: "head"
    case .content(let range): "content \(range.count)"
    case .end: "end"
    case .failed(let error): "\(error)"
    }
  }
}

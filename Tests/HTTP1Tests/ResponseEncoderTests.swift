import HTTP1
import Testing

private let date = Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8)
private let dateLine = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

private func encoded(_ response: Response, _ framing: ResponseEncoder.Framing, date: [UInt8] = date) -> String {
  var output: [UInt8] = []
  ResponseEncoder.append(response, framing, date: date, to: &output)
  return String(decoding: output, as: UTF8.self)
}

private let toGet = ResponseEncoder.Framing(connection: .persistent, omitsContent: false)
private let toHead = ResponseEncoder.Framing(connection: .persistent, omitsContent: true)

@Suite struct ResponseEncoderTests {
  struct Case: CustomTestStringConvertible, Sendable {
    let section: String
    let response: Response
    let framing: ResponseEncoder.Framing
    /// Without Date, which comes behind the fields of the response and Content-Length.
    let beforeDate: String
    let afterDate: String

    init(
      _ section: String, _ response: Response, _ framing: ResponseEncoder.Framing, _ beforeDate: String,
      _ afterDate: String
    ) {
      self.section = section
      self.response = response
      self.framing = framing
      self.beforeDate = beforeDate
      self.afterDate = afterDate
    }

    var testDescription: String { "\(section): \(response.status)" }
  }

  @Test(arguments: [
    Case(
      "RFC 9110 §8.6", Response(.ok, [.contentType: "text/plain"], body: [0x68, 0x69]), toGet,
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n", "\r\nhi"),
    Case("RFC 9110 §8.6", Response(.notFound), toGet, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n", "\r\n"),
    Case(
      "RFC 9110 §9.3.2", Response(.ok, [.contentType: "text/plain"], body: [0x68, 0x69]), toHead,
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n", "\r\n"),
    Case(
      "RFC 9110 §9.3.2", Response(.badRequest, body: [0x68]), toHead,
      "HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n", "\r\n"),
    Case("RFC 9110 §15.3.5", Response(.noContent, body: [0x68]), toGet, "HTTP/1.1 204 No Content\r\n", "\r\n"),
    Case(
      "RFC 9110 §15.3.6", Response(.resetContent, body: [0x68]), toGet,
      "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n", "\r\n"),
    Case(
      "RFC 9110 §15.4.5", Response(.notModified, [.etag: "\"a\""], body: [0x68]), toGet,
      "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n", "\r\n"),
    Case(
      "RFC 9112 §9.3", Response(.ok, body: [0x68]), ResponseEncoder.Framing(connection: .close, omitsContent: false),
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", "Connection: close\r\n\r\nh"),
    Case(
      "RFC 9112 §9.3", Response(.ok, body: [0x68]),
      ResponseEncoder.Framing(connection: .keepAlive, omitsContent: false),
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", "Connection: keep-alive\r\n\r\nh"),
    // What frames a message is the encoder's alone.
    Case(
      "RFC 9112 §6.1",
      Response(
        .ok,
        [
          .contentLength: "7", .transferEncoding: "chunked", .connection: "upgrade", .date: "never", .allow: "GET",
        ]), toGet, "HTTP/1.1 200 OK\r\nAllow: GET\r\nContent-Length: 0\r\n", "\r\n"),
    // No value ends its line.
    Case(
      "RFC 9110 §5.5", Response(.ok, [.xRequestID: "a\r\nSet-Cookie: b\u{0}\u{7F}\tc\u{E9}"]), toGet,
      "HTTP/1.1 200 OK\r\nX-Request-Id: a  Set-Cookie: b  \tc\u{E9}\r\nContent-Length: 0\r\n", "\r\n"),
  ])
  func response(_ test: Case) {
    #expect(encoded(test.response, test.framing) == test.beforeDate + dateLine + test.afterDate)
    #expect(encoded(test.response, test.framing, date: []) == test.beforeDate + test.afterDate)
  }

  @Test func headAloneSaysWhetherTheBodyFollows() {
    var output: [UInt8] = [0x21]
    #expect(ResponseEncoder.appendHead(Response(.ok, body: [1, 2, 3]), toGet, date: [], to: &output))
    #expect(String(decoding: output, as: UTF8.self) == "!HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
    #expect(!ResponseEncoder.appendHead(Response(.ok, body: [1]), toHead, date: [], to: &output))
    #expect(!ResponseEncoder.appendHead(Response(.notModified, body: [1]), toGet, date: [], to: &output))
  }

  @Test func continueIsAHeadAlone() {
    var output: [UInt8] = []
    ResponseEncoder.appendContinue(to: &output)
    #expect(String(decoding: output, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
  }

  @Test func fieldsOfAResponse() {
    var fields: ResponseFields = [.vary: "Accept", .vary: "Accept-Encoding"]
    #expect(fields.count == 2 && fields.first(.vary) == "Accept" && fields.first(.etag) == nil)
    fields.set(FieldName("VARY")!, "*")
    fields.append(.allow, "GET")
    #expect(fields.map { "\($0.name): \($0.value)" } == ["VARY: *", "Allow: GET"])
  }

  @Test(arguments: ["", " ", "a b", "a:", "a\r\nb", "é", "a(", "\u{0}"])
  func onlyTokensAreNames(_ text: String) { #expect(FieldName(text) == nil) }

  @Test func namesAreEqualInAnyCase() {
    #expect(
      FieldName("content-TYPE") == .contentType
        && FieldName("content-type")?.hashValue == FieldName.contentType.hashValue)
    // `^` and `~` differ by the same bit as letters of two cases do.
    #expect(FieldName("a^") != FieldName("a~"))
  }

  /// Each error has a status that its section asks for, and a sentence.
  @Test(arguments: ProtocolError.allCases)
  func errors(_ error: ProtocolError) {
    let other: [ProtocolError: Int] = [
      .methodTooLong: 501, .transferCodingUnsupported: 501, .targetTooLong: 414, .versionUnsupported: 505,
      .headTooLarge: 431, .tooManyFields: 431, .trailersTooLarge: 431, .contentTooLarge: 413,
      .expectationUnsupported: 417,
    ]
    #expect(error.status.code == other[error] ?? 400)
    #expect(error.explanation.last == ".")
  }
}

import HTTP1
import Testing

/// Octets a client sends, the section whose rule they keep or break, and the transcript they must have.
struct RequestCase: CustomTestStringConvertible, Sendable {
  let section: String
  let sent: String
  let transcript: [String]

  init(_ section: String, _ sent: String, _ transcript: String...) {
    self.section = section
    self.sent = sent
    self.transcript = transcript
  }

  var testDescription: String { "\(section): \(sent.debugDescription.prefix(80))" }

  /// A request whose fields are Host and those given.
  static func fields(_ section: String, _ fields: String, _ transcript: String...) -> RequestCase {
    RequestCase(section, "GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n", all: transcript)
  }

  /// A chunked request with this body.
  static func chunked(_ section: String, _ body: String, _ transcript: String...) -> RequestCase {
    RequestCase(
      section, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(body)", all: transcript)
  }

  private init(_ section: String, _ sent: String, all transcript: [String]) {
    self.section = section
    self.sent = sent
    self.transcript = transcript
  }
}

/// Runs a case whole, octet by octet, and with a request behind it that is read if the case is complete, and never
/// interpreted if it is refused.
func run(_ test: RequestCase, limits: Limits = Limits(), sourceLocation: SourceLocation = #_sourceLocation) {
  let sent = octets(test.sent)
  let tail = octets("GET /tail HTTP/1.1\r\nHost: tail\r\n\r\n")
  let tailLine = "GET /tail @tail \"\""
  let transcript = test.transcript
  #expect(Transcript.of(sent, .whole, limits: limits) == transcript, sourceLocation: sourceLocation)
  #expect(Transcript.of(sent, .byteByByte, limits: limits) == transcript, sourceLocation: sourceLocation)
  guard transcript.last != "…" else { return }
  let isRefused = transcript.last?.hasPrefix("! ") == true
  let withTail = isRefused ? transcript : transcript + [tailLine]
  #expect(Transcript.of(sent + tail, .whole, limits: limits) == withTail, sourceLocation: sourceLocation)
  #expect(Transcript.of(sent + tail, .byteByByte, limits: limits) == withTail, sourceLocation: sourceLocation)
}

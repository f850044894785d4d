import HTTP1
import Testing

@Suite struct RequestLineTests {
  @Test(arguments: [
    // The forms of a request line.
    RequestCase("RFC 9112 §3", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / @a \"\""),
    RequestCase("RFC 9112 §3", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", "BREW /pot @a \"\""),
    RequestCase("RFC 9110 §9.1", "get / HTTP/1.1\r\nHost: a\r\n\r\n", "get / @a \"\""),
    RequestCase("RFC 9110 §5.6.2", "!#$%&'*+-.^_`|~09 / HTTP/1.1\r\nHost: a\r\n\r\n", "!#$%&'*+-.^_`|~09 / @a \"\""),
    RequestCase("RFC 9112 §3", "GET", "…"),
    RequestCase("RFC 9112 §3", "GET / HTTP/1.1\r\nHost: a\r\n\r", "…"),
    RequestCase("RFC 9112 §3", ""),

    // One empty line before it, not two, and nothing else.
    RequestCase("RFC 9112 §2.2", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / @a \"\""),
    RequestCase(
      "RFC 9112 §2.2", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n", "GET / @a \"\"",
      "GET /b @b \"\""),
    RequestCase("RFC 9112 §2.2", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "! methodMalformed"),
    RequestCase("RFC 9112 §2.2", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "! bareLineFeed"),
    RequestCase("RFC 9112 §2.2", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "! bareCarriageReturn"),
    RequestCase("RFC 9112 §2.2", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "! methodMalformed"),

    // A method is a token.
    RequestCase("RFC 9110 §9.1", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "! methodMalformed"),
    RequestCase("RFC 9110 §9.1", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "! methodMalformed"),
    RequestCase("RFC 9110 §9.1", "GET\r\nHost: a\r\n\r\n", "! methodMalformed"),
    RequestCase("RFC 9110 §9.1", "GET\nHost: a\r\n\r\n", "! bareLineFeed"),
    RequestCase("RFC 9110 §9.1", "\u{16}\u{3}\u{1}", "! methodMalformed"),
    RequestCase("RFC 9110 §9.1", "\u{80}ET / HTTP/1.1\r\n\r\n", "! methodMalformed"),

    // Single spaces, no other whitespace.
    RequestCase("RFC 9112 §3", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 9112 §3", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §3", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §3", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §3", "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),

    // The version's exact form, and versions of other majors.
    RequestCase("RFC 9112 §2.3", "GET / http/1.1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / HTTP/1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / HTTP/1.\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / HTTP/11.1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / HTTP/+1.1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / HTTPS/1.1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET / ICY/1.1\r\nHost: a\r\n\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET /\r\n", "! versionMalformed"),
    RequestCase("RFC 9112 §2.3", "GET /\n", "! bareLineFeed"),
    RequestCase("RFC 9112 §2.2", "GET / HTTP/1.1\nHost: a\r\n\r\n", "! bareLineFeed"),
    RequestCase("RFC 9112 §2.2", "GET / HTTP/1.1\rHost: a\r\n\r\n", "! bareCarriageReturn"),
    RequestCase("RFC 9110 §2.5", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", "GET / @a \"\""),
    RequestCase("RFC 9110 §2.5", "GET / HTTP/1.9\r\n\r\n", "! hostMissing"),
    RequestCase("RFC 9110 §15.6.6", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "! versionUnsupported"),
    RequestCase("RFC 9110 §15.6.6", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "! versionUnsupported"),
    RequestCase("RFC 9110 §15.6.6", "GET / HTTP/0.9\r\n\r\n", "! versionUnsupported"),
    RequestCase("RFC 9110 §15.6.6", "GET / HTTP/9.9\r\n\r\n", "! versionUnsupported"),
  ])
  func requestLine(_ test: RequestCase) { run(test) }

  @Test(arguments: [
    RequestCase("RFC 9112 §3.2.1", "GET /a/b;c=d?x=1&y HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a/b;c=d @a \"\""),
    RequestCase("RFC 9112 §3.2.1", "GET //a/../b HTTP/1.1\r\nHost: a\r\n\r\n", "GET //a/../b @a \"\""),
    RequestCase("RFC 9112 §3.2.1", "GET /%20%C3%a9 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%20%C3%a9 @a \"\""),
    RequestCase("RFC 9112 §3.2.1", "GET /?a?b/c:@! HTTP/1.1\r\nHost: a\r\n\r\n", "GET / @a \"\""),
    RequestCase("RFC 9112 §3.2", "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §2.1", "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §2.1", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §3.3", "GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §3.3", "GET /\"<>^`{|} HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §3.4", "GET /?[x] HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §2", "GET /\u{0} HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §2", "GET /\u{7F} HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 3986 §2", "GET /\u{C3}\u{A9} HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 9112 §3.2", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 9112 §3.2", "GET ?q HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),

    // Its authority takes the place of Host's, which must be there and valid all the same.
    RequestCase("RFC 9112 §3.2.2", "GET http://b:81/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x @b:81 \"\""),
    RequestCase("RFC 9112 §3.2.2", "GET HTTPS://b/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /x @b \"\""),
    RequestCase("RFC 9112 §3.2.2", "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", "GET / @b \"\""),
    RequestCase("RFC 9112 §3.2.2", "GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET / @b \"\""),
    RequestCase("RFC 9112 §3.2.2", "GET http://b/ HTTP/1.0\r\n\r\n", "GET / @b \"\""),
    RequestCase("RFC 9112 §3.2", "GET http://b/ HTTP/1.1\r\n\r\n", "! hostMissing"),
    RequestCase("RFC 9112 §3.2", "GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", "! hostMalformed"),
    RequestCase("RFC 9110 §4.2.1", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 9110 §4.2.1", "GET http://:80/x HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 9110 §4.2.4", "GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 9110 §4.2", "GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
    RequestCase("RFC 9112 §3.2.2", "GET http:/b HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),

    // The authority form belongs to CONNECT, the asterisk to OPTIONS.
    RequestCase("RFC 9112 §3.2.3", "CONNECT b:443 HTTP/1.1\r\nHost: b\r\n\r\n", "CONNECT  @b:443 \"\""),
    RequestCase("RFC 9112 §3.2.3", "CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n", "! targetFormMismatch"),
    RequestCase("RFC 9112 §3.2.3", "CONNECT b: HTTP/1.1\r\nHost: b\r\n\r\n", "! targetFormMismatch"),
    RequestCase("RFC 9112 §3.2.3", "CONNECT / HTTP/1.1\r\nHost: b\r\n\r\n", "! targetFormMismatch"),
    RequestCase("RFC 9112 §3.2.3", "CONNECT http://b/ HTTP/1.1\r\nHost: b\r\n\r\n", "! targetFormMismatch"),
    RequestCase("RFC 9112 §3.2.3", "GET b:443 HTTP/1.1\r\nHost: b\r\n\r\n", "! targetFormMismatch"),
    RequestCase("RFC 9112 §3.2.4", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * @a \"\""),
    RequestCase("RFC 9112 §3.2.4", "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * @b \"\""),
    RequestCase("RFC 9112 §3.2.4", "OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS / @b \"\""),
    RequestCase("RFC 9112 §3.2.4", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", "! targetFormMismatch"),
    RequestCase("RFC 9112 §3.2.4", "OPTIONS ** HTTP/1.1\r\nHost: a\r\n\r\n", "! targetMalformed"),
  ])
  func target(_ test: RequestCase) { run(test) }

  /// What can't become a request is refused as soon as that shows, not when its line or head ends.
  @Test(arguments: [
    ("\u{16}\u{3}\u{1}\u{2}", 1), ("\u{0}", 1), ("{\"input\"", 1), ("GET /\u{0}", 6), ("GET / X", 7),
    ("GET / HTTP/1.1\n", 15), ("GET / HTTP/2.0\r\n", 16), ("SSH-2.0-OpenSSH_9\r\n", 18), ("\r\n\r", 3),
  ])
  func garbageIsRefusedAtOnce(_ sent: String, _ refusedAt: Int) {
    let sent = octets(sent)
    for count in 0..<refusedAt { #expect(Transcript.of(Array(sent[..<count]), .whole).last?.hasPrefix("! ") != true) }
    #expect(Transcript.of(Array(sent[..<refusedAt]), .whole).last?.hasPrefix("! ") == true)
  }
}

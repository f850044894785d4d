import HTTP1
import Testing

/// Each limit at its value, which passes, and one above, which is refused.
@Suite struct LimitTests {
  private let limits = Limits(
    methodBytes: 4, targetBytes: 8, headBytes: 64, fieldCount: 3, chunkLineBytes: 8, chunkExtensionBytes: 10,
    trailerBytes: 12, contentBytes: 6)

  @Test(arguments: [
    RequestCase("RFC 9112 §3", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / @a \"\""),
    RequestCase("RFC 9112 §3", "POSTS / HTTP/1.1\r\nHost: a\r\n\r\n", "! methodTooLong"),
    RequestCase("RFC 9112 §3", "GET /2345678 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /2345678 @a \"\""),
    RequestCase("RFC 9112 §3", "GET /23456789 HTTP/1.1\r\nHost: a\r\n\r\n", "! targetTooLong"),
    RequestCase("RFC 9112 §3", "GET /23456789", "! targetTooLong"),
    RequestCase("RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nB: \(filler(32))\r\n\r\n", "GET / @a \"\""),
    RequestCase("RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nB: \(filler(33))\r\n\r\n", "! headTooLarge"),
    RequestCase("RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nB: \(filler(48))", "! headTooLarge"),
    RequestCase("RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nB:\r\nC:\r\n\r\n", "GET / @a \"\""),
    RequestCase("RFC 6585 §5", "GET / HTTP/1.1\r\nHost: a\r\nB:\r\nC:\r\nD:\r\n", "! tooManyFields"),
    RequestCase(
      "RFC 9110 §15.5.14", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n123456", "POST / @a \"123456\""),
    RequestCase("RFC 9110 §15.5.14", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n", "! contentTooLarge"),
  ])
  func heads(_ test: RequestCase) { run(test, limits: limits) }

  @Test(arguments: [
    RequestCase.chunked("RFC 9112 §7.1.1", "000001\r\nx\r\n0\r\n\r\n", "POST / @a \"x\""),
    RequestCase.chunked("RFC 9112 §7.1.1", "0000001\r\nx\r\n0\r\n\r\n", "! chunkLineTooLong"),
    RequestCase.chunked("RFC 9112 §7.1.1", "1;1234\r\nx\r\n0\r\n\r\n", "POST / @a \"x\""),
    RequestCase.chunked("RFC 9112 §7.1.1", "1;12345\r\nx\r\n0\r\n\r\n", "! chunkLineTooLong"),
    RequestCase.chunked("RFC 9112 §7.1.1", "1;123\r\nx\r\n1;123\r\nx\r\n0;1\r\n\r\n", "POST / @a \"xx\""),
    RequestCase.chunked("RFC 9112 §7.1.1", "1;123\r\nx\r\n1;123\r\nx\r\n0;12\r\n\r\n", "! chunkExtensionsTooLarge"),
    RequestCase.chunked("RFC 6585 §5", "0\r\nA: 23456\r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 6585 §5", "0\r\nA: 234567\r\n\r\n", "! trailersTooLarge"),
    RequestCase.chunked("RFC 6585 §5", "0\r\nA:\r\nB:\r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 6585 §5", "0\r\nA:\r\nB:\r\nC", "! tooManyFields"),
    RequestCase.chunked("RFC 9110 §15.5.14", "6\r\n123456\r\n0\r\n\r\n", "POST / @a \"123456\""),
    RequestCase.chunked("RFC 9110 §15.5.14", "7\r\n", "! contentTooLarge"),
    RequestCase.chunked("RFC 9110 §15.5.14", "3\r\n123\r\n4\r\n", "! contentTooLarge"),
  ])
  func chunks(_ test: RequestCase) {
    var limits = limits
    limits.headBytes = 80
    limits.fieldCount = 2
    run(test, limits: limits)
  }
}

private func filler(_ count: Int) -> String { String(repeating: "x", count: count) }

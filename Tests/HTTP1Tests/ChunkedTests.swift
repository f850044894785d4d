import HTTP1
import Testing

@Suite struct ChunkedTests {
  @Test(arguments: [
    RequestCase.chunked("RFC 9112 §7.1", "0\r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 9112 §7.1", "3\r\nabc\r\n0\r\n\r\n", "POST / @a \"abc\""),
    RequestCase.chunked("RFC 9112 §7.1", "1\r\na\r\n2\r\nbc\r\n000\r\n\r\n", "POST / @a \"abc\""),
    RequestCase.chunked(
      "RFC 9112 §7.1", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "POST / @a \"01234567890123456789\""),
    RequestCase.chunked("RFC 9112 §7.1", "0000000000000003\r\nabc\r\n0\r\n\r\n", "POST / @a \"abc\""),
    RequestCase.chunked("RFC 9112 §7.1", "5\r\n\r\n0\r\n\r\n0\r\n\r\n", "POST / @a \"\r\n0\r\n\""),
    RequestCase.chunked("RFC 9112 §7.1", "3\r\nabc\r\n0\r\n", "…"),
    RequestCase(
      "RFC 9112 §7", "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:\tChunKed \r\n\r\n1\r\na\r\n0\r\n\r\n",
      "POST / @a \"a\""),

    // Sizes.
    RequestCase.chunked("RFC 9112 §7.1", "\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", " 3\r\nabc\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "+3\r\nabc\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "-3\r\nabc\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "0x3\r\nabc\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "3h\r\nabc\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "3_0\r\nabc\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "3\u{0}\r\nabc\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", ";a\r\n", "! chunkSizeMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "3 \r\nabc\r\n", "! chunkExtensionMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "3 3\r\nabc\r\n", "! chunkExtensionMalformed"),
    RequestCase.chunked("RFC 9112 §7.1", "7fffffffffffffff\r\n", "! contentTooLarge"),
    RequestCase.chunked("RFC 9112 §7.1", "8000000000000000\r\n", "! chunkSizeOverflow"),
    RequestCase.chunked("RFC 9112 §7.1", "10000000000000003\r\nabc\r\n", "! chunkSizeOverflow"),
    RequestCase.chunked("RFC 9112 §7.1", "00000000000000003\r\nabc\r\n", "! chunkSizeOverflow"),

    // Line ends.
    RequestCase.chunked("RFC 9112 §7.1", "3\nabc\r\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §7.1", "3\rabc\r\n", "! bareCarriageReturn"),
    RequestCase.chunked("RFC 9112 §7.1", "3;a\nabc\r\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §7.1", "3\r\nabc\n0\r\n\r\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §7.1", "3\r\nabc\r0\r\n\r\n", "! bareCarriageReturn"),
    RequestCase.chunked("RFC 9112 §7.1", "3\r\nabcd\r\n0\r\n\r\n", "! chunkUnterminated"),
    RequestCase.chunked("RFC 9112 §7.1", "3\r\nabc0\r\n\r\n", "! chunkUnterminated"),
    RequestCase.chunked("RFC 9112 §7.1", "3\r\nab\r\n0\r\n\r\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §7.1", "0\r\n\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §7.1", "0\n\r\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §7.1", "0\r\n\rX", "! bareCarriageReturn"),
  ])
  func chunk(_ test: RequestCase) { run(test) }

  @Test(arguments: [
    (";a", true), (";a=b", true), (";a=b;c", true), (" ; a = b \t; c", true), (";a=\"b;\\\"\r\"", false),
    (";a=\"x y;=\\\" \u{E9}\"", true), (";a=\"\"", true), (";a=\"b\" ;c", true), (";a ;b", true),
    (";", false), (";;a", false), (";=b", false), (";a=", false), (";a=b c", false), (";a b", false), (";a=\"b", false),
    (";a=\"b\"c", false), (";a=b\"c\"", false), (";a@", false), (";a=\u{0}", false), (";a=\"\u{1}\"", false),
    (";a=\"\\\u{7F}\"", false), (" a", false), ("\u{B};a", false), (";a ", false), (";a=b ", false),
  ])
  func extensions(_ syntax: String, _ isValid: Bool) {
    let isSize = syntax.first != ";" && syntax.first != " "
    let error = isSize ? "! chunkSizeMalformed" : "! chunkExtensionMalformed"
    let sections = "RFC 9112 §7.1.1"
    run(.chunked(sections, "1\(syntax)\r\nx\r\n0\r\n\r\n", isValid ? "POST / @a \"x\"" : error))
    run(.chunked(sections, "0\(syntax)\r\n\r\n", isValid ? "POST / @a \"\"" : error))
  }

  /// Trailer fields are checked as fields are, and change nothing.
  @Test(arguments: [
    RequestCase.chunked("RFC 9112 §7.1.2", "0\r\nA: b\r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 9112 §7.1.2", "0\r\nA:\r\nB:\tc \r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 9110 §6.5.1", "0\r\nContent-Length: 5\r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 9110 §6.5.1", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 9110 §6.5.1", "0\r\nHost: b\r\nConnection: close\r\n\r\n", "POST / @a \"\""),
    RequestCase.chunked("RFC 9112 §5.1", "0\r\nA : b\r\n\r\n", "! whitespaceBeforeColon"),
    RequestCase.chunked("RFC 9110 §5.1", "0\r\n: b\r\n\r\n", "! fieldNameMalformed"),
    RequestCase.chunked("RFC 9110 §5.1", "0\r\nA{: b\r\n\r\n", "! fieldNameMalformed"),
    RequestCase.chunked("RFC 9112 §5", "0\r\nA\r\n\r\n", "! colonMissing"),
    RequestCase.chunked("RFC 9112 §5.2", "0\r\nA: b\r\n c\r\n\r\n", "! lineFolded"),
    RequestCase.chunked("RFC 9112 §5.2", "0\r\n A: b\r\n\r\n", "! lineFolded"),
    RequestCase.chunked("RFC 9110 §5.5", "0\r\nA: \u{0}\r\n\r\n", "! fieldValueMalformed"),
    RequestCase.chunked("RFC 9112 §2.2", "0\r\nA: b\n\r\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §2.2", "0\r\nA: b\rC: d\r\n\r\n", "! bareCarriageReturn"),
    RequestCase.chunked("RFC 9112 §2.2", "0\r\nA\n: b\r\n\r\n", "! bareLineFeed"),
    RequestCase.chunked("RFC 9112 §7.1", "0\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n", "! whitespaceBeforeColon"),
  ])
  func trailers(_ test: RequestCase) { run(test) }
}

import HTTP1
import Testing

@Suite struct FramingTests {
  @Test(arguments: [
    RequestCase.fields("RFC 9112 §6.3", "A: b", "GET / @a \"\""),
    RequestCase("RFC 9112 §6.3", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", "POST / @a \"\""),
    RequestCase("RFC 9112 §6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "POST / @a \"abc\""),
    RequestCase("RFC 9112 §6.2", "GET / HTTP/1.1\r\nHost: a\r\ncontent-length:\t003 \r\n\r\nabc", "GET / @a \"abc\""),
    RequestCase("RFC 9112 §6.2", "POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", "POST / @ \"ab\""),
    RequestCase("RFC 9112 §6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", "…"),
    RequestCase(
      "RFC 9112 §6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\r\n", "POST / @a \"\r\n\""),
    RequestCase.fields("RFC 9112 §6.2", "Content-Length: 0", "GET / @a \"\""),

    // Not a number, or not one number.
    RequestCase.fields("RFC 9110 §8.6", "Content-Length:", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: +3", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: -3", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 0x3", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: a", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 3.0", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 1e3", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 3 3", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 3,", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 3, 3", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 3, 4", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: \"3\"", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 3;", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: \u{B2}", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 9223372036854775808", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 18446744073709551619", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9110 §8.6", "Content-Length: 99999999999999999999999", "! contentLengthMalformed"),
    RequestCase.fields("RFC 9112 §6.3", "Content-Length: 0\r\nContent-Length: 0", "! contentLengthRepeated"),
    RequestCase.fields("RFC 9112 §6.3", "Content-Length: 3\r\nContent-Length: 4", "! contentLengthRepeated"),
    RequestCase.fields("RFC 9110 §15.5.14", "Content-Length: 9223372036854775807", "! contentTooLarge"),
  ])
  func contentLength(_ test: RequestCase) { run(test) }

  @Test(arguments: [
    // Both, in either order and whatever they say.
    RequestCase.fields(
      "RFC 9112 §6.3", "Content-Length: 3\r\nTransfer-Encoding: chunked", "! contentLengthWithTransferEncoding"),
    RequestCase.fields(
      "RFC 9112 §6.3", "Transfer-Encoding: chunked\r\nContent-Length: x", "! contentLengthWithTransferEncoding"),
    RequestCase.fields(
      "RFC 9112 §6.3", "Transfer-Encoding: identity\r\nContent-Length: 0", "! contentLengthWithTransferEncoding"),
    RequestCase("RFC 9112 §6.1", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "! transferEncodingInHTTP10"),
    RequestCase(
      "RFC 9112 §6.1", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
      "! contentLengthWithTransferEncoding"),

    // Codings that are not understood, or not decoded.
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: foo", "! transferCodingUnsupported"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: foo, chunked", "! transferCodingUnsupported"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: chunked, foo", "! transferCodingUnsupported"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: identity", "! transferCodingUnsupported"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: xchunked", "! transferCodingUnsupported"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: chunkedx", "! transferCodingUnsupported"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: foo;q=1, chunked", "! transferCodingUnsupported"),
    RequestCase.fields("RFC 9112 §7.2", "Transfer-Encoding: gzip, chunked", "! transferCodingUnsupported"),
    RequestCase.fields(
      "RFC 9112 §7.2", "Transfer-Encoding: x-gzip\r\nTransfer-Encoding: chunked", "! transferCodingUnsupported"),

    // The last coding is not chunked, or it is chunked twice.
    RequestCase.fields("RFC 9112 §6.3", "Transfer-Encoding: gzip", "! chunkedNotLast"),
    RequestCase.fields("RFC 9112 §6.3", "Transfer-Encoding: chunked, gzip", "! chunkedNotLast"),
    RequestCase.fields("RFC 9112 §6.3", "Transfer-Encoding: chunked\r\nTransfer-Encoding: deflate", "! chunkedNotLast"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: chunked, chunked", "! chunkedNotLast"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: Chunked", "! chunkedNotLast"),

    // Not a list of codings.
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding:", "! transferEncodingMalformed"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: ,", "! transferEncodingMalformed"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: chunked,", "! transferEncodingMalformed"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: , chunked", "! transferEncodingMalformed"),
    RequestCase.fields("RFC 9112 §6.1", "Transfer-Encoding: \"chunked\"", "! transferEncodingMalformed"),
    RequestCase.fields("RFC 9112 §7.1", "Transfer-Encoding: chunked;a=b", "! transferEncodingMalformed"),
    RequestCase.fields("RFC 9112 §7.1", "Transfer-Encoding: chunked chunked", "! transferEncodingMalformed"),
    RequestCase.fields("RFC 9112 §5.1", "Transfer-Encoding : chunked", "! whitespaceBeforeColon"),
    RequestCase.fields("RFC 9110 §5.5", "Transfer-Encoding: \u{B}chunked", "! fieldValueMalformed"),
    RequestCase.fields("RFC 9110 §5.5", "Transfer-Encoding: chunked\u{A0}", "! transferEncodingMalformed"),
  ])
  func transferEncoding(_ test: RequestCase) { run(test) }

  @Test(arguments: [
    RequestCase.fields("RFC 9110 §10.1.1", "Expect: 100-continue", "GET / @a \"\""),
    RequestCase.fields("RFC 9110 §10.1.1", "Expect: 100-Continue, 100-continue", "GET / @a \"\""),
    RequestCase.fields("RFC 9110 §10.1.1", "Expect:", "GET / @a \"\""),
    RequestCase.fields("RFC 9110 §10.1.1", "Expect: 200-ok", "! expectationUnsupported"),
    RequestCase.fields("RFC 9110 §10.1.1", "Expect: 100-continue;x=1", "! expectationUnsupported"),
    RequestCase.fields("RFC 9110 §10.1.1", "Expect: 100-continue\r\nExpect: tea", "! expectationUnsupported"),
    RequestCase("RFC 9110 §10.1.1", "GET / HTTP/1.0\r\nExpect: tea\r\n\r\n", "GET / @ \"\""),
  ])
  func expectation(_ test: RequestCase) { run(test) }

  /// The same request, its content too large only for the limit that its handler sets once it knows the head.
  @Test(arguments: [
    "Content-Length: 5\r\n\r\nabcde", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
  ])
  func contentLimit(_ rest: String) {
    let sent = octets("POST / HTTP/1.1\r\nHost: a\r\n\(rest)")
    for delivery in [Transcript.Delivery.whole, .byteByByte] {
      #expect(Transcript.of(sent, delivery, contentLimit: 5) == ["POST / @a \"abcde\""])
      #expect(Transcript.of(sent, delivery, contentLimit: 4) == ["! contentTooLarge"])
    }
  }
}

import HTTP1
import Testing

/// Every octet, in every place that has a grammar, against that grammar's own words.
@Suite struct OctetTests {
  private static let alphanumeric = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789".utf8)
  private static let token = alphanumeric.union("!#$%&'*+-.^_`|~".utf8)
  private static let unreservedAndSubdelims = alphanumeric.union("-._~!$&'()*+,;=".utf8)

  /// Which octets are taken in the middle of `before` and `after`.
  private func taken(_ before: String, _ after: String) -> Set<UInt8> {
    Set((0...UInt8.max).filter { Transcript.of(octets(before) + [$0] + octets(after), .whole).last?.first == "G" })
  }

  @Test("RFC 9110 §5.6.2: token") func names() {
    // Colon: it ends the name sooner, and what follows is the value.
    #expect(
      taken("GET / HTTP/1.1\r\nHost: a\r\nA", "A: b\r\n\r\n") == Self.token.union(":".utf8))
    // Space: it ends the method.
    #expect(taken("G", " / HTTP/1.1\r\nHost: a\r\n\r\n") == Self.token)
  }

  @Test("RFC 9110 §5.5: field-value", arguments: ["", "x", "0123456789abcdef"])
  func values(_ filler: String) {
    let allowed = Set(0x20...UInt8(0x7E)).union([0x09]).union(0x80...0xFF)
    #expect(taken("GET / HTTP/1.1\r\nHost: a\r\nA: \(filler)", "\(filler)\r\n\r\n") == allowed)
  }

  @Test("RFC 3986 §3.3, §3.4: path and query") func targets() {
    let path = Self.unreservedAndSubdelims.union(":@/".utf8)
    #expect(taken("GET /a", "b HTTP/1.1\r\nHost: a\r\n\r\n") == path.union("?".utf8))
    #expect(taken("GET /?a", "b HTTP/1.1\r\nHost: a\r\n\r\n") == path.union("?".utf8))
    // A percent sign with two digits behind it is no octet of its own.
    #expect(taken("GET /a", "20 HTTP/1.1\r\nHost: a\r\n\r\n") == path.union("?%".utf8))
  }

  @Test("RFC 3986 §3.2.2: reg-name") func hosts() {
    #expect(taken("GET / HTTP/1.1\r\nHost: a", "b\r\n\r\n") == Self.unreservedAndSubdelims)
    // Whitespace at the end is no part of a value, and a port may be empty.
    #expect(taken("GET / HTTP/1.1\r\nHost: a", "\r\n\r\n") == Self.unreservedAndSubdelims.union([0x09, 0x20, 0x3A]))
  }

  @Test("RFC 9112 §7.1: chunk-size") func sizes() {
    let digits = Set("0123456789abcdefABCDEF".utf8)
    let accepted = Set(
      (0...UInt8.max).filter {
        let sent = octets("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") + [$0] + octets("\r\n")
        return Transcript.of(sent, .whole).last == "…"
      })
    #expect(accepted == digits)
  }
}

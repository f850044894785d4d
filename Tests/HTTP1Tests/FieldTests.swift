import HTTP1
import Testing

@Suite struct FieldTests {
  @Test(arguments: [
    RequestCase.fields("RFC 9112 §5", "A:b", "GET / @a \"\""),
    RequestCase.fields("RFC 9112 §5.1", "A:", "GET / @a \"\""),
    RequestCase.fields("RFC 9112 §5.1", "A: \t ", "GET / @a \"\""),
    RequestCase.fields("RFC 9112 §5.1", "A:\t b\tc \t", "GET / @a \"\""),
    RequestCase.fields("RFC 9110 §5.5", "A: \u{80}\u{FF}", "GET / @a \"\""),
    RequestCase.fields("RFC 9110 §5.6.2", "!#$%&'*+-.^_`|~09aZ: b", "GET / @a \"\""),
    RequestCase.fields("RFC 9112 §5", "A: :b:", "GET / @a \"\""),

    // Names.
    RequestCase.fields("RFC 9112 §5.1", "A : b", "! whitespaceBeforeColon"),
    RequestCase.fields("RFC 9112 §5.1", "A\t: b", "! whitespaceBeforeColon"),
    RequestCase.fields("RFC 9112 §5.1", "Content-Length : 3", "! whitespaceBeforeColon"),
    RequestCase.fields("RFC 9110 §5.1", ": b", "! fieldNameMalformed"),
    RequestCase.fields("RFC 9110 §5.1", "A(: b", "! fieldNameMalformed"),
    RequestCase.fields("RFC 9110 §5.1", "A@: b", "! fieldNameMalformed"),
    RequestCase.fields("RFC 9110 §5.1", "A\u{0}: b", "! fieldNameMalformed"),
    RequestCase.fields("RFC 9110 §5.1", "\u{E9}: b", "! fieldNameMalformed"),
    RequestCase.fields("RFC 9110 §5.1", "\"A\": b", "! fieldNameMalformed"),
    RequestCase.fields("RFC 9112 §5", "A", "! colonMissing"),
    RequestCase.fields("RFC 9112 §5", "A b", "! whitespaceBeforeColon"),

    // Folding is obsolete, at the first line too.
    RequestCase.fields("RFC 9112 §5.2", "A: b\r\n c", "! lineFolded"),
    RequestCase.fields("RFC 9112 §5.2", "A: b\r\n\tc: d", "! lineFolded"),
    RequestCase.fields("RFC 9112 §5.2", "A: b\r\n ", "! lineFolded"),
    RequestCase("RFC 9112 §2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", "! lineFolded"),
    RequestCase("RFC 9112 §2.2", "GET / HTTP/1.1\r\n\tA: b\r\nHost: a\r\n\r\n", "! lineFolded"),

    // Values.
    RequestCase.fields("RFC 9110 §5.5", "A: b\u{0}c", "! fieldValueMalformed"),
    RequestCase.fields("RFC 9110 §5.5", "A: \u{1}", "! fieldValueMalformed"),
    RequestCase.fields("RFC 9110 §5.5", "A: b\u{B}", "! fieldValueMalformed"),
    RequestCase.fields("RFC 9110 §5.5", "A: b\u{1F}23456789", "! fieldValueMalformed"),
    RequestCase.fields("RFC 9110 §5.5", "A: 0123456789\u{7F}", "! fieldValueMalformed"),

    // Line ends.
    RequestCase.fields("RFC 9112 §2.2", "A: b\nC: d", "! bareLineFeed"),
    RequestCase.fields("RFC 9112 §2.2", "A: b\n", "! bareLineFeed"),
    RequestCase.fields("RFC 9112 §2.2", "A: b\rC: d", "! bareCarriageReturn"),
    RequestCase.fields("RFC 9112 §2.2", "A: b\r", "! bareCarriageReturn"),
    RequestCase.fields("RFC 9112 §2.2", "\rA: b", "! bareCarriageReturn"),
    RequestCase.fields("RFC 9112 §2.2", "A\r: b", "! colonMissing"),
    RequestCase("RFC 9112 §2.2", "GET / HTTP/1.1\r\nHost: a\n\n", "! bareLineFeed"),
    RequestCase("RFC 9112 §2.2", "GET / HTTP/1.1\r\nHost: a\r\n\n", "! bareLineFeed"),
    RequestCase("RFC 9112 §2.2", "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n", "! bareCarriageReturn"),
  ])
  func syntax(_ test: RequestCase) { run(test) }

  @Test(arguments: [
    ("a", true), ("a.example", true), ("a_b-c~d", true), ("a.example:8080", true), ("a:", true), ("127.0.0.1:80", true),
    ("a%2Db", true), ("a,b", true), ("[::1]", true), ("[::]:80", true), ("[1:2:3:4:5:6:7:8]", true), ("[1::8]", true),
    ("[1:2:3:4:5:6:7::]", true), ("[::ffff:1.2.3.4]", true), ("[1:2:3:4:5:6:1.2.3.4]:1", true), ("[FE80::a]", true),
    ("a:65535", true),
    ("", false), (":80", false), ("a b", false), ("a, b", false), ("a:80:80", false), ("a:x", false), ("a:-1", false),
    ("a:65536", false), ("a:99999999999999999999", false), ("a/b", false), ("a?b", false), ("a#b", false),
    ("u@a", false), ("http://a", false), ("a\\b", false), ("a\"", false), ("<a>", false), ("{a}", false), ("a%", false),
    ("a%4", false), ("a%zz", false), ("\u{E9}", false), ("[", false), ("[]", false), ("]", false), ("[::1", false),
    ("[::1]x", false), ("[::1]80", false), ("::1", false), ("[1:2:3:4:5:6:7]", false), ("[1:2:3:4:5:6:7:8:9]", false),
    ("[1::2::3]", false), ("[:1]", false), ("[1:]", false), ("[:::]", false), ("[12345::]", false), ("[g::]", false),
    ("[1:2:3:4:5:6:7::8]", false), ("[1:2:3:4::5:6:7:8]", false), ("[::1.2.3]", false), ("[::1.2.3.256]", false),
    ("[::01.2.3.4]", false), ("[::1.2.3.4:5]", false), ("[::1.2.3.4.5]", false), ("[::1..3.4]", false),
    ("[v1.x]", false), ("[fe80::1%25eth0]", false), ("a[::1]", false),
  ])
  func host(_ value: String, _ isValid: Bool) {
    let line = isValid ? "GET / @\(value) \"\"" : "! hostMalformed"
    run(RequestCase("RFC 9112 §3.2", "GET / HTTP/1.1\r\nHost: \(value)\r\n\r\n", line))
    run(RequestCase("RFC 9112 §3.2", "GET / HTTP/1.0\r\nHost: \(value)\r\n\r\n", line))
  }

  @Test(arguments: [
    RequestCase("RFC 9112 §3.2", "GET / HTTP/1.1\r\n\r\n", "! hostMissing"),
    RequestCase("RFC 9112 §3.2", "GET / HTTP/1.1\r\nHosts: a\r\n\r\n", "! hostMissing"),
    RequestCase("RFC 9112 §3.2", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "! hostRepeated"),
    RequestCase("RFC 9112 §3.2", "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", "! hostRepeated"),
    RequestCase("RFC 9112 §3.2", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "! hostRepeated"),
    RequestCase("RFC 9112 §3.2", "GET / HTTP/1.0\r\n\r\n", "GET / @ \"\""),
    RequestCase("RFC 9112 §3.2", "GET / HTTP/1.1\r\nHOST:a\r\n\r\n", "GET / @a \"\""),
  ])
  func hostCount(_ test: RequestCase) { run(test) }
}

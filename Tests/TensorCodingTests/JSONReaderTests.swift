import TensorCoding
import Testing

/// Grammar: where a text stops being JSON, and what could have stood there.
@Suite struct JSONSyntaxTests {
  @Test(
    arguments: [
      ("", 0, .value), ("  ", 2, .value), ("[1,]", 3, .value), ("[,1]", 1, .value), ("NaN", 0, .value),
      ("[Infinity]", 1, .value), ("[-Infinity]", 2, .digit), ("[nan]", 2, .literal), ("+1", 0, .value),
      (".5", 0, .value),
      ("'a'", 0, .value), ("\u{FEFF}[]", 0, .noByteOrderMark), ("\u{A0}1", 0, .value), ("/* */ 1", 0, .value),
      ("1 2", 2, .endOfText), ("[] []", 3, .endOfText), ("{}}", 2, .endOfText), ("1\u{0}", 1, .endOfText),
      ("[1 2]", 3, .commaOrEndOfArray), ("[1", 2, .commaOrEndOfArray), ("[\"a\":1]", 4, .commaOrEndOfArray),
      ("{\"a\":1 \"b\"", 7, .commaOrEndOfObject), ("{\"a\":1,}", 7, .memberName), ("{a:1}", 1, .memberName),
      ("{1:1}", 1, .memberName), ("{\"a\" 1}", 5, .colon), ("{\"a\"}", 4, .colon), ("{\"a\":}", 5, .value),
      ("tru", 3, .literal), ("[truE]", 4, .literal), ("falze", 3, .literal), ("nul", 3, .literal), ("TRUE", 0, .value),
      ("-", 1, .digit), ("[-a]", 2, .digit), ("1.", 2, .digit), ("1.e5", 2, .digit), ("1e", 2, .digit),
      ("1e+", 3, .digit), ("01", 1, .noLeadingZero), ("-00", 2, .noLeadingZero), ("[1.5.5]", 4, .commaOrEndOfArray),
      ("0x10", 1, .endOfText), ("1_000", 1, .endOfText), ("1e5.5", 3, .endOfText),
      ("\"a", 2, .closingQuote), ("\"\\", 2, .escape), ("\"\\x41\"", 2, .escape), ("\"\\u12G4\"", 5, .hexDigit),
      ("\"\\u12", 5, .hexDigit), ("\"\\uD800\"", 1, .surrogatePair), ("\"\\uDC00\"", 1, .surrogatePair),
      ("\"ab\\uD800\\u0041\"", 3, .surrogatePair), ("\"\\uD800\\n\"", 1, .surrogatePair),
      ("\"\n\"", 1, .escapedControlCharacter),
      ("\"a\u{0}\"", 2, .escapedControlCharacter), ("\"\u{1F}\"", 1, .escapedControlCharacter),
    ] as [(String, Int, JSONExpectation)])
  func offsets(_ text: String, _ offset: Int, _ expected: JSONExpectation) {
    #expect(validate(Array(text.utf8)) == .syntax(offset: offset, expected: expected))
  }

  @Test(
    arguments: [
      [0x80], [0xBF], [0xC0, 0x80], [0xC1, 0xBF], [0xC2], [0xC2, 0x41], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
      [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xE2, 0x82, 0x28],
      [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF0, 0x90, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE],
      [0xFF],
    ] as [[UInt8]])
  func illFormedUTF8(_ bytes: [UInt8]) {
    for tail in [Array("\"".utf8), Array("abcdefghijkl\"".utf8), []] {
      let text = Array("\"ab".utf8) + bytes + tail
      #expect(validate(text) == .syntax(offset: 3, expected: .wellFormedUTF8), "\(text)")
    }
  }

  @Test func depth() {
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    func members(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "{\"a\":", count: depth) + "1" + String(repeating: "}", count: depth)).utf8)
    }
    #expect(validate(nested(64)) == nil)
    #expect(validate(nested(65)) == .syntax(offset: 64, expected: .shallowerNesting))
    #expect(validate(members(64)) == nil)
    #expect(validate(members(65)) == .syntax(offset: 64 * 5, expected: .shallowerNesting))
    #expect(
      validate(Array(String(repeating: "[", count: 1_000_000).utf8)) == .syntax(offset: 64, expected: .shallowerNesting)
    )
    // Siblings are not deeper than one another.
    #expect(validate(Array("[\(String(repeating: "[[]],", count: 1000))[]]".utf8)) == nil)
  }

  /// Every proper prefix of a valid text is refused at its end or before; none of them traps.
  @Test func truncation() {
    let text = Array(
      """
      {"model": "d\\u00e9\\ud83d\\ude00m\u{F8}", "layer": 3, "input": [[0.5, -1.25e-3, 123456789.125], [1, 2, 3]],
      "flag": true, "none": null, "data": {"shape": [1, 2], "datatype": "FP16", "base64": "AAAAAA=="}, "off": false}
      """.utf8)
    #expect(validate(text) == nil)
    for length in 0..<text.count {
      guard case .syntax(let offset, _) = validate(Array(text[..<length])) else {
        Issue.record("accepted after \(length) bytes")
        continue
      }
      #expect(offset <= length)
    }
  }
}

/// Values and the errors of those who ask for another one.
@Suite struct JSONReaderTests {
  @Test(arguments: [
    ("\"\"", ""), ("\"a\"", "a"), ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"),
    ("\"\\u0041\\u00DF\\u6c34\"", "A\u{DF}\u{6C34}"),
    ("\"\\ud834\\uDD1E\"", "\u{1D11E}"),
    ("\"\u{1D11E}\u{7FF}\u{800}\u{FFFF}\u{10FFFF}\"", "\u{1D11E}\u{7FF}\u{800}\u{FFFF}\u{10FFFF}"),
    ("\"\\u0000\"", "\u{0}"), ("\"\\uFFFE\"", "\u{FFFE}"), ("\"\u{7F}\"", "\u{7F}"),
    ("\"\(String(repeating: "long ", count: 20))\\n\"", String(repeating: "long ", count: 20) + "\n"),
  ])
  func strings(_ text: String, _ value: String) {
    let result = read(text) { reader throws(JSONError) in try reader.readString() }
    #expect(result.value.map { Array($0.utf8) } == Array(value.utf8))
  }

  @Test func kinds() {
    for (text, kind) in [
      ("{}", .object), ("[]", .array), ("\"\"", .string), ("-1", .number), ("0", .number), ("true", .boolean),
      ("false", .boolean), ("null", .null),
    ] as [(String, JSONKind)] {
      let peeked = read(" \t\r\n" + text) { reader throws(JSONError) in
        let kind = try reader.peek()
        try reader.skipValue()
        return kind
      }
      #expect(peeked == .success(kind))
      let asString = read(text) { reader throws(JSONError) in try reader.readString() }
      if kind != .string { #expect(asString.error == .mismatch(pointer: "", .kind(expected: .string, found: kind))) }
      let asBool = read(text) { reader throws(JSONError) in try reader.readBool() }
      if kind != .boolean { #expect(asBool.error == .mismatch(pointer: "", .kind(expected: .boolean, found: kind))) }
    }
    #expect(read("true") { reader throws(JSONError) in try reader.readBool() } == .success(true))
    #expect(read("false") { reader throws(JSONError) in try reader.readBool() } == .success(false))
  }

  /// Reads an object that knows `a` (an integer) and `b` (an array of such objects), each at most once.
  private static func readNode(_ reader: inout JSONReader) throws(JSONError) -> Int {
    var sum = 0
    var keys = KeySet()
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "a": sum += try reader.readInt()
      case "b": try reader.readArray { reader, _ throws(JSONError) in sum += try readNode(&reader) }
      default: throw .here(.unknownMember)
      }
    }
    guard keys.contains("a") else { throw .here(.missingMember("a")) }
    return sum
  }

  @Test(
    arguments: [
      ("{\"a\": 1, \"b\": [{\"a\": 2}, {\"b\": [], \"a\": 4}]}", .success(7)),
      ("{\"a\": 1, \"c\": 2}", .failure(.mismatch(pointer: "/c", .unknownMember))),
      ("{\"a\": 1, \"a\": 2}", .failure(.mismatch(pointer: "/a", .duplicateMember))),
      ("{\"a\": 1, \"\\u0061\": 2}", .failure(.mismatch(pointer: "/a", .duplicateMember))),
      ("{\"a\": 1, \"b\": [{\"a\": 2}, {}]}", .failure(.mismatch(pointer: "/b/1", .missingMember("a")))),
      (
        "{\"a\": 1, \"b\": [{\"a\": true}]}",
        .failure(.mismatch(pointer: "/b/0/a", .kind(expected: .number, found: .boolean)))
      ),
      ("{\"x/y~z\": 1}", .failure(.mismatch(pointer: "/x~1y~0z", .unknownMember))),
      // A text that is no JSON is refused as that, whatever stands in front of the flaw.
      ("{\"c\": 1, \"a\" 2}", .failure(.syntax(offset: 13, expected: .colon))),
      ("{\"c\": 1} x", .failure(.syntax(offset: 9, expected: .endOfText))),
      ("{\"a\": 1} x", .failure(.syntax(offset: 9, expected: .endOfText))),
    ] as [(String, Result<Int, JSONError>)])
  func members(_ text: String, _ expected: Result<Int, JSONError>) {
    #expect(read(text, Self.readNode) == expected)
  }

  @Test func longKeysAreQuotedInPart() {
    // The second is a single character to Swift, with 5000 accents.
    for (first, rest) in [("k", "k"), ("e", "\u{301}")] {
      let key = first + String(repeating: rest, count: 5000)
      guard case .mismatch(let pointer, .unknownMember) = read("{\"\(key)\": 1}", Self.readNode).error else {
        Issue.record("no mismatch")
        continue
      }
      #expect(Array(pointer.utf8) == Array(("/" + first + String(repeating: rest, count: 63) + "…").utf8))
    }
  }

  @Test func manyKeys() {
    let text = "{" + (0..<100).map { "\"key\($0)\":\($0)" }.joined(separator: ",") + ",\"key42\":0}"
    var keys = KeySet()
    let result = read(text) { reader throws(JSONError) in
      try reader.readObject { reader, key throws(JSONError) in
        try keys.insert(key)
        try reader.skipValue()
      }
    }
    #expect(result.error == .mismatch(pointer: "/key42", .duplicateMember))
  }

  @Test func emptyBuffer() {
    let result = Result { () throws(JSONError) in
      try JSONReader.read(UnsafeBufferPointer(start: nil, count: 0)) { reader throws(JSONError) in
        try reader.skipValue()
      }
    }
    #expect(result.error == .syntax(offset: 0, expected: .value))
  }
}

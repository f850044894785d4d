import HTTPServer
import Testing

/// How a body reaches the stream: by pieces of so many bytes, delivering so many at most in a call.
struct Delivery: Sendable, CustomTestStringConvertible {
  let slice: Int
  let budget: Int
  var testDescription: String { "\(slice) bytes in, \(budget) out" }

  static let whole = Delivery(slice: 1 << 30, budget: .max)
  static let all = [whole, .init(slice: 1, budget: .max), .init(slice: 7, budget: 3), .init(slice: 1 << 30, budget: 1)]
}

/// All of `body` through one stream: its content, or what was wrong with it.
func inflated(
  _ body: [UInt8], _ coding: ContentCoding, limit: Int = 1 << 22, _ delivery: Delivery = .whole
) -> Result<[UInt8], ContentCodingError> {
  do {
    var output: [UInt8] = []
    var stream = try InflateStream(coding, outputLimit: limit)
    var offset = 0
    while offset < body.count {
      let received = body.span.bytes.extracting(0..<min(offset + delivery.slice, body.count))
      while try stream.next(received, offset: &offset, into: &output, atMost: delivery.budget) == .outputPending {}
      #expect(offset == received.byteCount)
    }
    try stream.finish()
    return .success(output)
  } catch {
    return .failure(error)
  }
}

/// A gzip member with every field given, its content in stored blocks: RFC 1952, 2.3 and RFC 1951, 3.2.4.
func gzipMember(
  method: UInt8 = 8, flags: UInt8 = 0, optional: [UInt8] = [], content: [UInt8], crc: UInt32, length: UInt32? = nil
) -> [UInt8] {
  [0x1F, 0x8B, method, flags, 0, 0, 0, 0, 0, 255] + optional + storedBlock(content)
    + littleEndian(crc) + littleEndian(length ?? UInt32(content.count))
}

private func storedBlock(_ content: [UInt8]) -> [UInt8] {
  let length = UInt16(content.count)
  return [1, UInt8(length & 0xFF), UInt8(length >> 8), UInt8(~length & 0xFF), UInt8(~length >> 8)] + content
}

private func littleEndian(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

private func bigEndian(_ value: UInt32) -> [UInt8] { littleEndian(value).reversed() }

/// The check value that catalogues of checksums give for CRC-32.
private let digits = Array("123456789".utf8)
private let digitsCRC: UInt32 = 0xCBF4_3926
/// The worked example of Adler-32 in its encyclopedia article.
private let wikipedia = Array("Wikipedia".utf8)
private let wikipediaAdler: UInt32 = 0x11E6_0398
/// RFC 1950, 2.2: method 8, window 32 KiB, no dictionary, check bits.
private let zlibHeader: [UInt8] = [0x78, 0x01]

@Suite("Inflating a body, by hand-made streams")
struct ContentCodingInflateTests {
  @Test("gzip members of RFC 1952", arguments: Delivery.all)
  func gzip(delivery: Delivery) {
    let plain = gzipMember(content: digits, crc: digitsCRC)
    #expect(inflated(plain, .gzip, delivery) == .success(digits))
    let empty = gzipMember(content: [], crc: 0)
    #expect(inflated(empty, .gzip, delivery) == .success([]))
    // FTEXT, FEXTRA, FNAME, FCOMMENT: skipped.
    let named = gzipMember(
      flags: 0x1D, optional: [3, 0, 1, 2, 3] + Array("a.json\0".utf8) + Array("x\0".utf8), content: digits,
      crc: digitsCRC)
    #expect(inflated(named, .gzip, delivery) == .success(digits))
    #expect(inflated(plain + empty + named, .gzip, delivery) == .success(digits + digits))
    #expect(inflated(empty + empty, .gzip, delivery) == .success([]))
  }

  @Test("zlib streams of RFC 1950", arguments: Delivery.all)
  func deflate(delivery: Delivery) {
    let stream = zlibHeader + storedBlock(wikipedia) + bigEndian(wikipediaAdler)
    #expect(inflated(stream, .deflate, delivery) == .success(wikipedia))
    #expect(inflated(zlibHeader + storedBlock([]) + bigEndian(1), .deflate, delivery) == .success([]))
  }

  @Test(
    "RFC 1951 by fixed and dynamic codes, a match that overlaps itself",
    arguments: [
      ("789ccb48cdc9c90700062c0215", "hello"),
      ("789c4b4cc40f00c8300c21", String(repeating: "a", count: 32)),
    ])
  func blocks(hex: String, content: String) throws {
    let digits = Array(hex)
    let bytes = try stride(from: 0, to: digits.count, by: 2).map { at in
      try #require(UInt8(String(digits[at...(at + 1)]), radix: 16))
    }
    #expect(inflated(bytes, .deflate) == .success(Array(content.utf8)))
  }

  @Test("checksums and lengths are held", arguments: Delivery.all)
  func checksums(delivery: Delivery) {
    let wrongCRC = gzipMember(content: digits, crc: digitsCRC ^ 1)
    #expect(inflated(wrongCRC, .gzip, delivery) == .failure(.checksumMismatch))
    let wrongLength = gzipMember(content: digits, crc: digitsCRC, length: 10)
    #expect(inflated(wrongLength, .gzip, delivery) == .failure(.checksumMismatch))
    let wrongAdler = zlibHeader + storedBlock(wikipedia) + bigEndian(wikipediaAdler &+ 1)
    #expect(inflated(wrongAdler, .deflate, delivery) == .failure(.checksumMismatch))
    let second = gzipMember(content: digits, crc: digitsCRC) + wrongCRC
    #expect(inflated(second, .gzip, delivery) == .failure(.checksumMismatch))
  }

  @Test("nothing may follow the stream", arguments: Delivery.all)
  func trailingData(delivery: Delivery) {
    let member = gzipMember(content: digits, crc: digitsCRC)
    for tail in [[0], [0, 0, 0, 0], Array("\r\n".utf8), [0x1E], [0x78, 0x9C]] as [[UInt8]] {
      #expect(inflated(member + tail, .gzip, delivery) == .failure(.trailingData(offset: member.count)))
      #expect(inflated(member + member + tail, .gzip, delivery) == .failure(.trailingData(offset: 2 * member.count)))
    }
    let stream = zlibHeader + storedBlock(wikipedia) + bigEndian(wikipediaAdler)
    for tail in [[0], stream, member] as [[UInt8]] {
      #expect(inflated(stream + tail, .deflate, delivery) == .failure(.trailingData(offset: stream.count)))
    }
  }

  @Test("what isn't the format is malformed", arguments: Delivery.all)
  func malformed(delivery: Delivery) {
    let member = gzipMember(content: digits, crc: digitsCRC)
    let stream = zlibHeader + storedBlock(wikipedia) + bigEndian(wikipediaAdler)
    let cases: [(ContentCoding, [UInt8])] = [
      (.gzip, Array(#"{"input": [1.0]}"#.utf8)), (.gzip, stream), (.gzip, member + [0x1F, 0]),
      (.gzip, gzipMember(method: 7, content: digits, crc: digitsCRC)),
      (.gzip, gzipMember(flags: 0x20, content: digits, crc: digitsCRC)),
      (.gzip, gzipMember(flags: 0x02, optional: [0, 0], content: digits, crc: digitsCRC)),  // FHCRC wrong
      (.deflate, Array(#"{"input": [1.0]}"#.utf8)), (.deflate, member),
      (.deflate, storedBlock(wikipedia)),  // RFC 1951 without the wrapper
      (.deflate, [0x78, 0x02] + stream.dropFirst(2)),  // check bits
      (.deflate, [0x88, 0x1C] + stream.dropFirst(2)),  // window of 64 KiB
      (.deflate, [0x78, 0x20, 0, 0, 0, 1] + stream.dropFirst(2)),  // preset dictionary
      (.deflate, zlibHeader + [0x07]),  // block type 3
      (.deflate, zlibHeader + [0x01, 5, 0, 0, 0]),  // stored length and its complement
      (.deflate, zlibHeader + [0x4B, 0x04, 0x62, 0x00]),  // a distance beyond what there is
    ]
    for (coding, body) in cases {
      guard case .failure(.malformed(let offset)) = inflated(body, coding, delivery) else {
        Issue.record("\(coding) \(body)")
        continue
      }
      #expect((0...body.count).contains(offset))
    }
  }

  @Test("a body that ends early is truncated, wherever", arguments: Delivery.all)
  func truncated(delivery: Delivery) {
    let member = gzipMember(
      flags: 0x18, optional: Array("a.json\0note\0".utf8), content: digits, crc: digitsCRC)
    let stream = zlibHeader + storedBlock(wikipedia) + bigEndian(wikipediaAdler)
    for count in 0..<member.count {
      #expect(inflated(Array(member.prefix(count)), .gzip, delivery) == .failure(.truncated), "\(count)")
      let second = inflated(member + member.prefix(count), .gzip, delivery)
      #expect(second == (count == 0 ? .success(digits) : .failure(.truncated)), "\(count)")
    }
    for count in 0..<stream.count {
      #expect(inflated(Array(stream.prefix(count)), .deflate, delivery) == .failure(.truncated), "\(count)")
    }
  }

  @Test("content is allowed up to the limit and not a byte further", arguments: Delivery.all)
  func limit(delivery: Delivery) {
    let member = gzipMember(content: digits, crc: digitsCRC)
    for (body, total) in [(member, 9), (member + member, 18)] {
      for limit in 0...20 {
        let expected: Result<[UInt8], ContentCodingError> =
          limit < total ? .failure(.outputTooLarge(limit: limit)) : .success(Array((digits + digits).prefix(total)))
        #expect(inflated(body, .gzip, limit: limit, delivery) == expected, "\(limit)")
      }
    }
    #expect(inflated(gzipMember(content: [], crc: 0), .gzip, limit: 0, delivery) == .success([]))
  }

  @Test("an error stays")
  func failureStays() throws {
    var stream = try InflateStream(.deflate, outputLimit: 100)
    var output: [UInt8] = [1, 2]
    var offset = 0
    let bad: [UInt8] = [0, 0, 0]
    for _ in 0..<3 {
      #expect(throws: ContentCodingError.self) {
        try stream.next(bad.span.bytes, offset: &offset, into: &output)
      }
    }
    #expect(throws: ContentCodingError.self) { try stream.finish() }
    #expect(output == [1, 2])
  }
}

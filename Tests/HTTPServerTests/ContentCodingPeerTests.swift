import HTTPServer
import Testing

/// A JSON body such as this server gets: numbers, of which no long run repeats.
private func numbers(_ count: Int) -> [UInt8] {
  var random = SplitMix64(seed: 7)
  let list = (0..<count).map { _ in "\(Float.random(in: -4...4, using: &random))" }
  return Array(#"{"input": [\#(list.joined(separator: ", "))]}"#.utf8)
}

@Suite("Content codings against Python's zlib and gzip and the gzip program")
struct ContentCodingPeerTests {
  /// What `expression` makes of the bytes `d`.
  private func python(_ expression: String, _ input: [UInt8]) throws -> [UInt8] {
    try Command.run(
      "python3", "-c", "import sys, gzip, zlib; d = sys.stdin.buffer.read(); sys.stdout.buffer.write(\(expression))",
      input: input)
  }

  @Test(
    "streams that others made",
    arguments: [
      ("gzip.compress(d, 9)", .gzip), ("gzip.compress(d, 0)", .gzip),
      ("b''.join(gzip.compress(d[i:i + 999], 6) for i in range(0, len(d), 999))", .gzip),
      ("(lambda c: c.compress(d) + c.flush(zlib.Z_SYNC_FLUSH) + c.flush())(zlib.compressobj(6, 8, 25))", .gzip),
      ("zlib.compress(d, 1)", .deflate), ("zlib.compress(d, 9)", .deflate), ("zlib.compress(d, 0)", .deflate),
      ("(lambda c: c.compress(d) + c.flush())(zlib.compressobj(9, 8, 9))", .deflate),
      ("(lambda c: c.compress(d) + c.flush())(zlib.compressobj(9, 8, 15, 9, zlib.Z_FIXED))", .deflate),
      ("(lambda c: c.compress(d) + c.flush())(zlib.compressobj(9, 8, 15, 9, zlib.Z_HUFFMAN_ONLY))", .deflate),
    ] as [(String, ContentCoding)])
  func decodes(expression: String, coding: ContentCoding) throws {
    var random = SplitMix64(seed: 11)
    for content in [numbers(3000), random.bytes(100_000), Array(repeating: 0x30, count: 300_000), [0x5B], []] {
      let body = try python(content.isEmpty && expression.contains("join") ? "gzip.compress(d)" : expression, content)
      for delivery in [Delivery.whole, .init(slice: 61, budget: .max), .init(slice: 1021, budget: 4099)] {
        #expect(inflated(body, coding, delivery) == .success(content))
      }
      #expect(inflated(body, coding, limit: content.count) == .success(content))
      if !content.isEmpty {
        let limit = content.count - 1
        #expect(inflated(body, coding, limit: limit) == .failure(.outputTooLarge(limit: limit)))
      }
    }
  }

  @Test("every truncation of a stream with dynamic codes", arguments: [ContentCoding.gzip, .deflate])
  func truncations(coding: ContentCoding) throws {
    let body = try python(coding == .gzip ? "gzip.compress(d)" : "zlib.compress(d)", numbers(400))
    #expect(body.count > 1000)
    for count in 0..<body.count {
      #expect(inflated(Array(body.prefix(count)), coding) == .failure(.truncated), "\(count)")
    }
  }

  @Test("a stream with bytes changed is decoded alike in one piece and in many, and never beyond the limit")
  func mutations() throws {
    let content = numbers(60)
    var random = SplitMix64(seed: 13)
    var failures = 0
    for (coding, expression) in [(ContentCoding.gzip, "gzip.compress(d) * 2"), (.deflate, "zlib.compress(d)")] {
      let body = try python(expression, content)
      for _ in 0..<4000 {
        var mutated = body
        for _ in 0...Int.random(in: 0..<4, using: &random) {
          mutated[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        let limit = Int.random(in: 0...(3 * content.count), using: &random)
        let whole = inflated(mutated, coding, limit: limit)
        let pieces = inflated(mutated, coding, limit: limit, .init(slice: 5, budget: 64))
        switch (whole, pieces) {
        case (.success(let one), .success(let other)):
          #expect(one == other && one.count <= limit)
        case (.failure(.malformed), .failure(.malformed)): failures += 1
        case (.failure(let one), .failure(let other)):
          #expect(one == other)
          failures += 1
        default: Issue.record("whole and in pieces differ: \(mutated)")
        }
      }
    }
    #expect(failures > 6000)
  }

  @Test("arbitrary bytes never trap")
  func garbage() {
    var random = SplitMix64(seed: 17)
    for round in 0..<4000 {
      var body = random.bytes(round % 97)
      if round % 2 == 0 { body = [0x78, 0x9C] + body }
      if round % 5 == 0 { body = [0x1F, 0x8B, 8, 0] + body }
      for coding in ContentCoding.allCases {
        if case .success = inflated(body, coding) { Issue.record("\(body)") }
      }
    }
  }

  @Test("a bomb of 1 GB against a limit of 1 MB stops at the limit")
  func bomb() throws {
    // One block of a million zeros closed by a full flush, a thousand times over: what zlib makes of 1 GB of zeros.
    let body = try python(
      "(lambda c: c.compress(bytes(1 << 20)) + (c.compress(bytes(1 << 20)) + c.flush(zlib.Z_FULL_FLUSH)) * 1023)"
        + "(zlib.compressobj(9, 8, 31))", [])
    #expect(body.count > 1_000_000)
    let limit = 1 << 20
    for delivery in [Delivery.whole, .init(slice: 1, budget: .max), .init(slice: 4096, budget: 65_536)] {
      var stream = try InflateStream(.gzip, outputLimit: limit)
      var output: [UInt8] = []
      var offset = 0
      #expect(throws: ContentCodingError.outputTooLarge(limit: limit)) {
        while offset < body.count {
          let received = body.span.bytes.extracting(0..<min(offset + delivery.slice, body.count))
          while try stream.next(received, offset: &offset, into: &output, atMost: delivery.budget) == .outputPending {}
        }
      }
      #expect(output.count == limit)
      #expect(output.capacity <= 2 * limit + 65_536)
      #expect(offset < 3000)
    }
  }

  @Test("the encoder's members are what Python and gzip decode")
  func encodes() throws {
    var encoder = ContentEncoder(.gzip)
    var random = SplitMix64(seed: 19)
    let contents = [[], [0x41], numbers(2), numbers(50_000), random.bytes(70_000), Array(repeating: 0, count: 1 << 20)]
    var all: [UInt8] = []
    var first: [[UInt8]] = []
    for content in contents {
      var member: [UInt8] = []
      encoder.encode(content.span.bytes, into: &member)
      #expect(try python("gzip.decompress(d)", member) == content)
      #expect(inflated(member, .gzip) == .success(content))
      encoder.encode(content.span.bytes, into: &all)
      first.append(member)
    }
    // Behind what is there already, and no state kept from one content to the next.
    #expect(all == first.flatMap { $0 })
    #expect(try Command.run("gzip", "-dc", input: all) == contents.flatMap { $0 })
    #expect(first[3].count < contents[3].count / 2 && first[4].count < contents[4].count + 100)
  }
}

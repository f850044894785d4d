/// Reads the requests of one connection from the octets that its caller holds.
///
/// The reader does no I/O and keeps no octets. The caller appends what it receives to a buffer and calls `next` until
/// it asks for more input; octets before `offset` are done with and may go. Content is handed out as ranges of the
/// input, nothing is copied. The work is linear in the octets, however they are split, and so is the outcome the same.
///
/// ```swift
/// while true {
///   switch reader.next(buffer.bytes, offset: &offset) {
///   case .needsMoreInput: return
///   case .head(let head, let framing): …
///   case .content(let range): body.append(contentsOf: buffer[range])
///   case .end: …
///   case .failed(let error): …
///   }
/// }
/// ```
package struct RequestReader: Sendable {
  package enum Step: Sendable {
    /// Everything up to `offset` has been read; what is behind it is the beginning of something.
    case needsMoreInput
    /// A request begins. Its content follows as `content`, then `end`, which comes without content too.
    case head(RequestHead, BodyFraming)
    /// Octets of content, at these positions of the input. Never empty.
    case content(Range<Int>)
    /// The request is complete.
    case end
    /// This is not a request; every further call answers the same.
    case failed(ProtocolError)
  }

  private enum State: Sendable {
    case head(HeadScanner)
    case content(remaining: Int)
    case chunked(ChunkedDecoder)
    case failed(ProtocolError)
  }

  private let limits: Limits
  private var state = State.head(HeadScanner())
  /// Whether the one empty line that may come before a request line has come (RFC 9112 §2.2).
  private var hasSkippedEmptyLine = false
  private var contentLimit: Int

  /// The method of the request that is being read, as soon as it is known and after a failure too: an answer to HEAD
  /// has no content even where it is an error.
  package private(set) var method: Method?

  package init(limits: Limits = Limits()) {
    self.limits = limits
    contentLimit = limits.contentBytes
  }

  /// Whether no octet of a request has been seen since the last one ended.
  package var isIdle: Bool {
    if case .head(let scanner) = state { scanner.scanned == 0 } else { false }
  }

  /// Sets how many octets of content the request has whose head has just been read; more fail as `contentTooLarge`.
  package mutating func limitContent(to bytes: Int) { contentLimit = bytes }

  /// How many octets the caller may receive straight into the body, without passing them through `next`.
  ///
  /// They are what remains of the content, or of the present chunk; 0 where the content is over its limit, which the
  /// call of `next` after the head then says.
  package var contentRemaining: Int {
    switch state {
    case .content(let remaining): remaining <= contentLimit ? remaining : 0
    case .chunked(let decoder): decoder.dataRemaining
    case .head, .failed: 0
    }
  }

  /// Notes that the next `count` octets of content went straight into the body.
  ///
  /// - Precondition: `count` is at most `contentRemaining`.
  package mutating func passOverContent(_ count: Int) {
    precondition(count >= 0 && count <= contentRemaining)
    switch state {
    case .content(let remaining): state = .content(remaining: remaining - count)
    case .chunked(var decoder):
      decoder.passOver(count)
      state = .chunked(decoder)
    case .head, .failed: break
    }
  }

  /// Reads on from `offset`, which it moves behind what it has read.
  ///
  /// While a head is incomplete, `offset` stays at its first octet: the caller keeps the octets from there on, wherever
  /// they move in memory, and the next call looks only at those that are new.
  package mutating func next(_ input: RawSpan, offset: inout Int) -> Step {
    do throws(ProtocolError) {
      switch state {
      case .head(let scanner): return try readHead(scanner, input, &offset)
      case .content(let remaining): return try readContent(remaining, input, &offset)
      case .chunked(let decoder): return try readChunks(decoder, input, &offset)
      case .failed(let error): return .failed(error)
      }
    } catch {
      state = .failed(error)
      return .failed(error)
    }
  }

  private mutating func readHead(
    _ scanner: HeadScanner, _ input: RawSpan, _ offset: inout Int
  ) throws(ProtocolError) -> Step {
    if scanner.scanned == 0, !hasSkippedEmptyLine, offset < input.byteCount, input.octet(offset) == .carriageReturn {
      guard offset + 1 < input.byteCount else { return .needsMoreInput }
      guard input.octet(offset + 1) == .lineFeed else { throw .bareCarriageReturn }
      offset += 2
      hasSkippedEmptyLine = true
    }
    var scanner = scanner
    let start = offset
    if scanner.scanned == 0 { method = nil }
    defer {
      if method == nil, scanner.hasMethod { method = HeadParser.method(input.extracting(start...), scanner) }
    }
    guard let length = try scanner.scan(input, from: offset, limits) else {
      state = .head(scanner)
      return .needsMoreInput
    }
    let head = try HeadParser.parse(input, from: offset, length: length, scan: scanner)
    offset += length
    method = head.method
    contentLimit = limits.contentBytes
    hasSkippedEmptyLine = false
    state =
      switch head.framing {
      case .none: .content(remaining: 0)
      case .length(let count): .content(remaining: count)
      case .chunked: .chunked(ChunkedDecoder())
      }
    return .head(head, head.framing)
  }

  private mutating func readContent(
    _ remaining: Int, _ input: RawSpan, _ offset: inout Int
  ) throws(ProtocolError) -> Step {
    if remaining == 0 {
      state = .head(HeadScanner())
      return .end
    }
    guard remaining <= contentLimit else { throw .contentTooLarge }
    guard offset < input.byteCount else { return .needsMoreInput }
    let range = offset..<offset + min(remaining, input.byteCount - offset)
    offset = range.upperBound
    state = .content(remaining: remaining - range.count)
    return .content(range)
  }

  private mutating func readChunks(
    _ decoder: ChunkedDecoder, _ input: RawSpan, _ offset: inout Int
  ) throws(ProtocolError) -> Step {
    var decoder = decoder
    let step = try decoder.next(input, offset: &offset, contentLimit: contentLimit, limits)
    state = .chunked(decoder)
    switch step {
    case .needsMoreInput: return .needsMoreInput
    case .content(let range): return .content(range)
    case .end:
      state = .head(HeadScanner())
      return .end
    }
  }
}

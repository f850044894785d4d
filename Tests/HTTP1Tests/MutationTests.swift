import HTTP1
import Testing

@Suite struct MutationTests {
  /// Whatever is sent is read or refused, the same whichever way it is split, and nothing is read after a refusal.
  @Test(arguments: 0..<8)
  func outcomeDoesNotDependOnSplits(_ seed: Int) {
    var random = SplitMix64(state: UInt64(seed))
    let limits = Limits(targetBytes: 40, headBytes: 160, fieldCount: 5, chunkLineBytes: 24, contentBytes: 24)
    for round in 0..<500 {
      let sent = Mutations.next(&random)
      let limits = round % 2 == 0 ? limits : Limits()
      let whole = Transcript.of(sent, .whole, limits: limits)
      let pieces = Mutations.pieces(of: sent.count, &random)
      #expect(Transcript.of(sent, .byteByByte, limits: limits) == whole, "\(sent)")
      #expect(Transcript.of(sent, .pieces(pieces), limits: limits) == whole, "\(sent) in \(pieces)")
      #expect(whole.dropLast().allSatisfy { !$0.hasPrefix("! ") && $0 != "…" }, "\(sent)")
    }
  }

  /// Whatever is sent, and in whatever order the answers come: each request that began is answered once and in its
  /// turn, the last answer of a connection that ends is the only one that says so, and the end comes once and last.
  @Test(arguments: 0..<8)
  func everyRequestIsAnsweredOnceAndInItsTurn(_ seed: Int) {
    var random = SplitMix64(state: UInt64(seed) << 32)
    for _ in 0..<300 {
      let sent = Mutations.next(&random)
      var server = RandomServer(random: random)
      for piece in Mutations.pieces(of: sent.count, &random) { server.receive(piece, of: sent) }
      server.finish()
      random = server.random
      #expect(server.violations == [], "\(sent)")
    }
  }
}

/// A server that admits, refuses and answers at random, and notes what breaks the contract of `ConnectionState`.
private struct RandomServer {
  var random: SplitMix64
  private(set) var violations: [String] = []
  private var state = ConnectionState(limits: Limits(discardedContentBytes: 8, pipelinedRequests: 2))
  private var buffer: [UInt8] = []
  private var sentCount = 0
  private var waiting: Set<ExchangeID> = []
  private var began: ExchangeID = 0
  private var answered: ExchangeID = 0
  private var hasSaidClose = false
  private var hasClosed = false

  init(random: SplitMix64) { self.random = random }

  mutating func receive(_ count: Int, of sent: [UInt8]) {
    buffer += sent[sentCount..<sentCount + count]
    sentCount += count
    read()
    if Bool.random(using: &random) { answerSome() }
    if Int.random(in: 0..<40, using: &random) == 0 { state.drain() }
    write()
    if hasClosed, state.expectation != .nothing { violations.append("reads after its end") }
  }

  /// The client leaves; what waits is answered.
  mutating func finish() {
    state.inputEnded()
    read()
    while let id = waiting.randomElement(using: &random) {
      respond(to: id)
      write()
      read()
    }
    write()
    if !hasClosed { violations.append("does not end") }
    if answered != began { violations.append("\(began) requests, \(answered) answers") }
  }

  private mutating func read() {
    let input = buffer
    var offset = 0
    while step(input.span.bytes, &offset) {}
    buffer.removeFirst(offset)
  }

  private mutating func step(_ input: RawSpan, _ offset: inout Int) -> Bool {
    switch state.receive(input, offset: &offset) {
    case .needsMoreInput, .paused, .closed: return false
    case .head(_, let id):
      begin(id)
      if Int.random(in: 0..<4, using: &random) == 0 { respond(to: id) } else { state.admit(contentLimit: 20) }
    case .content(let range, let id):
      if !waiting.contains(id) { violations.append("content of \(id), which is answered") }
      if range.isEmpty || range.upperBound > input.byteCount { violations.append("content at \(range)") }
    case .complete(let id): if !waiting.contains(id) { violations.append("completes \(id), which is answered") }
    case .failed(_, let id): if id == began { begin(id) }
    case .abandoned(let id):
      waiting.remove(id)
      began -= 1
    }
    return true
  }

  private mutating func begin(_ id: ExchangeID) {
    if id != began { violations.append("\(id) begins as number \(began)") }
    began = id + 1
    waiting.insert(id)
  }

  private mutating func answerSome() {
    for id in waiting.sorted() where Bool.random(using: &random) { respond(to: id) }
  }

  private mutating func respond(to id: ExchangeID) {
    waiting.remove(id)
    state.respond(to: id, with: Response(.ok))
  }

  private mutating func write() {
    while let output = state.nextOutput() {
      if hasClosed { violations.append("writes after its end") }
      switch output {
      case .continue: if hasSaidClose { violations.append("continues after close") }
      case .response(_, let framing, let id):
        if id != answered || hasSaidClose { violations.append("answers \(id) as number \(answered)") }
        answered += 1
        hasSaidClose = framing.connection == .close
      case .close: hasClosed = true
      }
    }
  }
}

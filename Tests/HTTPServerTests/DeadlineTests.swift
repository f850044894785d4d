import HTTP1
import HTTPServer
import Testing

@Suite struct Deadlines {
  private static let ms: UInt64 = 1_000_000

  @Test func timerMovesOnlyForAnEarlierDeadline() {
    var table = DeadlineTable(grain: .milliseconds(50))
    #expect(table.alarmToSet(now: 0) == nil)
    table.set(1000 * Self.ms, slot: 7)
    #expect(table.alarmToSet(now: 0) == 1000 * Self.ms)
    // Requests come and go, each with a later deadline: nothing to do.
    for time in 1...100 as ClosedRange<UInt64> {
      table.set((2000 + time) * Self.ms, slot: 3)
      #expect(table.alarmToSet(now: time * Self.ms) == nil)
    }
    table.set(500 * Self.ms, slot: 4)
    #expect(table.alarmToSet(now: 200 * Self.ms) == 500 * Self.ms)
    // Closer than the grain: the timer isn't driven by it.
    table.set(210 * Self.ms, slot: 5)
    #expect(table.alarmToSet(now: 200 * Self.ms) == 250 * Self.ms)
  }

  @Test func sweepTakesWhatHasPassed() {
    var table = DeadlineTable(grain: .milliseconds(50))
    for slot in 0..<4 { table.set(UInt64(slot + 1) * 100 * Self.ms, slot: slot) }
    table.set(nil, slot: 0)
    table.set(nil, slot: 90)
    _ = table.alarmToSet(now: 0)
    #expect(table.sweep(now: 250 * Self.ms) == [1])
    #expect(table.alarmToSet(now: 250 * Self.ms) == 300 * Self.ms)
    #expect(table.sweep(now: 400 * Self.ms) == [2, 3])
    #expect(table.sweep(now: .max - 1) == [])
    #expect(table.alarmToSet(now: 500 * Self.ms) == nil)
  }

  struct Case: Sendable {
    let what: String
    var expectation = ConnectionState.Expectation.nothing
    var isReading = true
    var isWriting = false
    var oldestUnanswered: UInt64?
    let marks: @Sendable (inout ConnectionDeadlines) -> Void
    let time: UInt64?
    var cause: ConnectionDeadlines.Cause?
  }

  /// Seconds stand for the marks' nanoseconds: head 10, body 20, idle 75, write 30, total 300, handshake 5, linger 2.
  private static let cases: [Case] = [
    Case(what: "a new client says nothing", expectation: .request, marks: { _ in }, time: 10, cause: .idle),
    Case(
      what: "a head from 3 on", expectation: .head, marks: { $0.requestBegan(at: 3) }, time: 13, cause: .head),
    Case(
      what: "between requests", expectation: .request, marks: { $0.becameIdle(at: 100) }, time: 175, cause: .idle),
    Case(
      what: "a body that has brought little since 50", expectation: .content,
      marks: {
        $0.requestBegan(at: 40)
        $0.bodyBegan(at: 50)
        $0.bodyReceived(65_535, at: 60)
      }, time: 70, cause: .body),
    Case(
      what: "a body that has brought 64 KiB", expectation: .content,
      marks: {
        $0.requestBegan(at: 40)
        $0.bodyBegan(at: 50)
        $0.bodyReceived(65_535, at: 60)
        $0.bodyReceived(1, at: 65)
      }, time: 85, cause: .body),
    Case(
      what: "a body that goes on and on", expectation: .content,
      marks: {
        $0.requestBegan(at: 40)
        $0.bodyBegan(at: 335)
      }, time: 340, cause: .body),
    Case(
      what: "the server keeps the client waiting", expectation: .content, isReading: false,
      marks: { $0.requestBegan(at: 40) }, time: nil),
    Case(
      what: "a request in the handler's hands", expectation: .request, oldestUnanswered: 7, marks: { _ in }, time: 307,
      cause: .total),
    Case(
      what: "a client that takes nothing of its answer", expectation: .request, isWriting: true, oldestUnanswered: 7,
      marks: { $0.writeBegan(at: 20) }, time: 50, cause: .write),
    Case(
      what: "a client that takes its answer slowly", isWriting: true,
      marks: {
        $0.writeBegan(at: 20)
        $0.written(100_000, at: 40)
      }, time: 70, cause: .write),
    Case(
      what: "a half-closed client", oldestUnanswered: 7, marks: { $0.hangUpProbed(at: 9) }, time: 10,
      cause: .hangUpProbe),
    Case(what: "lingering", expectation: .head, marks: { $0.lingeringBegan(at: 90) }, time: 92, cause: .linger),
  ]

  @Test(arguments: cases.indices)
  func whatComesFirst(index: Int) {
    let example = Self.cases[index]
    var deadlines = ConnectionDeadlines(acceptedAt: 0, isShakingHands: false)
    example.marks(&deadlines)
    let next = deadlines.next(
      Self.timeouts, expectation: example.expectation, isReading: example.isReading, isWriting: example.isWriting,
      oldestUnanswered: example.oldestUnanswered)
    #expect(next?.time == example.time, "\(example.what)")
    #expect(next?.cause == example.cause, "\(example.what)")
  }

  @Test func handshakeComesBeforeAllElse() {
    var deadlines = ConnectionDeadlines(acceptedAt: 1, isShakingHands: true)
    func next() -> (time: UInt64, cause: ConnectionDeadlines.Cause)? {
      deadlines.next(Self.timeouts, expectation: .request, isReading: true, isWriting: true, oldestUnanswered: nil)
    }
    #expect(next()?.time == 6)
    #expect(next()?.cause == .handshake)
    deadlines.handshakeCompleted(at: 4)
    deadlines.writeBegan(at: 4)
    #expect(next()?.time == 34)
  }

  private static let timeouts: ConnectionDeadlines.Timeouts = {
    var timeouts = ServerConfiguration.Timeouts()
    timeouts.head = .nanoseconds(10)
    timeouts.body = .nanoseconds(20)
    timeouts.idle = .nanoseconds(75)
    timeouts.write = .nanoseconds(30)
    timeouts.total = .nanoseconds(300)
    timeouts.handshake = .nanoseconds(5)
    timeouts.linger = .nanoseconds(2)
    timeouts.hangUpProbe = .nanoseconds(1)
    return ConnectionDeadlines.Timeouts(timeouts)
  }()

  // Over sockets, with timeouts of nothing: what has to happen does, whenever the sweep comes.

  @Test(arguments: [
    ("GET /hello HTTP/1.1\r\nHost: a\r\nX", 408),
    ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc", 408),
  ])
  func slowRequestsAreAnswered408(beginning: String, status: Int) throws {
    let server = try TestServer {
      $0.timeouts.head = .milliseconds(1)
      $0.timeouts.body = .milliseconds(1)
    }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send(beginning)
    let answer = try client.readAnswer()
    #expect(answer.status == status)
    #expect(answer.fields["connection"] == "close")
    #expect(try client.isAtEnd())
  }

  @Test func silentClientsAreClosed() throws {
    let server = try TestServer {
      $0.timeouts.head = .milliseconds(1)
      $0.timeouts.idle = .milliseconds(1)
    }
    defer { server.stop() }
    let silent = try RawClient(port: server.port)
    #expect(try silent.isAtEnd())
  }

  @Test func answersThatTakeTooLongAreReplaced() throws {
    let server = try TestServer { $0.timeouts.total = .milliseconds(1) }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.awaitArrival()
    let exchange = try #require(server.held.take("a"))
    #expect(try client.readAnswer().status == 504)
    #expect(exchange.isCancelled)
    exchange.respond(Response(.ok))
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.readAnswer().text == "hello")
  }

  @Test func clientsThatTakeNothingAreCutOff() throws {
    let server = try TestServer { $0.timeouts.write = .milliseconds(1) }
    let client = try RawClient(port: server.port)
    let body = [UInt8](repeating: 0x61, count: 32 << 20)
    client.sendInBackground(
      Array("POST /held?a HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body)
    server.held.awaitArrival()
    server.held.take("a")?.respond(Response(.ok, body: body))
    // The stop waits for the connection, and nothing else ends it.
    server.stop()
  }

  /// A client that has closed, and not only its own side, is found out and its request cancelled.
  @Test func closedClientsCancelTheirRequests() throws {
    let server = try TestServer { $0.timeouts.hangUpProbe = .milliseconds(1) }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.awaitArrival()
    let exchange = try #require(server.held.take("a"))
    let cancelled = Signal()
    exchange.onCancel { _ in cancelled.give() }
    client.close()
    cancelled.await()
  }

  @Test func halfClosedClientsMayBeAskedAndAreAnswered() throws {
    let server = try TestServer { $0.timeouts.hangUpProbe = .milliseconds(1) }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    client.endSending()
    server.held.awaitArrival()
    #expect(try client.readAnswer().status == 100)
    server.held.answer("a")
    var answer = try client.readAnswer()
    while answer.status == 100 { answer = try client.readAnswer() }
    #expect(answer.text == "a")
    #expect(try client.isAtEnd())
  }
}

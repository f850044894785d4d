import Batching
import HTTP1
import InferenceAPI
import Testing

/// What an I/O queue computes itself at the end of its turn differs from what workers compute in nothing but who does
/// it.
@Suite struct SettledTurnTests {
  private static func settled(_ adjust: (inout APIConfiguration) -> Void = { _ in }) throws -> Harness {
    var harness = try Harness(adjust: adjust)
    harness.isSettled = true
    return harness
  }

  private static func batchRequests(_ answer: Answer) -> Int? {
    (answer.json["timing"] as? [String: Int])?["batch_requests"]
  }

  @Test(arguments: variants)
  func oneTurnGivesTheBitsOfEachAlone(_ variant: String) async throws {
    let alone = try Harness()
    let turn = try Self.settled()
    let bodies = (0..<5).map { seed in
      #"{"layer":"\#(variant)","input":\#(BatchTests.row(seed)),"activations":["hidden"],"id":"\#(seed)"}"#
    }
    let exchanges = bodies.map(turn.startFFN)
    #expect(turn.api.load.queuedRows == 5 && turn.api.load.busyWorkers == 0)
    turn.api.settle()
    #expect(turn.api.load.queuedRows == 0)
    for (body, exchange) in zip(bodies, exchanges) {
      let answer = Answer(await exchange.response())
      #expect(answer.status == 200)
      #expect(answer.untimed == (await alone.ffn(body)).untimed)
      #expect(Self.batchRequests(answer) == 5)
    }
    #expect(turn.outcomes.all.count == 5)
    #expect(turn.outcomes.all.count { $0.timing.standsForBatch } == 1)
  }

  /// Longer passes, large bodies and layers of a request's own go to the workers; nobody has to settle for them.
  @Test func theRestIsForTheWorkers() async throws {
    let long = try Self.settled { $0.brief = BriefPass(multiplyAdds: 4 * 12 * 3, weightBytes: .max) }
    let rows = (0..<40).map(BatchTests.row).joined(separator: ",")
    #expect((await long.ffn(#"{"input":[\#(rows)]}"#)).status == 200)
    let large = try Self.settled { $0.inline.bodyBytes = 0 }
    #expect((await large.ffn(#"{"input":[1,2,3,4]}"#)).status == 200)
    let own = try Self.settled()
    let weights = #"{"variant":"bilinear","weights":{"gate_proj":[[2]],"up_proj":[[1]]},"input":[3]}"#
    #expect((await own.ffn(weights)).output == [18])
  }

  /// A large reply of what was computed here is printed by a worker.
  @Test func aLargeReplyIsPrintedByAWorker() async throws {
    let alone = try Harness()
    let turn = try Self.settled { $0.inline.replyNumbers = 0 }
    let body = #"{"input":[1,2,3,4],"activations":["up"]}"#
    let exchange = turn.startFFN(body)
    turn.api.settle()
    #expect(Answer(await exchange.response()).untimed == (await alone.ffn(body)).untimed)
  }

  /// A body that is longer than an I/O queue decodes beside others is decoded there where nobody else is served.
  @Test func aLongBodyOfALoneClientStaysHere() async throws {
    let short = #"{"input":[1,2,3,4]}"#
    let long = #"{"input":[1,2,3,4],                                             "id":"long"}"#
    let turn = try Self.settled { $0.inline.bodyBytes = short.utf8.count }
    // Decoded by a worker, whose own turn it is to compute.
    #expect((await turn.ffn(long)).status == 200)
    while turn.api.load.busyWorkers > 0 { await Task.yield() }
    for _ in 0..<20 {
      let exchange = turn.startFFN(short)
      turn.api.settle()
      #expect(Answer(await exchange.response()).status == 200)
    }
    let exchange = turn.startFFN(long)
    #expect(turn.api.load.queuedRows == 1 && turn.api.load.busyWorkers == 0)
    turn.api.settle()
    #expect(Answer(await exchange.response()).untimed == (await (try Harness()).ffn(long)).untimed)
    let tooLong = long + String(repeating: " ", count: 4 * short.utf8.count)
    #expect((await turn.ffn(tooLong)).status == 200)
  }

  @Test func deadlinesAndCancellations() async throws {
    let turn = try Self.settled()
    let gone = turn.startFFN(#"{"input":[1,2,3,4]}"#)
    gone.cancel()
    #expect(turn.api.load.queuedRows == 0)
    turn.api.settle()
    let (head, body) = Harness.parse(
      Array(Harness.post("/v1/ffn", #"{"input":[1,2,3,4],"timeout_ms":1}"#).utf8))
    let late = TestExchange()
    let before = MonotonicClock.now() - 1_000_000_000
    turn.handle(head, body, receivedAt: before, completedAt: before, reply: late.sink)
    let kept = turn.startFFN(#"{"input":[1,2,3,4]}"#)
    turn.api.settle()
    #expect(Answer(await late.response()).problem == "deadline-exceeded")
    let answer = Answer(await kept.response())
    #expect(answer.status == 200 && Self.batchRequests(answer) == 1)
    #expect(turn.outcomes.all.map(\.ending).contains(.clientGone))
  }
}

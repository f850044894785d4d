import Batching
import Foundation
import HTTP1
import InferenceAPI
import Synchronization
import Testing

/// From loading to the end, and what the transport has to say.
@Suite struct LifeTests {
  @Test func loadingServerIsAliveAndNotReady() async throws {
    let harness = try Harness([])
    #expect((await harness.get("/livez")).status == 200)
    let unready = await harness.get("/readyz")
    #expect(unready.status == 503)
    #expect(unready.problem == "not-ready")
    #expect((await harness.get("/v1/models")).json["models"] as? [String] == [])
    let answer = await harness.ffn(#"{"input":[1,2,3,4]}"#)
    #expect(answer.status == 503)
    #expect(answer.fields.first(.retryAfter) == "1")

    try harness.store.open([GivenModel(name: "demo", source: .demo)])
    harness.store.start { _ in }
    #expect((await harness.get("/readyz")).text == "ready\n")
    #expect((await harness.ffn(#"{"input":[1,2,3,4]}"#)).status == 200)
  }

  @Test func drainingServerIsNotReadyAndStillAnswers() async throws {
    let harness = try Harness()
    harness.api.announceDraining()
    let ready = await harness.get("/readyz")
    #expect(ready.status == 503)
    #expect(ready.problem == "draining")
    #expect((await harness.get("/livez")).status == 200)
    #expect((await harness.ffn(#"{"input":[1,2,3,4]}"#)).status == 200)
  }

  @Test func drainedServerTakesNothingAndFinishesWhatItTook() async throws {
    let harness = try Harness(maxBatchRows: 1)
    let exchanges = (0..<50).map { harness.startFFN(#"{"input":\#(BatchTests.row($0))}"#) }
    await withCheckedContinuation { done in harness.api.drain { done.resume() } }
    #expect(harness.api.load.queuedRows == 0)
    for exchange in exchanges { #expect(Answer(await exchange.response()).status == 200) }
    let late = await harness.ffn(#"{"input":[1,2,3,4]}"#)
    #expect(late.status == 503)
    #expect(late.problem == "draining")
    #expect(late.fields.first(.retryAfter) != nil)
  }

  @Test(arguments: ProtocolError.allCases)
  func protocolErrorKeepsItsStatus(_ error: ProtocolError) throws {
    let harness = try Harness()
    let answer = Answer(harness.api.answer(.malformed(error), to: nil))
    #expect(answer.status == error.status.code)
    #expect(answer.json["detail"] as? String == error.explanation)
    #expect(harness.outcomes.all.map(\.status) == [error.status])
  }

  @Test(arguments: [
    (TransportFailure.requestTimeout, 408, "request-timeout"), (.answerTimeout, 504, "deadline-exceeded"),
    (.unanswered, 500, "internal-error"), (.tooManyConnections, 503, "too-many-connections"),
  ])
  func transportFailureIsAProblem(_ failure: TransportFailure, _ status: Int, _ problem: String) throws {
    let answer = Answer(try Harness().api.answer(failure, to: nil))
    #expect(answer.status == status)
    #expect(answer.problem == problem)
  }

  @Test func timingCountsFromTheFirstByte() async throws {
    let harness = try Harness()
    let exchange = TestExchange()
    let (head, body) = Harness.parse(Array(Harness.post("/v1/ffn", #"{"input":[1,2,3,4]}"#).utf8))
    let now = MonotonicClock.now()
    harness.handle(
      head, body, receivedAt: now - 5_000_999, completedAt: now - 2_000_000, reply: exchange.sink)
    let timing = try #require(Answer(await exchange.response()).json["timing"] as? [String: Int])
    #expect(timing["read_us"] == 3000)
    #expect((timing["total_us"] ?? 0) >= 5000)
    let phases = ["read_us", "decode_us", "queue_us", "compute_us", "encode_us"].compactMap { timing[$0] }
    #expect(phases.reduce(0, +) <= timing["total_us"] ?? 0)

    let outcome = try #require(harness.outcomes.all.first)
    #expect(Int(outcome.timing.total / 1000) == timing["total_us"])
    #expect(Int(outcome.timing.compute / 1000) == timing["compute_us"])
    #expect(outcome.requestBytes == body.count)
    #expect(outcome.responseBytes == Answer(await exchange.response()).body.count)
    #expect(outcome.route == "/v1/ffn")
  }

  @Test func outcomeIsRecordedOnceWhateverComesTogether() async throws {
    let harness = try Harness()
    let exchanges = (0..<200).map { harness.startFFN(#"{"input":\#(BatchTests.row($0))}"#) }
    // Some clients go while their rows are computed or printed; none is counted twice or not at all.
    for exchange in exchanges { exchange.cancel() }
    #expect(harness.outcomes.all.count == 200)
    await withCheckedContinuation { done in harness.api.drain { done.resume() } }
    #expect(harness.outcomes.all.count == 200)
    #expect(Set(harness.outcomes.all.map(\.id)).count == 200)
    for exchange in exchanges { #expect(exchange.answers <= 1) }
  }

  /// Whatever bytes come, the answer is a result or a problem that names its place, and the API goes on.
  @Test func mutatedBodiesAreAnsweredOrRefused() async throws {
    let harness = try Harness()
    let seeds = [
      #"{"model":"demo","layer":"swiglu","input":[[0.5,-1.0,2.0,0.25]],"activations":["gate"],"id":"r1"}"#,
      #"{"input":{"shape":[1,4],"datatype":"BF16","base64":"AD+AvwBAgD4="},"encoding":"flat"}"#,
      #"{"variant":"swiglu","beta":2,"weights":{"gate_proj":[[1,2]],"up_proj":[[1,2]]},"input":[1,2],"timeout_ms":1000}"#,
    ]
    var random = SplitMix(state: 7)
    for round in 0..<3000 {
      var body = Array(seeds[round % seeds.count].utf8)
      for _ in 0...Int(random.next() % 3) {
        let place = Int(random.next() % UInt64(body.count))
        switch random.next() % 3 {
        case 0: body[place] = UInt8(truncatingIfNeeded: random.next() % 0x60 + 0x20)
        case 1 where body.count > 1: body.remove(at: place)
        default: body.insert(body[Int(random.next() % UInt64(body.count))], at: place)
        }
      }
      let answer = await harness.ffn(String(decoding: body, as: UTF8.self))
      #expect([200, 400, 404, 422].contains(answer.status))
      if answer.status == 400 { #expect(answer.offset != nil) }
      if answer.problem != "non-finite-output", answer.status == 422 { #expect(answer.pointer != nil) }
    }
    #expect(harness.outcomes.all.count == 3000)
  }
}

struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

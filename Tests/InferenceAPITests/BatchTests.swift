import Batching
import Dispatch
import Foundation
import HTTP1
import InferenceAPI
import Testing

/// Requests for one layer are computed together, and nobody can tell by the bits.
@Suite struct BatchTests {
  /// Longer than any test: what waits for company waits until the batch is full.
  static let forever = Duration.seconds(3600)

  static func row(_ seed: Int) -> String {
    "[\((0..<4).map { "\(Float((seed * 31 + $0 * 17) % 97 - 48) / 7)" }.joined(separator: ","))]"
  }

  @Test(arguments: variants)
  func eightRequestsTogetherGiveTheBitsOfEachAlone(_ variant: String) async throws {
    let alone = try Harness()
    let together = try Harness(maxBatchRows: 8, batchDelay: Self.forever)
    let bodies = (0..<8).map { seed in
      let wanted = [#"["gate"]"#, "[]", #"["hidden","up"]"#, #"["gate","up","hidden"]"#][seed % 4]
      return #"{"layer":"\#(variant)","input":\#(Self.row(seed)),"activations":\#(wanted),"id":"\#(seed)"}"#
    }
    let exchanges = bodies.map(together.startFFN)
    for (body, exchange) in zip(bodies, exchanges) {
      let joined = Answer(await exchange.response())
      let single = await alone.ffn(body)
      #expect(joined.status == 200)
      #expect(joined.untimed == single.untimed)
      #expect((joined.json["timing"] as? [String: Int])?["batch_requests"] == 8)
      #expect((joined.json["timing"] as? [String: Int])?["batch_rows"] == 8)
    }
  }

  @Test func requestsOfSeveralRowsKeepTheirRows() async throws {
    let alone = try Harness()
    let together = try Harness(maxBatchRows: 10, batchDelay: Self.forever)
    let bodies = [1, 4, 2, 3].enumerated().map { index, rows in
      #"{"input":[\#((0..<rows).map { Self.row(10 * index + $0) }.joined(separator: ","))],"activations":["hidden"]}"#
    }
    let exchanges = bodies.map(together.startFFN)
    for (body, exchange) in zip(bodies, exchanges) {
      let joined = Answer(await exchange.response())
      #expect(joined.untimed == (await alone.ffn(body)).untimed)
      #expect((joined.json["timing"] as? [String: Int])?["batch_rows"] == 10)
    }
    #expect(together.outcomes.all.map(\.rows).sorted() == [1, 2, 3, 4])
  }

  @Test func manyClientsOnManyLayersGetTheirOwnAnswers() async throws {
    let alone = try Harness(workers: 1, maxBatchRows: 1)
    let loaded = try Harness(workers: 4, maxBatchRows: 16) { $0.inline.replyNumbers = 4 }
    let bodies = (0..<400).map { seed in
      let rows = (0..<(1 + seed % 5)).map { Self.row(seed + $0) }.joined(separator: ",")
      return #"{"layer":\#(seed % 12),"input":[\#(rows)]}"#
    }
    let exchanges = bodies.map(loaded.startFFN)
    for (body, exchange) in zip(bodies, exchanges) {
      #expect(Answer(await exchange.response()).untimed == (await alone.ffn(body)).untimed)
    }
    #expect(exchanges.allSatisfy { $0.answers == 1 })
    #expect(loaded.outcomes.all.count == 400)
  }

  /// Every batch in slices of two rows, with others computed between them: nobody can tell.
  @Test func slicesKeepTheBits() async throws {
    let alone = try Harness(workers: 1, maxBatchRows: 1)
    let sliced = try Harness(workers: 2, maxBatchRows: 16) { $0.slices = SliceSize(multiplyAdds: 1, leastRows: 2) }
    let bodies = (0..<200).map { seed in
      let rows = (0..<(1 + seed % 9)).map { Self.row(seed + $0) }.joined(separator: ",")
      return #"{"layer":\#(seed % 5),"input":[\#(rows)],"activations":["up","hidden"]}"#
    }
    let exchanges = bodies.map(sliced.startFFN)
    for (body, exchange) in zip(bodies, exchanges) {
      #expect(Answer(await exchange.response()).untimed == (await alone.ffn(body)).untimed)
    }
    #expect(exchanges.allSatisfy { $0.answers == 1 })
  }

  @Test func weightsOfARequestAreItsOwn() async throws {
    let harness = try Harness(maxBatchRows: 2, batchDelay: .zero)
    func body(_ weight: Int) -> String {
      #"{"variant":"bilinear","weights":{"gate_proj":[[\#(weight)]],"up_proj":[[1]]},"input":[3]}"#
    }
    let exchanges = (1...20).map { harness.startFFN(body($0)) }
    for (weight, exchange) in zip(1...20, exchanges) {
      let answer = Answer(await exchange.response())
      #expect(answer.output == [Float(weight * 9)])
      #expect((answer.json["timing"] as? [String: Int])?["batch_requests"] == 1)
    }
  }

  @Test func bytesAreTheSameWhereverTheyAreReadAndPrinted() async throws {
    let inline = try Harness {
      $0.inline.bodyBytes = .max
      $0.inline.replyNumbers = .max
    }
    let handedOver = try Harness {
      $0.inline.bodyBytes = 0
      $0.inline.replyNumbers = 0
    }
    let rows = (0..<300).map(Self.row).joined(separator: ",")
    for body in [
      #"{"input":[\#(rows)],"activations":["up"]}"#, #"{"input":[\#(rows)],"encoding":"base64"}"#,
      #"{"input":\#(Self.row(1)),"encoding":"flat"}"#,
    ] {
      let (one, other) = (await inline.ffn(body), await handedOver.ffn(body))
      #expect(one.status == 200)
      #expect(one.untimed == other.untimed)
    }
    for body in ["{", #"{"input":[1,2,3]}"#, #"{"layer":99,"input":[1,2,3,4]}"#] {
      let (one, other) = (await inline.ffn(body), await handedOver.ffn(body))
      #expect(one.status >= 400)
      #expect(one.status == other.status)
      #expect(one.json["detail"] as? String == other.json["detail"] as? String)
    }
  }

  @Test func requestPastItsDeadlineIsNotComputed() async throws {
    let harness = try Harness(batchDelay: Self.forever)
    let answer = await harness.ffn(#"{"input":[1,2,3,4],"timeout_ms":1}"#)
    #expect(answer.status == 504)
    #expect(answer.problem == "deadline-exceeded")
    let outcome = try #require(harness.outcomes.all.first)
    #expect(outcome.ending == .problem(.deadlineExceeded))
    #expect(outcome.layer?.model == "demo")
    #expect(outcome.layer?.layer == "swiglu")
    #expect(outcome.rows == 1)
    #expect(outcome.timing.queue > 0)
    #expect(outcome.timing.compute == 0)
    #expect(outcome.timing.total >= 1_000_000)
  }

  @Test func requestWhoseClientHasGoneLeavesTheLine() async throws {
    let harness = try Harness(maxBatchRows: 2, batchDelay: Self.forever)
    let gone = harness.startFFN(#"{"input":[1,2,3,4]}"#)
    #expect(harness.api.load.queuedRows == 1)
    gone.cancel()
    #expect(harness.api.load.queuedRows == 0)
    #expect(gone.answers == 0)
    let outcome = try #require(harness.outcomes.all.first)
    #expect(outcome.ending == .clientGone)
    #expect(outcome.status == nil)

    // The next two make the batch without it.
    let next = [harness.startFFN(#"{"input":[1,2,3,4]}"#), harness.startFFN(#"{"input":[4,3,2,1]}"#)]
    for exchange in next { #expect(Answer(await exchange.response()).status == 200) }
    #expect(harness.outcomes.all.count == 3)
  }

  @Test func requestThatTheTransportAnswersIsCountedWithThatAnswer() async throws {
    let harness = try Harness(batchDelay: Self.forever)
    let late = harness.startFFN(#"{"input":[1,2,3,4]}"#)
    late.cancel(.answeredByTransport)
    #expect(harness.api.load.queuedRows == 0)
    #expect(harness.outcomes.all.isEmpty)
    let answer = Answer(harness.api.answer(.answerTimeout, to: nil))
    #expect(answer.status == 504)
    #expect(harness.outcomes.all.map(\.ending) == [.problem(.deadlineExceeded)])
    #expect(answer.json["instance"] as? String == harness.outcomes.all.first.map { "urn:uuid:\($0.id)" })
  }

  @Test func answerThatNobodyTookIsCountedAsTheClientsGoing() async throws {
    let harness = try Harness()
    let (head, body) = Harness.parse(Array(Harness.post("/v1/ffn", #"{"input":[1,2,3,4]}"#).utf8))
    let sink = ReplySink(
      respond: { _ in Issue.record("a small reply is made on the I/O queue") },
      respondOnIOQueue: { _ in },
      onCancel: { _ in })
    harness.handle(head, body, receivedAt: 0, completedAt: 0, reply: sink)
    await withCheckedContinuation { done in harness.api.drain { done.resume() } }
    #expect(harness.outcomes.all.map(\.ending) == [.clientGone])
  }

  @Test func lineHasABound() async throws {
    let harness = try Harness(maxQueueRows: 4, batchDelay: Self.forever)
    let waiting = harness.startFFN(#"{"input":[\#((0..<4).map(Self.row).joined(separator: ","))]}"#)
    let answer = await harness.ffn(#"{"input":[1,2,3,4]}"#)
    #expect(answer.status == 503)
    #expect(answer.problem == "overloaded")
    #expect((answer.fields.first(.retryAfter).flatMap { Int($0) } ?? 0) >= 1)
    #expect(waiting.answers == 0)
    // Answers that need no computing are still given.
    #expect((await harness.get("/v1/models")).status == 200)
    waiting.cancel()
    let freed = harness.startFFN(#"{"input":[[1,2,3,4],[1,2,3,4]]}"#)
    let tooMany = await harness.ffn(#"{"input":[[1,2,3,4],[1,2,3,4],[1,2,3,4]]}"#)
    #expect(tooMany.status == 503)
    freed.cancel()
  }

  @Test func bodiesAndRepliesThatWaitForAWorkerAreBounded() async throws {
    let harness = try Harness(workers: 1) {
      $0.inline.replyNumbers = 0
      $0.jobBytesLimit = 600
    }
    let request = Harness.post("/v1/ffn", #"{"input":[1,2,3,4]}"#)
    // The only worker is held by the first reply, which counts until it is sent.
    let isHeld = DispatchSemaphore(value: 0)
    let mayGo = DispatchSemaphore(value: 0)
    let first = harness.start(
      Array(request.utf8),
      at: TestExchange {
        isHeld.signal()
        mayGo.wait()
      })
    await withCheckedContinuation { held in
      DispatchQueue.global().async {
        isHeld.wait()
        held.resume()
      }
    }
    let small = harness.start(request)
    let large = await harness.ffn(#"{"input":[1,2,3,4],"id":"\#(String(repeating: "x", count: 100))"}"#)
    #expect(large.status == 503)
    #expect(large.problem == "overloaded")
    #expect(large.fields.first(.retryAfter) == "1")
    mayGo.signal()
    #expect(Answer(await first.response()).status == 200)
    #expect(Answer(await small.response()).status == 200)
  }
}

import HTTP1
import Testing

private func get(_ path: String, _ fields: String = "") -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n" }

@Suite struct ConnectionStateTests {
  // MARK: - Order and depth (RFC 9112 §9.3.2)

  @Test func answersGoOutInTheOrderOfTheRequests() {
    var talk = Conversation()
    talk.send(get("/a") + get("/b") + get("/c"))
    #expect(
      talk.takeLines() == ["head 0 GET /a", "complete 0", "head 1 GET /b", "complete 1", "head 2 GET /c", "complete 2"])
    talk.answer(2)
    talk.answer(1, .notFound)
    #expect(talk.takeLines() == [])
    talk.answer(0)
    #expect(talk.takeLines() == ["> 0 200 persistent", "> 1 404 persistent", "> 2 200 persistent"])
    #expect(talk.expectation == .request)
  }

  @Test func noMoreThanSoManyRequestsWait() {
    var talk = Conversation(limits: Limits(pipelinedRequests: 2))
    talk.send(get("/a") + get("/b") + get("/c") + get("/d"))
    #expect(talk.takeLines() == ["head 0 GET /a", "complete 0", "head 1 GET /b", "complete 1", "paused"])
    talk.answer(1)
    #expect(talk.takeLines() == ["paused"])
    talk.answer(0)
    #expect(
      talk.takeLines() == [
        "paused", "> 0 200 persistent", "> 1 200 persistent", "head 2 GET /c", "complete 2", "head 3 GET /d",
        "complete 3", "paused",
      ])
  }

  @Test func aSecondAnswerIsDropped() {
    var talk = Conversation()
    talk.send(get("/a") + get("/b"))
    talk.answer(1)
    talk.answer(1, .notFound)
    talk.answer(0)
    talk.answer(0, .notFound)
    talk.answer(7)
    #expect(talk.takeLines().suffix(2) == ["> 0 200 persistent", "> 1 200 persistent"])
  }

  // MARK: - Persistence (RFC 9112 §9.3, §9.6)

  @Test(arguments: [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["> 0 200 persistent"]),
    ("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", ["> 0 200 persistent head"]),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ["> 0 200 close", "> close lingering"]),
    ("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ["> 0 200 close head", "> close lingering"]),
    ("GET / HTTP/1.0\r\n\r\n", ["> 0 200 close", "> close lingering"]),
    ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ["> 0 200 keepAlive"]),
    ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", ["> 0 200 close", "> close lingering"]),
    ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", ["> 0 200 close", "> close lingering"]),
  ])
  func persistence(_ request: String, _ answer: [String]) {
    var talk = Conversation()
    talk.send(request)
    talk.answer(0)
    #expect(Array(talk.takeLines().dropFirst(2)) == answer)
  }

  @Test func nothingAfterCloseIsInterpreted() {
    var talk = Conversation()
    talk.send(get("/a") + get("/b", "Connection: close\r\n") + get("/c"))
    talk.send("\u{0}garbage")
    talk.answer(0)
    talk.answer(1)
    talk.send(get("/d"))
    #expect(
      talk.takeLines() == [
        "head 0 GET /a", "complete 0", "head 1 GET /b", "complete 1", "> 0 200 persistent", "> 1 200 close",
        "> close lingering",
      ])
    #expect(talk.expectation == .nothing)
  }

  // MARK: - Errors (RFC 9112 §2.2, §6.3)

  @Test func anErrorIsAnsweredInItsTurnAndEndsTheConnection() {
    var talk = Conversation()
    talk.send(get("/a") + "GET / HTTP/1.1\r\n\r\n" + get("/b"))
    #expect(talk.takeLines() == ["head 0 GET /a", "complete 0", "failed 1 hostMissing"])
    talk.answer(1, .badRequest)
    talk.answer(0)
    talk.send(get("/c"))
    #expect(talk.takeLines() == ["> 0 200 persistent", "> 1 400 close", "> close lingering"])
  }

  @Test func anErrorToHeadHasNoContent() {
    var talk = Conversation()
    talk.send("HEAD / HTTP/1.1\r\n\r\n")
    talk.answer(0, .badRequest)
    #expect(talk.takeLines() == ["failed 0 hostMissing", "> 0 400 close head", "> close lingering"])
  }

  @Test func anErrorWithinContentAnswersItsRequest() {
    var talk = Conversation()
    talk.send(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    talk.answer(0, .badRequest)
    #expect(
      talk.takeLines() == [
        "head 0 POST /", "content 0 1", "failed 0 bareLineFeed", "> 0 400 close", "> close lingering",
      ])
  }

  @Test func contentOverItsLimitIsRefusedBeforeItIsRead() {
    var talk = Conversation(contentLimit: 4)
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    talk.answer(0, .contentTooLarge)
    #expect(talk.takeLines() == ["head 0 POST /", "failed 0 contentTooLarge", "> 0 413 close", "> close lingering"])
  }

  // MARK: - 100 (Continue) (RFC 9110 §10.1.1)

  private let expecting = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"

  @Test func continueIsSentWhereTheClientWaits() {
    var talk = Conversation()
    talk.send(expecting)
    #expect(talk.takeLines() == ["head 0 POST /", "> continue"])
    talk.send("abc")
    talk.answer(0)
    #expect(talk.takeLines() == ["content 0 3", "complete 0", "> 0 200 persistent"])
  }

  @Test func continueIsLeftOutWhereContentCame() {
    var talk = Conversation()
    talk.send(expecting + "a")
    #expect(talk.takeLines() == ["head 0 POST /", "content 0 1"])
  }

  @Test func continueWaitsForEarlierAnswers() {
    var talk = Conversation()
    talk.send(get("/a") + expecting)
    #expect(talk.takeLines() == ["head 0 GET /a", "complete 0", "head 1 POST /"])
    talk.answer(0)
    #expect(talk.takeLines() == ["> 0 200 persistent", "> continue"])
  }

  @Test func aRefusedExpectationClosesSinceTheContentMayComeOrNot() {
    var talk = Conversation(contentLimit: nil)
    talk.send(expecting)
    talk.answer(0, .unauthorized)
    #expect(talk.takeLines() == ["head 0 POST /", "> 0 401 close", "> close lingering"])
  }

  @Test func anAnswerInPlaceOfContinueCloses() {
    var talk = Conversation()
    talk.send(get("/a") + expecting)
    talk.answer(1, .serviceUnavailable)
    talk.answer(0)
    #expect(talk.takeLines().suffix(3) == ["> 0 200 persistent", "> 1 503 close", "> close lingering"])
  }

  // MARK: - Answers before the content (RFC 9110 §10.1.1, §15.5.14)

  @Test(arguments: ["Content-Length: 8\r\n\r\nGET /x\r\n", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"])
  func shortContentIsDroppedAndTheConnectionGoesOn(_ rest: String) {
    var talk = Conversation(limits: Limits(discardedContentBytes: 8), contentLimit: nil)
    talk.send("POST / HTTP/1.1\r\nHost: a\r\n")
    talk.send(rest + get("/b"))
    talk.answer(0, .unauthorized)
    #expect(talk.takeLines() == ["head 0 POST /", "head 1 GET /b", "> 0 401 persistent"])
  }

  @Test func longContentIsNotReadForItsAnswer() {
    var talk = Conversation(limits: Limits(discardedContentBytes: 8), contentLimit: nil)
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET /x\r\n")
    talk.answer(0, .unauthorized)
    talk.send(get("/b"))
    #expect(talk.takeLines() == ["head 0 POST /", "> 0 401 close", "> close lingering"])
  }

  @Test func chunkedContentIsDroppedUpToTheLimit() {
    var talk = Conversation(limits: Limits(discardedContentBytes: 8), contentLimit: nil)
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.answer(0, .unauthorized)
    #expect(talk.takeLines() == ["head 0 POST /", "> 0 401 persistent"])
    talk.send("5\r\nabcde\r\n")
    #expect(talk.takeLines() == [])
    talk.send("5\r\nabcde\r\n0\r\n\r\n" + get("/b"))
    #expect(talk.takeLines() == ["> close lingering"])
  }

  @Test func malformedContentThatIsDroppedCloses() {
    var talk = Conversation(contentLimit: nil)
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.answer(0, .unauthorized)
    talk.send("x\r\n" + get("/b"))
    #expect(talk.takeLines() == ["head 0 POST /", "> 0 401 persistent", "> close lingering"])
  }

  @Test func anAnswerWithinContentDropsTheRest() {
    var talk = Conversation()
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    talk.answer(0, .serviceUnavailable)
    talk.send("cde" + get("/b"))
    #expect(
      talk.takeLines() == [
        "head 0 POST /", "content 0 2", "> 0 503 persistent", "head 1 GET /b", "complete 1",
      ])
  }

  // MARK: - Ends (RFC 9112 §8, §9.6)

  @Test func completeRequestsAreAnsweredAfterHalfClose() {
    var talk = Conversation(limits: Limits(pipelinedRequests: 1))
    talk.send(get("/a") + get("/b") + "GET /c HT")
    talk.endInput()
    talk.answer(0)
    talk.answer(1)
    #expect(
      talk.takeLines() == [
        "head 0 GET /a", "complete 0", "paused", "> 0 200 persistent", "head 1 GET /b", "complete 1", "paused",
        "> 1 200 persistent", "> close",
      ])
  }

  @Test func theLastAnswerSaysCloseOnceNothingCanFollow() {
    var talk = Conversation()
    talk.send(get("/a"))
    talk.endInput()
    talk.answer(0)
    #expect(talk.takeLines() == ["head 0 GET /a", "complete 0", "> 0 200 close", "> close"])
  }

  @Test func aRequestWhoseContentNeverComesIsAbandoned() {
    var talk = Conversation()
    talk.send(get("/a") + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    talk.endInput()
    talk.answer(1)
    talk.answer(0)
    #expect(
      talk.takeLines() == [
        "head 0 GET /a", "complete 0", "head 1 POST /", "content 1 2", "abandoned 1", "> 0 200 close", "> close",
      ])
  }

  @Test func anIdleClientThatLeavesIsLetGo() {
    var talk = Conversation()
    talk.endInput()
    #expect(talk.takeLines() == ["> close"])
  }

  @Test func refusalAnswersTheRequestThatIsBeingRead() {
    var idle = Conversation()
    idle.refuse()
    #expect(idle.takeLines() == ["refused nothing", "> close lingering"])

    var slowHead = Conversation()
    slowHead.send("HEAD / HT")
    #expect(slowHead.expectation == .head)
    slowHead.refuse()
    slowHead.answer(0, .requestTimeout)
    #expect(slowHead.takeLines() == ["refused 0", "> 0 408 close head", "> close lingering"])

    var slowContent = Conversation()
    slowContent.send(get("/a") + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    #expect(slowContent.expectation == .content)
    slowContent.refuse()
    slowContent.answer(1, .requestTimeout)
    slowContent.send("cde")
    slowContent.answer(0)
    #expect(
      slowContent.takeLines().suffix(4)
        == ["refused 1", "> 0 200 persistent", "> 1 408 close", "> close lingering"])
  }

  @Test func drainEndsAnIdleConnection() {
    var talk = Conversation()
    talk.drain()
    talk.send(get("/a"))
    #expect(talk.takeLines() == ["> close lingering"])
  }

  @Test func drainFinishesWhatHasBegun() {
    var talk = Conversation()
    talk.send(get("/a") + "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
    talk.drain()
    talk.answer(0)
    talk.send("ab" + get("/c"))
    talk.answer(1)
    #expect(
      talk.takeLines() == [
        "head 0 GET /a", "complete 0", "head 1 POST /b", "> 0 200 persistent", "content 1 2", "complete 1",
        "> 1 200 close", "> close lingering",
      ])

    var waiting = Conversation()
    waiting.send(get("/a"))
    waiting.drain()
    waiting.answer(0)
    #expect(waiting.takeLines() == ["head 0 GET /a", "complete 0", "> 0 200 close", "> close lingering"])
  }

  @Test func contentGoesPastTheReader() {
    var talk = Conversation()
    talk.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    #expect(talk.contentRemaining == 5 && talk.expectation == .content)
    talk.sendPast(2)
    #expect(talk.contentRemaining == 3)
    talk.sendPast(3)
    talk.answer(0)
    #expect(talk.contentRemaining == 0)
    #expect(talk.takeLines() == ["head 0 POST /", "> continue", "complete 0", "> 0 200 persistent"])
  }
}

import Dispatch
import HTTPServer
import Synchronization
import Testing

/// Memory goes back when nothing is to be done, and only where enough has gone through for that.
@Suite struct RestTests {
  @Test func bytesBothWaysAreCountedFromTheLastRest() {
    let traffic = Traffic()
    #expect(!traffic.hasMoved(100))
    traffic.received(60)
    traffic.sent(39)
    #expect(!traffic.hasMoved(100))
    traffic.sent(1)
    #expect(traffic.hasMoved(100))
    #expect(!traffic.hasMoved(100), "counted once")
    traffic.received(250)
    #expect(traffic.hasMoved(100), "however many there were")
    traffic.received(99)
    #expect(!traffic.hasMoved(100))
  }

  @Test(arguments: [1, 3]) func memoryGoesBackOnceForSoManyBytes(shards: Int) throws {
    let bytes = 1 << 20
    let rests = Mutex<[Int]>([])
    let rested = DispatchSemaphore(value: 0)
    let traffic = Traffic()
    let server = try TestServer { configuration in
      configuration.shards = shards
      configuration.traffic = traffic
      configuration.rest.bytes = bytes
      configuration.rest.action = {
        rests.withLock { $0.append(traffic.receivedBytes + traffic.sentBytes) }
        rested.signal()
      }
    }
    let client = try RawClient(port: server.port)
    let body = [UInt8](repeating: 7, count: bytes / 5)
    func ask() throws {
      try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
      try client.send(body)
      #expect(try client.readAnswer().body == body)
    }
    // A fifth each way: two requests are too few, however long they are apart, and six are no more than two times.
    for _ in 0..<2 {
      for _ in 0..<3 { try ask() }
      rested.wait()
    }
    client.close()
    server.stop()
    let moved = rests.withLock { $0 }
    #expect(moved.count == 2)
    for (before, after) in zip([0] + moved, moved) { #expect(after - before >= bytes) }
  }
}

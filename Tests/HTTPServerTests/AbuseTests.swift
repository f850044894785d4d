import Dispatch
import Glibc
import HTTP1
import HTTPServer
import Synchronization
import Testing

/// Clients that mean no good, and many at a time; run it under the sanitizers.
@Suite(.serialized, .timeLimit(.minutes(5))) struct Abuse {
  /// Whole requests with octets changed, cut and repeated: each connection is answered or closed, none hangs, and the
  /// server serves on.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func mutatedBytes(seed: UInt64) throws {
    let server = try TestServer { $0.timeouts.linger = .zero }
    defer { server.stop() }
    var random = SplitMix64(seed: seed)
    let bases = [
      "GET /hello HTTP/1.1\r\nHost: a\r\n\r\nHEAD /hello HTTP/1.0\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET /later HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /later HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nT: v\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
      "POST /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n",
    ]
    for _ in 0..<60 {
      var bytes = Array(bases.randomElement(using: &random)!.utf8)
      for _ in 0..<Int.random(in: 0..<4, using: &random) {
        let position = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: bytes[position] = UInt8.random(in: .min ... .max, using: &random)
        case 1: bytes.insert(contentsOf: bytes[position...].prefix(8), at: position)
        default: bytes.removeSubrange(position..<min(position + 3, bytes.count))
        }
      }
      let client = try RawClient(port: server.port)
      try client.send(bytes)
      client.endSending()
      // Answers, or a reset where the server had seen enough.
      _ = try? client.readToEnd()
    }
    let honest = try RawClient(port: server.port)
    try honest.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try honest.readAnswer().text == "hello")
  }

  /// Octets of no protocol, as many as one receive takes and more.
  @Test func randomBytes() throws {
    let server = try TestServer { $0.timeouts.linger = .zero }
    defer { server.stop() }
    var random = SplitMix64(seed: 3)
    for size in [1, 2, 100, 5000, 200_000] {
      let client = try RawClient(port: server.port)
      try? client.send(random.bytes(size))
      client.endSending()
      _ = try? client.readToEnd()
    }
    let honest = try RawClient(port: server.port)
    try honest.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try honest.readAnswer().text == "hello")
  }

  /// Clients on several threads: pipelines answered from other threads, resets in the middle, answers to those who have
  /// gone, and at last a shutdown under way.
  @Test func everythingAtOnce() throws {
    let server = try TestServer {
      $0.shards = 3
      $0.timeouts.hangUpProbe = .milliseconds(1)
      $0.capacity.connectionsPerAddress = 40
      $0.capacity.connections = 30
    }
    let port = server.port
    let answered = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
      var random = SplitMix64(seed: UInt64(worker))
      for round in 0..<40 {
        guard let client = try? RawClient(port: port) else { continue }
        let count = Int.random(in: 1...20, using: &random)
        let requests = (0..<count).map { "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n\(10 + $0)" }
        try? client.send(requests.joined())
        switch round % 4 {
        case 0: client.reset()
        case 1: client.close()
        default:
          for number in 0..<count where (try? client.readAnswer())?.text == "\(10 + number)" {
            answered.add(1, ordering: .relaxed)
          }
        }
      }
    }
    #expect(answered.load(ordering: .relaxed) > 8 * 20)
    let last = try (0..<8).map { _ in try RawClient(port: port) }
    for client in last { try client.send("GET /later HTTP/1.1\r\nHost: a\r\n\r\n") }
    server.stop()
    for client in last { #expect(try client.readAnswer().status == 200) }
  }
}

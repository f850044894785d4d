import Glibc
import HTTP1
import HTTPServer
import Testing

@Suite(.serialized) struct Connections {
  /// This process's IPv4 sockets that are bound to `port`: a server's listener and what it has accepted, whatever other
  /// tests have open at the time.
  private static func sockets(at port: UInt16) throws -> Int {
    let directory = try #require(opendir("/proc/self/fd"))
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let descriptor = CInt(name) else { continue }
      var address = sockaddr_in()
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let result = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
      }
      if result == 0, address.sin_family == AF_INET, UInt16(bigEndian: address.sin_port) == port { count += 1 }
    }
    return count
  }

  @Test func twoHundredAtOnce() throws {
    let server = try TestServer { $0.shards = 2 }
    defer { server.stop() }
    let clients = try (0..<200).map { _ in try RawClient(port: server.port) }
    for (number, client) in clients.enumerated() {
      try client.send("POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\(100 + number)")
    }
    for (number, client) in clients.enumerated() { #expect(try client.readAnswer().text == "\(100 + number)") }
  }

  /// A client that resets while its request waits is told to the handler; its descriptor is given back.
  @Test func resetCancelsTheExchange() throws {
    let server = try TestServer()
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.awaitArrival()
    let exchange = try #require(server.held.take("a"))
    let cancelled = Signal()
    exchange.onCancel { _ in cancelled.give() }
    client.reset()
    cancelled.await()
    #expect(exchange.isCancelled)
    exchange.respond(Response(.ok))
    let late = Signal()
    exchange.onCancel { _ in late.give() }
    late.await()
  }

  /// Clients that come, say half of something and reset leave nothing behind.
  @Test(arguments: ["", "GET /he", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc"])
  func resetsLeaveNoDescriptor(beginning: String) throws {
    let server = try TestServer()
    let probe = try RawClient(port: server.port)
    try probe.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try probe.readAnswer()
    #expect(try Self.sockets(at: server.port) == 2, "the listener and the probe's")
    for _ in 0..<50 {
      let client = try RawClient(port: server.port)
      try client.send(beginning)
      client.reset()
    }
    // When the server is through with those before it, this one is answered.
    let last = try RawClient(port: server.port)
    try last.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try last.readAnswer()
    #expect(try Self.sockets(at: server.port) == 3, "this one's too, and none of those that have gone")
    server.stop()
    #expect(try Self.sockets(at: server.port) == 0)
  }

  /// A client that doesn't read holds up nobody, and is read no further than the cap on its unsent answers; the
  /// kernel's buffers take less than half of what it sends.
  @Test func clientThatNeverReads() throws {
    let server = try TestServer { $0.capacity.unsentBytes = 64 << 10 }
    defer { server.stop() }
    let greedy = try RawClient(port: server.port)
    let body = String(repeating: "x", count: 1 << 20)
    let request = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    let count = 24
    greedy.sendInBackground(Array(String(repeating: request, count: count).utf8))
    let other = try RawClient(port: server.port)
    for _ in 0..<100 {
      try other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try other.readAnswer().text == "hello")
    }
    // And when it reads at last, everything is there.
    for _ in 0..<count { #expect(try greedy.readAnswer().body.count == body.utf8.count) }
  }

  /// What all bodies may hold together: a request that goes beyond it is refused, and what each held is given back.
  @Test func bodiesInAllAreCapped() throws {
    let server = try TestServer { $0.capacity.bodyBytes = 10_000 }
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    func post(_ count: Int) throws -> Int {
      try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n")
      try client.send(String(repeating: "x", count: count))
      return try client.readAnswer().status
    }
    for _ in 0..<20 { #expect(try post(9_999) == 200) }
    #expect(try post(10_000) == 503)
    #expect(try post(9_999) == 200)
  }

  @Test func shutdownFinishesWhatIsInFlight() throws {
    let server = try TestServer()
    let idle = try RawClient(port: server.port)
    try idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try idle.readAnswer()
    let busy = try RawClient(port: server.port)
    try busy.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.awaitArrival()
    let done = Signal()
    server.server.shutdown { done.give() }
    #expect(try idle.isAtEnd())
    #expect(throws: RawClient.Broken.self) { try RawClient(port: server.port) }
    server.held.answer("a")
    let answer = try busy.readAnswer()
    #expect(answer.text == "a")
    #expect(answer.fields["connection"] == "close")
    #expect(try busy.isAtEnd())
    idle.close()
    busy.close()
    done.await()
  }

  @Test func shutdownCutsOffWhatTakesTooLong() throws {
    let server = try TestServer { $0.timeouts.drain = .zero }
    let client = try RawClient(port: server.port)
    try client.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.awaitArrival()
    let exchange = try #require(server.held.take("a"))
    let cancelled = Signal()
    exchange.onCancel { _ in cancelled.give() }
    server.stop()
    cancelled.await()
  }

  @Test func shutdownWithoutConnections() throws {
    let server = try TestServer { $0.shards = 3 }
    server.stop()
    server.stop()
  }

  @Test func connectionsOfOneAddressAreCapped() throws {
    let server = try TestServer { $0.capacity.connectionsPerAddress = 2 }
    defer { server.stop() }
    let clients = try (0..<2).map { _ in try RawClient(port: server.port) }
    for client in clients {
      try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try client.readAnswer().status == 200)
    }
    let third = try RawClient(port: server.port)
    #expect(try third.readAnswer().status == 503)
    #expect(try third.isAtEnd())
    try clients[0].send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try clients[0].readAnswer().status == 200)
  }

  /// Beyond the cap in all, a client waits in the backlog until another one goes.
  @Test func connectionsInAllAreCapped() throws {
    let server = try TestServer { $0.capacity.connections = 1 }
    defer { server.stop() }
    let first = try RawClient(port: server.port)
    try first.send("GET /held?a HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.awaitArrival()
    let second = try RawClient(port: server.port)
    try second.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    server.held.answer("a")
    #expect(try first.readAnswer().text == "a")
    first.close()
    #expect(try second.readAnswer().text == "hello")
  }
}

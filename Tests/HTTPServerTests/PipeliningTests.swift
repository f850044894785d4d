import HTTP1
import HTTPServer
import Synchronization
import Testing

/// Requests that a client sends without waiting for their answers (RFC 9112, section 9.3.2), beside another client's.
@Suite struct PipeliningTests {
  /// A hundred requests are in the socket when another client's comes: it is handled after those that may be under way
  /// for one connection at a time, and before all others.
  @Test func requestsInAdvanceWaitForThoseOfOthers() throws {
    let order = Mutex<[String]>([])
    let first = Signal()
    let goOn = Signal()
    var configuration = ServerConfiguration(addresses: [.tcp(host: "127.0.0.1", port: 0)])
    configuration.shards = 1
    let handler = RequestHandler(
      admit: { _, _, _ in .accept(bodyBytesLimit: 0) },
      handle: { request, exchange in
        let path = request.head.path
        order.withLock { $0.append(path) }
        if path == "/0" {
          // The shard stands still until the other client's request is in its socket.
          first.give()
          goOn.await()
        }
        exchange.respond(Response(.ok, body: Array(path.utf8)))
      },
      settle: {},
      failure: { failure, _ in Response(failure.status) })
    let server = try HTTPServer(configuration: configuration, handler: handler)
    server.start()
    let other = try RawClient(port: server.boundAddresses[0].port)
    // Answered once, so that the shard has the connection.
    try other.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = try other.readAnswer()
    let eager = try RawClient(port: server.boundAddresses[0].port)
    try eager.send((0..<100).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
    first.await()
    try other.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
    goOn.give()
    #expect(try other.readAnswer().text == "/other")
    for number in 0..<100 { #expect(try eager.readAnswer().text == "/\(number)") }
    let handled = order.withLock { $0 }
    let place = try #require(handled.firstIndex(of: "/other"))
    #expect(place == 1 + ServerConfiguration(addresses: []).limits.pipelinedRequests)
    #expect(handled.filter { $0 != "/other" } == ["/hello"] + (0..<100).map { "/\($0)" })
    let done = Signal()
    server.shutdown { done.give() }
    done.await()
  }
}

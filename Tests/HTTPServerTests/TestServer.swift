import Dispatch
import Glibc
import HTTP1
import HTTPServer
import Synchronization

/// A server on a free port whose handler a test steers by the path:
/// `/hello` and `/echo` answer at once, `/later` on another queue, `/held` when the test says so, `/dropped` never,
/// `/text` with something to code, `/tls` with the client's name;
/// `/settled` when the turn is settled;
/// `/refused` is turned away on its head, `/small` may have 16 bytes of content.
final class TestServer: Sendable {
  let server: HTTPServer
  let held = HeldExchanges()

  init(
    addresses: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 0)],
    _ adjust: (inout ServerConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = ServerConfiguration(addresses: addresses)
    // Nothing but a test of a timeout comes near one, however slow the machine is.
    configuration.timeouts.head = .seconds(600)
    configuration.timeouts.body = .seconds(600)
    configuration.timeouts.write = .seconds(600)
    configuration.timeouts.drain = .seconds(600)
    adjust(&configuration)
    let held = held
    let settling = SettledExchanges()
    let handler = RequestHandler(
      admit: { head, _, _ in Self.admit(head) },
      handle: { request, exchange in
        if request.head.path == "/settled" { return settling.add(exchange, request) }
        Self.handle(request, exchange, held)
      },
      settle: { settling.answer() },
      failure: { failure, _ in Response(failure.status, body: Array("\(failure)".utf8)) })
    server = try HTTPServer(configuration: configuration, handler: handler)
    server.start()
  }

  var port: UInt16 { server.boundAddresses[0].port }

  /// Shuts down and waits until it is done.
  func stop() {
    let done = DispatchSemaphore(value: 0)
    server.shutdown { done.signal() }
    done.wait()
  }

  private static func admit(_ head: RequestHead) -> Admission {
    switch head.path {
    case "/refused": .reject(Response(.serviceUnavailable, [.retryAfter: "3"], body: Array("full".utf8)))
    case "/small": .accept(bodyBytesLimit: 16)
    default: .accept(bodyBytesLimit: 64 << 20)
    }
  }

  private static func handle(_ request: Request, _ exchange: Exchange, _ held: HeldExchanges) {
    switch request.head.path {
    case "/hello": exchange.respond(Response(.ok, [.contentType: "text/plain"], body: Array("hello".utf8)))
    case "/peer": exchange.respond(Response(.ok, body: Array("\(request.connection.peer)".utf8)))
    case "/later": DispatchQueue.global().async { exchange.respond(Response(.ok, body: request.body)) }
    case "/tls":
      let subject = request.connection.tls?.clientSubject ?? "nobody"
      exchange.respond(Response(.ok, body: Array(subject.utf8)))
    case "/text":
      let fields: ResponseFields = [.contentType: "application/json; charset=utf-8", .vary: "Accept"]
      exchange.respond(Response(.ok, fields, body: Array(String(repeating: "[0.125]", count: 1000).utf8)))
    case "/held": held.add(exchange, request)
    case "/dropped": break
    default: exchange.respond(Response(.ok, [.contentType: "application/json"], body: request.body))
    }
  }
}

/// Exchanges that wait for the end of their turn: each is answered with its query and with how many it was settled
/// with.
private final class SettledExchanges: Sendable {
  private let exchanges = Mutex<[(exchange: Exchange, query: String)]>([])

  func add(_ exchange: Exchange, _ request: Request) {
    exchanges.withLock { $0.append((exchange, request.head.query ?? "")) }
  }

  func answer() {
    let settled = exchanges.withLock { exchanges in
      defer { exchanges = [] }
      return exchanges
    }
    for (exchange, query) in settled {
      exchange.respond(Response(.ok, body: Array("\(query) of \(settled.count)".utf8)))
    }
  }
}

/// Exchanges that wait for their test.
final class HeldExchanges: Sendable {
  private let exchanges = Mutex<[(exchange: Exchange, query: String)]>([])
  private let arrivals = DispatchSemaphore(value: 0)

  fileprivate func add(_ exchange: Exchange, _ request: Request) {
    exchanges.withLock { $0.append((exchange, request.head.query ?? "")) }
    arrivals.signal()
  }

  /// Waits until one more has come, and returns how many there are.
  func awaitArrival() { arrivals.wait() }

  /// The exchange of the request with this query.
  func take(_ query: String) -> Exchange? {
    exchanges.withLock { held in
      held.firstIndex { $0.query == query }.map { held.remove(at: $0).exchange }
    }
  }

  /// Answers with the query.
  func answer(_ query: String) { take(query)?.respond(Response(.ok, body: Array(query.utf8))) }
}

/// Something that happens once, waited for.
final class Signal: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)
  func give() { semaphore.signal() }
  func await() { semaphore.wait() }
}

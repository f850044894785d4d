import ArgumentParser
import Glibc
import HTTP1

/// Nanoseconds of processor time a request of what HTTP/1.1 itself costs: no socket, no handler.
///
/// Allocations a request: run it under `valgrind` with `--repetitions 1` and two values of `--requests`, and divide the
/// difference of the two counts by that of the requests.
struct ProtocolBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "http1", abstract: "Nanoseconds a request read, answered and both.")

  @Option(help: "Requests in a repetition.")
  var requests = 100_000

  @Option(help: "Repetitions; the median counts.")
  var repetitions = 15

  @Option(help: "Only the measurement of this name: \(Self.names.joined(separator: ", ")).")
  var only: String?

  private static let names = ["head", "lookups", "chunked", "answer", "connection"]

  /// Ten fields, as a browser or a service mesh sends them.
  private static let head = Array(
    """
    POST /v1/ffn HTTP/1.1\r\nHost: sluice.example.internal:8080\r\nUser-Agent: python-requests/2.31.0\r
    Accept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r
    Content-Type: application/json\r\nContent-Length: 25\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r
    X-Request-Id: 7f9c24e8-3b12-4fef-91d0-3b1a2e5c8f70\r
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n{"input": [[1, 2, 3, 4]]}
    """.utf8)

  private static let chunked = Array(
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      + String(repeating: "40\r\n" + String(repeating: "x", count: 64) + "\r\n", count: 16) + "0\r\n\r\n").utf8)

  func run() throws {
    let body = [UInt8](repeating: 0x78, count: 256)
    let date = HTTPDate.octets(secondsSinceEpoch: 784_111_777)
    var output: [UInt8] = []
    var checksum = 0
    measure("head") { checksum &+= read(Self.head) { _ in 0 } }
    measure("lookups") {
      checksum &+= read(Self.head) { head in
        (head.fields.first(.contentType)?.utf8.count ?? 0) &+ (head.fields.first(.xRequestID)?.utf8.count ?? 0)
          &+ (head.fields.contains(.contentEncoding) ? 1 : 0) &+ head.path.utf8.count
      }
    }
    measure("chunked") { checksum &+= read(Self.chunked) { _ in 0 } }
    let response = Response(.ok, [.contentType: "application/json", .xRequestID: "7f9c24e8"], body: body)
    let framing = ResponseEncoder.Framing(connection: .persistent, omitsContent: false)
    measure("answer") {
      output.removeAll(keepingCapacity: true)
      ResponseEncoder.append(response, framing, date: date, to: &output)
      checksum &+= output.count
    }
    var connection = ConnectionState()
    measure("connection") {
      output.removeAll(keepingCapacity: true)
      converse(&connection, response, date, &output)
      checksum &+= output.count
    }
    if checksum == 0 { print("nothing was read") }
  }

  /// Reads one request with a reader of its own.
  private func read(_ octets: [UInt8], _ look: (RequestHead) -> Int) -> Int {
    var reader = RequestReader()
    var offset = 0
    var sum = 0
    while true {
      switch reader.next(octets.span.bytes, offset: &offset) {
      case .head(let head, _): sum &+= look(head) &+ head.fields.count
      case .content(let range): sum &+= range.count
      case .end: return sum
      case .needsMoreInput, .failed: return 0
      }
    }
  }

  /// Sends one more request over a connection that stays, and writes its answer.
  private func converse(
    _ connection: inout ConnectionState, _ response: Response, _ date: [UInt8], _ output: inout [UInt8]
  ) {
    var offset = 0
    while offset < Self.head.count {
      switch connection.receive(Self.head.span.bytes, offset: &offset) {
      case .head: connection.admit(contentLimit: 1 << 20)
      case .content, .paused, .needsMoreInput, .complete, .failed, .abandoned, .closed: break
      }
    }
    if case .complete(let id) = connection.receive(Self.head.span.bytes, offset: &offset) {
      connection.respond(to: id, with: response)
    }
    while case .response(let response, let framing, _) = connection.nextOutput() {
      ResponseEncoder.append(response, framing, date: date, to: &output)
    }
  }

  private func measure(_ name: String, _ body: () -> Void) {
    if let only, only != name { return }
    var times: [Double] = []
    for _ in 0..<repetitions {
      let start = processorNanoseconds()
      for _ in 0..<requests { body() }
      times.append(processorNanoseconds() - start)
    }
    let median = times.sorted()[times.count / 2] / Double(requests)
    print("\(name): \(Int(median.rounded())) ns a request")
  }

  private func processorNanoseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }
}

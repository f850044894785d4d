import ArgumentParser
import Batching
import FeedForward
import Glibc
import HTTP1
import InferenceAPI
import Synchronization

/// Nanoseconds of processor time of a whole request but for its sockets: its head and its body are read, it is queued,
/// computed by the embedded model, for which there is next to nothing to compute, printed, encoded and counted.
///
/// Instructions and allocations a request: run it under `valgrind --tool=callgrind` or `valgrind` with `--repetitions
/// 1` and two values of `--turns`, and divide the difference of the two counts by that of the requests.
struct RequestBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "requests", abstract: "Nanoseconds a request from its octets to its answer's, without sockets.")

  @Option(help: "Turns of an I/O queue in a repetition.")
  var turns = 2_000

  @Option(help: "Repetitions; the median counts.")
  var repetitions = 15

  @Option(help: "Requests that come in one turn.")
  var together = 16

  @Option(help: "Only the protocol of this name: \(Self.protocols.map(\.name).joined(separator: ", ")).")
  var only: String?

  private static let protocols: [(name: String, request: [UInt8])] = [
    ("json", request("/v1/ffn", ["Content-Type: application/json"], #"{"input":[[1,2,3,4]]}"#, [])),
    (
      "binary",
      request(
        "/v2/models/demo/infer", ["Content-Type: application/octet-stream", "Inference-Header-Content-Length: 139"],
        #"{"parameters":{"binary_data_output":true},"inputs":[{"name":"input","shape":[1,4],"datatype":"FP32","#
          + #""parameters":{"binary_data_size":16}}]}"#,
        [1, 2, 3, 4])
    ),
  ]

  func run() throws {
    let api = try Self.api()
    for (name, request) in Self.protocols where only ?? name == name {
      var connections = (0..<together).map { _ in ConnectionState() }
      var output: [UInt8] = []
      let date = HTTPDate.octets(secondsSinceEpoch: 784_111_777)
      let times = (0..<repetitions).map { _ in
        let started = Self.processorNanoseconds()
        for _ in 0..<turns { turn(api, request, &connections, date, &output) }
        return (Self.processorNanoseconds() - started) / Double(turns * together)
      }
      guard output.starts(with: "HTTP/1.1 200 ".utf8) else { throw ExitCode.failure }
      print("\(name), \(together) in a turn: \(Int(times.median.rounded())) ns a request")
    }
  }

  /// One request of each connection: read, handed over, computed together, answered.
  private func turn(
    _ api: InferenceAPI, _ request: [UInt8], _ connections: inout [ConnectionState], _ date: [UInt8],
    _ output: inout [UInt8]
  ) {
    let answers = Answers()
    for place in connections.indices { read(api, request, &connections[place], place, answers) }
    api.settle()
    for (place, id, make) in answers.taken { connections[place].respond(to: id, with: make()) }
    for place in connections.indices {
      output.removeAll(keepingCapacity: true)
      while case .response(let response, let framing, _) = connections[place].nextOutput() {
        ResponseEncoder.append(response, framing, date: date, to: &output)
      }
    }
  }

  private func read(
    _ api: InferenceAPI, _ request: [UInt8], _ connection: inout ConnectionState, _ place: Int, _ answers: Answers
  ) {
    let octets = request.span.bytes
    let now = MonotonicClock.now()
    var offset = 0
    var admitted: (RequestHead, AdmittedRequest)?
    var body: [UInt8] = []
    while true {
      switch connection.receive(octets, offset: &offset) {
      case .head(let head, let id):
        switch api.admit(head, from: Arrival(receivedAt: now)) {
        case .accept(let limit, let request):
          connection.admit(contentLimit: limit)
          admitted = (head, request)
        case .reject(let response): connection.respond(to: id, with: response)
        }
      case .content(let range, _): body.append(contentsOf: request[range])
      case .complete(let id):
        guard let (head, request) = admitted else { return }
        return api.handle(
          APIRequest(
            head: head, body: body, receivedAt: now, completedAt: now, admitted: request, isSettled: true),
          reply: answers.sink(place, id))
      case .needsMoreInput, .paused, .failed, .abandoned, .closed: return
      }
    }
  }

  private static func request(_ path: String, _ fields: [String], _ json: String, _ row: [Float]) -> [UInt8] {
    let length = json.utf8.count + 4 * row.count
    let lines = ["POST \(path) HTTP/1.1", "Host: localhost:8080", "Content-Length: \(length)"] + fields + ["", ""]
    return Array((lines.joined(separator: "\r\n") + json).utf8)
      + row.flatMap { number in (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) } }
  }

  private static func api() throws -> InferenceAPI {
    let store = ModelStore(ModelStore.Configuration(kernels: .best()), background: { $0() })
    try store.open([GivenModel(name: "demo", source: .demo)])
    store.start { _ in }
    let batching = BatchLimits(maxBatchRows: 64, maxQueueRows: 4096)
    return InferenceAPI(
      configuration: APIConfiguration(workers: 1, batching: batching, kernels: .best()), store: store
    ) { _ in }
  }

  private static func processorNanoseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }
}

/// What a turn's requests are answered, in the place of a transport's mailbox.
private final class Answers: Sendable {
  typealias Answer = (connection: Int, request: ExchangeID, make: @Sendable () -> Response)

  private let answers = Mutex<[Answer]>([])

  var taken: [Answer] { answers.withLock { $0 } }

  func sink(_ connection: Int, _ request: ExchangeID) -> ReplySink {
    ReplySink(
      respond: { response in self.answers.withLock { $0.append((connection, request, { response })) } },
      respondOnIOQueue: { make in self.answers.withLock { $0.append((connection, request, make)) } },
      onCancel: { _ in })
  }
}

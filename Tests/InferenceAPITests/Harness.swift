import Batching
import Checkpoint
import Dispatch
import FeedForward
import Foundation
import HTTP1
import InferenceAPI
import Synchronization
import Testing

/// The API with nothing around it: requests are parsed from bytes, and their answers are awaited.
struct Harness {
  /// How the store works.
  struct Loading {
    var configuration = ModelStore.Configuration(kernels: .best())
    /// Inside the call.
    var background: @Sendable (@escaping @Sendable () -> Void) -> Void = { $0() }
    var observe: @Sendable (ModelEvent) -> Void = { _ in }

    init(
      repository: ModelRepository? = nil,
      background: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void = { $0() },
      observe: @escaping @Sendable (ModelEvent) -> Void = { _ in }
    ) {
      configuration.repository = repository
      self.background = background
      self.observe = observe
    }
  }

  let api: InferenceAPI
  let store: ModelStore
  let outcomes = OutcomeLog()

  /// - Parameters:
  ///   - models: loaded when this returns; the demo model unless said otherwise, none for an API that is still loading.
  init(
    _ models: [GivenModel] = [GivenModel(name: "demo", source: .demo)], workers: Int = 2, maxBatchRows: Int = 64,
    maxQueueRows: Int = 4096,
    batchDelay: Duration = .zero, loading: Loading = Loading(), adjust: (inout APIConfiguration) -> Void = { _ in }
  ) throws {
    var configuration = APIConfiguration(
      workers: workers,
      batching: BatchLimits(maxBatchRows: maxBatchRows, maxQueueRows: maxQueueRows, batchDelay: batchDelay),
      kernels: .best())
    adjust(&configuration)
    let outcomes = outcomes
    store = ModelStore(loading.configuration, background: loading.background, observe: loading.observe)
    api = InferenceAPI(configuration: configuration, store: store) { outcomes.append($0) }
    guard !models.isEmpty || loading.configuration.repository != nil else { return }
    try store.open(models)
    store.start { if case .failure(let error) = $0 { Issue.record(error) } }
  }

  /// Whether requests come in a turn that a test settles.
  var isSettled = false

  /// Admits and hands over a request; its answer is awaited at the exchange.
  func start(_ request: String) -> TestExchange { start(Array(request.utf8)) }

  func start(_ request: [UInt8], at exchange: TestExchange = TestExchange()) -> TestExchange {
    let (head, body) = Self.parse(request)
    let now = MonotonicClock.now()
    handle(head, body, receivedAt: now, completedAt: now, reply: exchange.sink)
    return exchange
  }

  /// Admits and hands over a request that came at a time of the test's choice.
  func handle(
    _ head: RequestHead, _ body: [UInt8], receivedAt: Nanoseconds, completedAt: Nanoseconds, reply: ReplySink,
    at listener: Arrival.Listener = .only
  ) {
    switch api.admit(head, from: Arrival(listener: listener, client: "192.0.2.7:40000", receivedAt: receivedAt)) {
    case .reject(let response): reply.respond(response)
    case .accept(let limit, let admitted):
      #expect(body.count <= limit)
      api.handle(
        APIRequest(
          head: head, body: body, receivedAt: receivedAt, completedAt: completedAt, admitted: admitted,
          isSettled: isSettled),
        reply: reply)
    }
  }

  func startFFN(_ json: String) -> TestExchange { start(Self.post("/v1/ffn", json)) }

  /// Sends a request by another door.
  func send(_ request: String, at listener: Arrival.Listener) async -> Answer {
    let (head, body) = Self.parse(Array(request.utf8))
    let now = MonotonicClock.now()
    let exchange = TestExchange()
    handle(head, body, receivedAt: now, completedAt: now, reply: exchange.sink, at: listener)
    return Answer(await exchange.response())
  }

  func send(_ request: String) async -> Answer { Answer(await start(request).response()) }

  func get(_ path: String) async -> Answer { await send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n") }

  func ffn(_ json: String) async -> Answer { await send(Self.post("/v1/ffn", json)) }

  func glu(_ json: String) async -> Answer { await send(Self.post("/v1/glu", json)) }

  static func post(_ path: String, _ body: String, contentType: String? = "application/json") -> String {
    let type = contentType.map { "Content-Type: \($0)\r\n" } ?? ""
    return "POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(type)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  static func parse(_ bytes: [UInt8]) -> (RequestHead, body: [UInt8]) {
    var reader = RequestReader()
    var offset = 0
    var head: RequestHead?
    var body: [UInt8] = []
    while true {
      switch reader.next(bytes.span.bytes, offset: &offset) {
      case .head(let found, _): head = found
      case .content(let range): body += bytes[range]
      case .end: return (head!, body)
      case .needsMoreInput, .failed: fatalError("the test's request is not HTTP")
      }
    }
  }
}

/// What `sluice` would log.
final class OutcomeLog: Sendable {
  private let entries = Mutex<[RequestOutcome]>([])

  func append(_ outcome: RequestOutcome) { entries.withLock { $0.append(outcome) } }

  var all: [RequestOutcome] { entries.withLock { $0 } }
}

/// The transport's part: an answer at most once, an I/O queue, a client that may go.
final class TestExchange: Sendable {
  private struct State {
    var response: Response?
    var waiter: CheckedContinuation<Response, Never>?
    var onCancel: [@Sendable (ReplySink.Cancellation) -> Void] = []
    var answers = 0
  }

  private let state = Mutex(State())
  private let ioQueue = DispatchQueue(label: "test.io")
  private let onRespond: @Sendable () -> Void

  /// - Parameter onRespond: runs before the answer is taken, on the thread that brings it.
  init(onRespond: @escaping @Sendable () -> Void = {}) {
    self.onRespond = onRespond
  }

  var sink: ReplySink {
    ReplySink(
      respond: { self.respond($0) },
      respondOnIOQueue: { make in self.ioQueue.async { self.respond(make()) } },
      onCancel: { body in self.state.withLock { $0.onCancel.append(body) } })
  }

  func respond(_ response: Response) {
    onRespond()
    let waiter = state.withLock { state in
      state.answers += 1
      state.response = response
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: response)
  }

  func response() async -> Response {
    await withCheckedContinuation { continuation in
      let ready = state.withLock { state -> Response? in
        if state.response == nil { state.waiter = continuation }
        return state.response
      }
      if let ready { continuation.resume(returning: ready) }
    }
  }

  /// The client goes, or the transport gives an answer of its own.
  func cancel(_ cancellation: ReplySink.Cancellation = .clientGone) {
    let bodies = state.withLock { state in
      defer { state.onCancel = [] }
      return state.onCancel
    }
    for body in bodies { body(cancellation) }
  }

  var answers: Int { state.withLock { $0.answers } }
}

/// A response, its body read by somebody else's JSON parser.
struct Answer {
  let status: Int
  let fields: ResponseFields
  let body: [UInt8]

  init(_ response: Response) {
    status = response.status.code
    fields = response.fields
    body = response.body
  }

  var text: String { String(decoding: body, as: UTF8.self) }

  var json: [String: Any] {
    (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
  }

  /// The problem's slug.
  var problem: String? { (json["type"] as? String)?.components(separatedBy: ":").last }

  var pointer: String? { json["pointer"] as? String }
  var offset: Int? { json["offset"] as? Int }

  /// The output's numbers, whatever its form.
  var output: [Float] { Self.floats(json["output"]) }

  func activation(_ name: String) -> [Float] { Self.floats((json["activations"] as? [String: Any])?[name]) }

  func derivative(_ name: String) -> [Float] { Self.floats((json["derivative"] as? [String: Any])?[name]) }

  /// The body without its timing, which differs from one time to the next.
  var untimed: String { text.components(separatedBy: ",\"timing\":")[0] }

  /// Dimensions of a nested array, or those that a flat or base64 tensor declares.
  static func shape(_ value: Any?) -> [Int] {
    if let object = value as? [String: Any] { return object["shape"] as? [Int] ?? [] }
    guard let array = value as? [Any] else { return [] }
    return [array.count] + shape(array.first)
  }

  static func floats(_ value: Any?) -> [Float] {
    switch value {
    case let number as NSNumber: return [number.floatValue]
    case let array as [Any]: return array.flatMap(floats)
    case let object as [String: Any]:
      if let data = object["data"] { return floats(data) }
      guard let text = object["base64"] as? String, let data = Data(base64Encoded: text) else { return [] }
      return decoded(Array(data), object["datatype"] as? String ?? "")
    default: return []
    }
  }

  private static func decoded(_ bytes: [UInt8], _ datatype: String) -> [Float] {
    func words(_ width: Int) -> [UInt32] {
      stride(from: 0, to: bytes.count, by: width).map { start in
        (0..<width).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
      }
    }
    switch datatype {
    case "FP32": return words(4).map { Float(bitPattern: $0) }
    case "FP16": return words(2).map { Float(Float16(bitPattern: UInt16($0))) }
    case "BF16": return words(2).map { Float(bitPattern: $0 << 16) }
    default: return []
    }
  }
}

import ArgumentParser
import Batching
import Dispatch
import FeedForward
import Glibc
import HTTP1
import InferenceAPI
import Metrics
import Synchronization

/// Nanoseconds of processor time that counting one request costs, alone and with other threads at the same counters.
struct OutcomeBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "outcomes", abstract: "Nanoseconds a request counted, and microseconds a scrape.")

  @Option(help: "Requests in a repetition, of each thread.")
  var requests = 200_000

  @Option(help: "Repetitions; the median counts.")
  var repetitions = 15

  func run() throws {
    let computed = try Self.outcome()
    var registry = Registry()
    let metrics = ServiceMetrics(in: &registry)
    for threads in [1, 2] {
      measure("counted by \(threads) thread\(threads > 1 ? "s" : "")", threads) { metrics.record(computed) }
    }
    var bytes = 0
    let started = MonotonicClock.now()
    for _ in 0..<1000 { bytes = registry.render(.prometheus).count }
    print("printed: \((MonotonicClock.now() - started) / 1_000_000) us a scrape of \(bytes) bytes")
  }

  /// What becomes of a row for the embedded model.
  private static func outcome() throws -> RequestOutcome {
    let store = ModelStore(ModelStore.Configuration(kernels: .best()), background: { $0() })
    try store.open([GivenModel(name: "demo", source: .demo)])
    store.start { _ in }
    let found = Mutex<RequestOutcome?>(nil)
    let done = DispatchSemaphore(value: 0)
    let batching = BatchLimits(maxBatchRows: 1, maxQueueRows: 1)
    let api = InferenceAPI(
      configuration: APIConfiguration(workers: 1, batching: batching, kernels: .best()), store: store
    ) { outcome in
      found.withLock { $0 = outcome }
      done.signal()
    }
    var reader = RequestReader()
    var offset = 0
    let text = Array(
      "POST /v1/ffn HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n".utf8)
    guard case .head(let head, _) = reader.next(text.span.bytes, offset: &offset),
      case .accept(_, let admitted) = api.admit(head)
    else { throw ExitCode.failure }
    let now = MonotonicClock.now()
    api.handle(
      APIRequest(
        head: head, body: Array(#"{"input":[1,2,3,4]}"#.utf8), receivedAt: now, completedAt: now, admitted: admitted),
      reply: ReplySink(respond: { _ in }, respondOnIOQueue: { _ = $0() }, onCancel: { _ in }))
    done.wait()
    guard let outcome = found.withLock({ $0 }), outcome.layer != nil else { throw ExitCode.failure }
    return outcome
  }

  private func measure(_ name: String, _ threads: Int, _ body: @Sendable () -> Void) {
    let times = (0..<repetitions).map { _ in
      let total = Mutex(0.0)
      DispatchQueue.concurrentPerform(iterations: threads) { _ in
        let start = Self.processorNanoseconds()
        for _ in 0..<requests { body() }
        let spent = Self.processorNanoseconds() - start
        total.withLock { $0 += spent }
      }
      return total.withLock { $0 } / Double(requests * threads)
    }
    print("\(name): \(Int(times.sorted()[times.count / 2].rounded())) ns a request")
  }

  private static func processorNanoseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }
}

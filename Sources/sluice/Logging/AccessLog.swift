import Batching
import HTTP1
import InferenceAPI
import Logging
import Synchronization

/// One line a request, from the value that also feeds the client's timing and the metrics: never a tensor, never a key.
final class AccessLog: Sendable {
  /// Which requests have a line. Those that were answered with a problem always have one.
  struct Selection: Sendable, Equatable {
    /// One of so many; nil for none that is neither slow nor a problem.
    var oneOf: Int?
    /// Those that took so long have a line too.
    var slow: Duration?
  }

  private let sink: LogSink
  private let selection: Selection
  private let slowNanoseconds: Nanoseconds
  private let requests = Atomic<Int>(0)

  init(sink: LogSink, _ selection: Selection) {
    self.sink = sink
    self.selection = selection
    slowNanoseconds = selection.slow.map { UInt64($0 / .nanoseconds(1)) } ?? .max
  }

  func record(_ outcome: RequestOutcome) {
    guard isSelected(outcome) else { return }
    sink.write(.info, "request") { line in
      line.field("id", outcome.name)
      if let trace = outcome.trace {
        line.field("trace_id", trace.traceID)
        line.field("span_id", trace.spanID)
      }
      if let client = outcome.client { line.field("client", client.description) }
      if let key = outcome.keyName { line.field("key", key) }
      if let method = outcome.method { line.field("method", method.name) }
      if let route = outcome.route { line.field("route", route) }
      if let status = outcome.status { line.field("status", status.code) }
      switch outcome.ending {
      case .answered: break
      case .problem(let type): line.field("problem", type.rawValue)
      case .clientGone: line.field("problem", "client-gone")
      }
      if let layer = outcome.layer {
        line.field("model", layer.model)
        line.field("layer", layer.layer)
      }
      if outcome.rows > 0 { line.field("rows", outcome.rows) }
      line.timing(outcome.timing)
      line.field("request_bytes", outcome.requestBytes)
      line.field("response_bytes", outcome.responseBytes)
    }
  }

  private func isSelected(_ outcome: RequestOutcome) -> Bool {
    if case .problem = outcome.ending { return true }
    if outcome.timing.total >= slowNanoseconds { return true }
    guard let oneOf = selection.oneOf else { return false }
    return oneOf == 1 || requests.wrappingAdd(1, ordering: .relaxed).oldValue.isMultiple(of: oneOf)
  }
}

extension LogLine {
  fileprivate mutating func timing(_ timing: RequestTiming) {
    if timing.batchRequests > 0 {
      field("batch_rows", timing.batchRows)
      field("batch_requests", timing.batchRequests)
    }
    field("read_us", Int(clamping: timing.read / 1000))
    field("decode_us", Int(clamping: timing.decode / 1000))
    field("queue_us", Int(clamping: timing.queue / 1000))
    field("compute_us", Int(clamping: timing.compute / 1000))
    field("encode_us", Int(clamping: timing.encode / 1000))
    field("total_us", Int(clamping: timing.total / 1000))
  }
}

import HTTP1
import InferenceAPI
import Logging

/// One line a request, from the value that also feeds the client's timing and the metrics.
struct AccessLog: Sendable {
  let sink: LogSink

  func record(_ outcome: RequestOutcome) {
    sink.write(.info, "request") { line in
      line.field("id", outcome.id.description)
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
      let timing = outcome.timing
      if timing.batchRequests > 0 {
        line.field("batch_rows", timing.batchRows)
        line.field("batch_requests", timing.batchRequests)
      }
      line.field("read_us", Int(clamping: timing.read / 1000))
      line.field("decode_us", Int(clamping: timing.decode / 1000))
      line.field("queue_us", Int(clamping: timing.queue / 1000))
      line.field("compute_us", Int(clamping: timing.compute / 1000))
      line.field("encode_us", Int(clamping: timing.encode / 1000))
      line.field("total_us", Int(clamping: timing.total / 1000))
      line.field("request_bytes", outcome.requestBytes)
      line.field("response_bytes", outcome.responseBytes)
    }
  }
}

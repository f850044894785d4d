import HTTP1
import InferenceAPI
import Logging

/// One line a request, from the value that also feeds the client's timing and the metrics.
struct AccessLog: Sendable {
  let sink: LogSink

  func record(_ outcome: RequestOutcome) {
    var fields: [(name: String, value: LogValue)] = [("id", .string("\(outcome.id)"))]
    if let method = outcome.method { fields.append(("method", .string(method.name))) }
    if let route = outcome.route { fields.append(("route", .string(route))) }
    if let status = outcome.status { fields.append(("status", .integer(status.code))) }
    switch outcome.ending {
    case .answered: break
    case .problem(let type): fields.append(("problem", .string(type.rawValue)))
    case .clientGone: fields.append(("problem", .string("client-gone")))
    }
    if let layer = outcome.layer {
      fields.append(("model", .string(layer.model)))
      fields.append(("layer", .string(layer.layer)))
    }
    if outcome.rows > 0 { fields.append(("rows", .integer(outcome.rows))) }
    let timing = outcome.timing
    if timing.batchRequests > 0 {
      fields.append(("batch_rows", .integer(timing.batchRows)))
      fields.append(("batch_requests", .integer(timing.batchRequests)))
    }
    for (name, duration) in [
      ("read_us", timing.read), ("decode_us", timing.decode), ("queue_us", timing.queue),
      ("compute_us", timing.compute), ("encode_us", timing.encode), ("total_us", timing.total),
    ] {
      fields.append((name, .integer(Int(clamping: duration / 1000))))
    }
    fields.append(("request_bytes", .integer(outcome.requestBytes)))
    fields.append(("response_bytes", .integer(outcome.responseBytes)))
    sink.write(.info, "request", fields)
  }
}

/// A span of monotonic time in nanoseconds, or a reading of the monotonic clock.
package typealias Nanoseconds = UInt64

/// Where the time of one request went. The reply's `timing`, its `Server-Timing` field, the access log and the metrics
/// all print this one value.
///
/// The phases do not overlap; what `total` has beyond their sum went into passing the request from one queue to
/// the next.
package struct RequestTiming: Sendable, Equatable {
  /// From the first byte of the head to the last of the body.
  package var read: Nanoseconds = 0
  /// From the body's bytes to tensors.
  package var decode: Nanoseconds = 0
  /// Waiting for a worker: for the batch, and before it for a large body's turn to be decoded.
  package var queue: Nanoseconds = 0
  /// The batch's forward pass, for all of its rows; with it the packing of weights given in the request.
  package var compute: Nanoseconds = 0
  /// From tensors to the reply's bytes.
  package var encode: Nanoseconds = 0
  /// From the first byte of the head to the reply's last.
  package var total: Nanoseconds = 0
  /// Rows of the batch that the request was computed in, its own among them.
  package var batchRows = 0
  /// Requests of that batch.
  package var batchRequests = 0

  /// The value of `Server-Timing` (W3C Server Timing): milliseconds with three digits, the same microseconds that the
  /// reply's `timing` has, and the batch as a description.
  var serverTiming: String {
    func metric(_ name: String, _ duration: Nanoseconds) -> String {
      let microseconds = duration / 1000
      let thousandths = String(microseconds % 1000)
      let padding = String(repeating: "0", count: 3 - thousandths.utf8.count)
      return "\(name);dur=\(microseconds / 1000).\(padding)\(thousandths)"
    }
    return [
      metric("read", read), metric("decode", decode), metric("queue", queue), metric("compute", compute),
      metric("encode", encode), metric("total", total),
      "batch;desc=\"\(batchRows) rows, \(batchRequests) requests\"",
    ].joined(separator: ", ")
  }
}

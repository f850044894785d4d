internal import TensorCoding

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
  /// Whether this is the one of the batch's requests by which its pass is counted. A pass whose one has left meanwhile
  /// is not counted.
  package var standsForBatch = false

  /// The value of `Server-Timing` (W3C Server Timing): milliseconds with three digits, the same microseconds that the
  /// reply's `timing` has, and the batch as a description.
  var serverTiming: String {
    var text: [UInt8] = []
    text.reserveCapacity(160)
    text.appendMetric("read;dur=", read)
    text.appendMetric(", decode;dur=", decode)
    text.appendMetric(", queue;dur=", queue)
    text.appendMetric(", compute;dur=", compute)
    text.appendMetric(", encode;dur=", encode)
    text.appendMetric(", total;dur=", total)
    text.appendLiteral(", batch;desc=\"")
    text.appendInteger(batchRows)
    text.appendLiteral(" rows, ")
    text.appendInteger(batchRequests)
    text.appendLiteral(" requests\"")
    return String(decoding: text, as: UTF8.self)
  }
}

extension JSONWriter {
  /// The `timing` member's value: whole microseconds, rounded down.
  mutating func timing(_ timing: RequestTiming) {
    object { writer in
      writer.integer(timing.read / 1000, as: "read_us")
      writer.integer(timing.decode / 1000, as: "decode_us")
      writer.integer(timing.queue / 1000, as: "queue_us")
      writer.integer(timing.compute / 1000, as: "compute_us")
      writer.integer(timing.encode / 1000, as: "encode_us")
      writer.integer(timing.total / 1000, as: "total_us")
      writer.integer(timing.batchRows, as: "batch_rows")
      writer.integer(timing.batchRequests, as: "batch_requests")
    }
  }
}

extension [UInt8] {
  /// Milliseconds with three digits, rounded down to whole microseconds as the reply's `timing` is.
  fileprivate mutating func appendMetric(_ name: StaticString, _ duration: Nanoseconds) {
    appendLiteral(name)
    let microseconds = duration / 1000
    appendInteger(microseconds / 1000)
    append(UInt8(ascii: "."))
    let fraction = UInt8(ascii: "0")
    append(fraction + UInt8(truncatingIfNeeded: microseconds / 100 % 10))
    append(fraction + UInt8(truncatingIfNeeded: microseconds / 10 % 10))
    append(fraction + UInt8(truncatingIfNeeded: microseconds % 10))
  }
}

internal import Batching
internal import HTTP1

/// Where a request comes from.
package struct Arrival: Sendable {
  /// By which door.
  package enum Listener: Sendable {
    /// Where there is no other: everything is answered.
    case only
    /// Beside an admin listener: what operators ask for is not answered.
    case main
    /// Health, metrics and the control of models; needs no key.
    case admin
  }

  package let listener: Listener
  /// Printed where the request is logged; nil where there is no telling.
  package let client: (any CustomStringConvertible & Sendable)?
  /// When the request's first byte was read.
  package let receivedAt: Nanoseconds

  package init(
    listener: Listener = .only, client: (any CustomStringConvertible & Sendable)? = nil,
    receivedAt: Nanoseconds = MonotonicClock.now()
  ) {
    self.listener = listener
    self.client = client
    self.receivedAt = receivedAt
  }
}

/// What is known of a request since its head was judged, for everything that is said about it: its answer, whoever
/// gives it, the log, the metrics.
package final class AdmittedRequest: Sendable {
  let id: RequestID
  /// What the client calls the request, where that may stand in a field and a log.
  let clientID: String?
  let trace: TraceContext?
  let method: Method?
  let destination: RouteTable.Destination?
  /// Kept as long as the request is under way.
  let permit: KeyPermit?
  let arrival: Arrival

  init(
    id: RequestID, head: RequestHead?, destination: RouteTable.Destination?, permit: KeyPermit?, arrival: Arrival
  ) {
    self.id = id
    method = head?.method
    clientID = RequestID.clientID(head?.fields.all(.xRequestID) ?? [])
    trace = TraceContext(traceparent: head?.fields.all(.traceparent) ?? [], id: id)
    self.destination = destination
    self.permit = permit
    self.arrival = arrival
  }

  var route: RouteLabel {
    guard case .route(let route, _) = destination else { return .none }
    return route.label
  }

  /// What a problem calls the request: a URI (RFC 9457, section 3.1.5).
  var instance: String { clientID.map { "urn:sluice:request:" + $0 } ?? "urn:uuid:" + id.description }

  /// Adds to a response what tells the client which request it answers.
  func sign(_ response: inout Response) {
    response.fields.append(.xRequestID, clientID ?? id.description)
    if let trace { response.fields.append(.traceparent, trace.traceparent) }
  }
}

extension RequestID {
  /// A client's own id of a request: 1 to 128 letters, digits and `-._~`, once; anything else is as if it were not
  /// there.
  static func clientID(_ values: [String]) -> String? {
    guard values.count == 1, 1...128 ~= values[0].utf8.count else { return nil }
    let isPlain = values[0].utf8.allSatisfy { octet in
      switch octet {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        true
      default: false
      }
    }
    return isPlain ? values[0] : nil
  }

  /// Sixteen digits.
  static func hexadecimal(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }
}

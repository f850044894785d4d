package import HTTP1

/// How one request went: recorded once, when it is over, and the only source of what metrics and the access log say.
package struct RequestOutcome: Sendable {
  package enum Ending: Sendable, Equatable {
    /// Given what it asked for.
    case answered(Status)
    case problem(ProblemType)
    /// The client left before its answer.
    case clientGone
  }

  private let request: AdmittedRequest
  package let ending: Ending
  /// The layer that was asked for, once it was found; nil for weights given in the request.
  package let layer: LayerLabel?
  /// Rows of the input; 0 where there was none.
  package let rows: Int
  package let timing: RequestTiming
  package let requestBytes: Int
  package let responseBytes: Int

  init(
    _ request: AdmittedRequest, _ ending: Ending, layer: LayerLabel?, rows: Int, timing: RequestTiming,
    requestBytes: Int, responseBytes: Int
  ) {
    self.request = request
    self.ending = ending
    self.layer = layer
    self.rows = rows
    self.timing = timing
    self.requestBytes = requestBytes
    self.responseBytes = responseBytes
  }

  /// Unique, whatever clients call their requests.
  package var id: RequestID { request.id }

  /// What the reply calls the request: the client's own id, or ours.
  package var name: String { request.clientID ?? request.id.description }

  /// Where the client has sent a `traceparent`.
  package var trace: TraceContext? { request.trace }

  package var method: Method? { request.method }

  package var routeLabel: RouteLabel { request.route }

  /// Who asked: an address.
  package var client: (any CustomStringConvertible & Sendable)? { request.arrival.client }

  /// The name of the key that let the request in, or would have.
  package var keyName: String? { request.permit?.key.name }

  var key: Key? { request.permit?.key }

  /// The route's pattern, `/v1/models/{model}`; nil where the request led to no route.
  package var route: String? { routeLabel.pattern }

  /// What the client saw; nil where nobody was there to see it.
  package var status: Status? {
    switch ending {
    case .answered(let status): status
    case .problem(let type): type.status
    case .clientGone: nil
    }
  }
}

/// A layer's name and its model's.
package struct LayerLabel: Sendable, Equatable {
  package let model: String
  package let layer: String
  /// Where its requests and passes are counted.
  let meter: LayerMeter
  let multiplyAddsOfRow: Int

  /// Labels are equal that name the same layer, also where it was loaded again in between.
  package static func == (one: LayerLabel, other: LayerLabel) -> Bool {
    one.model == other.model && one.layer == other.layer
  }
}

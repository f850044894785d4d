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

  package let id: RequestID
  package let routeLabel: RouteLabel
  package let method: Method?
  package let ending: Ending
  /// The layer that was asked for, once it was found; nil for weights given in the request.
  package let layer: LayerLabel?
  /// Rows of the input; 0 where there was none.
  package let rows: Int
  package let timing: RequestTiming
  package let requestBytes: Int
  package let responseBytes: Int

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

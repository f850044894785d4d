internal import Metrics

// The labels of the service's metrics. Each has a closed set of values: nothing that a client sends becomes one.

/// Where a request led: a route's pattern, or `none` for whatever is no route's path, however it is spelled.
package struct RouteLabel: MetricLabel, Equatable {
  package let rawValue: Int

  /// The request led to no route.
  package static let none = RouteLabel(place: 0)

  package static let labelName = "route"
  package static let allCases = patterns.indices.map { RouteLabel(place: $0) }

  /// In the order of the route table.
  private static let patterns = ["none"] + RouteTable.standard.patterns

  package init?(rawValue: Int) {
    guard Self.patterns.indices.contains(rawValue) else { return nil }
    self.rawValue = rawValue
  }

  /// - Parameter place: of the pattern in the route table's ``RouteTable/patterns``, plus 1.
  init(place: Int) {
    rawValue = place
  }

  package var labelValue: String { Self.patterns[rawValue] }

  /// The route's pattern, `/v1/models/{model}`; nil where there is none.
  package var pattern: String? { self == .none ? nil : Self.patterns[rawValue] }
}

/// How a request ended: `ok`, `client-gone`, or the slug of its problem.
struct OutcomeLabel: MetricLabel {
  let rawValue: Int

  static let labelName = "outcome"
  static let allCases = slugs.indices.map { OutcomeLabel(place: $0) }
  private static let slugs = ["ok", "client-gone"] + ProblemType.allCases.map(\.rawValue)
  private static let placeOfProblem = Dictionary(
    uniqueKeysWithValues: zip(ProblemType.allCases, 2...))

  init?(rawValue: Int) {
    guard Self.slugs.indices.contains(rawValue) else { return nil }
    self.rawValue = rawValue
  }

  private init(place: Int) {
    rawValue = place
  }

  init(_ ending: RequestOutcome.Ending) {
    switch ending {
    case .answered: rawValue = 0
    case .clientGone: rawValue = 1
    case .problem(let type): rawValue = Self.placeOfProblem[type] ?? 0
    }
  }

  var labelValue: String { Self.slugs[rawValue] }
}

/// A phase of ``RequestTiming``.
enum PhaseLabel: Int, MetricLabel {
  case read, decode, queue, compute, encode

  static let labelName = "phase"
  var labelValue: String { "\(self)" }
}

/// Why a request was turned away that another time might have been served: the problems that are no fault of the
/// request's.
struct RejectionLabel: MetricLabel {
  let rawValue: Int

  static let labelName = "reason"
  static let allCases = reasons.indices.map { RejectionLabel(place: $0) }
  private static let reasons = ProblemType.allCases.filter(\.isRejection)

  init?(rawValue: Int) {
    guard Self.reasons.indices.contains(rawValue) else { return nil }
    self.rawValue = rawValue
  }

  private init(place: Int) {
    rawValue = place
  }

  /// nil for an ending that is no rejection.
  init?(_ ending: RequestOutcome.Ending) {
    guard case .problem(let type) = ending, let place = Self.reasons.firstIndex(of: type) else { return nil }
    rawValue = place
  }

  var labelValue: String { Self.reasons[rawValue].rawValue }
}

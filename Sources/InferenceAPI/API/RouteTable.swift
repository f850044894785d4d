package import HTTP1

/// One operation of the API. A class, because every request carries its own.
final class Route: Sendable {
  /// What a request for the route brings along.
  enum Content: Sendable {
    /// No body is looked at.
    case none
    /// A JSON text, which may ask for computing.
    case json
    /// A JSON text with or without binary tensors behind it, of whatever media type its client gives it.
    case tensors
    /// A short JSON text or nothing, of whatever media type.
    case optional

    /// Whether a request without a body is refused.
    var isRequired: Bool { self == .json || self == .tensors }
  }

  /// Who asks for the route, which decides at which listener it is answered, and whether it takes a key.
  enum Audience: Sendable {
    /// Orchestrators and load balancers: at every listener, without a key.
    case probes
    /// Prometheus: without a key, at the admin listener if there is one.
    case scrapers
    /// At the admin listener if there is one.
    case operators
    /// At every listener but the admin one.
    case clients
  }

  let method: Method
  let path: PathPattern
  let content: Content
  let audience: Audience
  /// What the route is counted under.
  let label: RouteLabel
  /// Answers the call, now or later. Runs on an I/O queue and does not block it.
  let answer: @Sendable (InferenceAPI, Call) -> Void

  init(
    _ method: Method, _ path: String, content: Content = .none, for audience: Audience = .clients,
    _ answer: @escaping @Sendable (InferenceAPI, Call) -> Void
  ) {
    self.method = method
    self.path = PathPattern(path)
    self.content = content
    self.audience = audience
    self.answer = answer
    label = .none
  }

  /// The same, counted under `label`.
  fileprivate init(_ route: Route, label: RouteLabel) {
    (method, path, content, audience) = (route.method, route.path, route.content, route.audience)
    answer = route.answer
    self.label = label
  }

  var needsNoKey: Bool {
    switch audience {
    case .probes, .scrapers: true
    case .operators, .clients: false
    }
  }

  fileprivate func isAnswered(at listener: Arrival.Listener) -> Bool {
    switch (listener, audience) {
    case (.only, _), (_, .probes), (.main, .clients), (.admin, .scrapers), (.admin, .operators): true
    case (.main, .scrapers), (.main, .operators), (.admin, .clients): false
    }
  }
}

/// Every operation, in one place. A path that has GET answers HEAD too, and every path answers OPTIONS.
struct RouteTable: Sendable {
  let routes: [Route]
  /// The paths of the routes, each once.
  let patterns: [String]
  /// Places of the routes whose path has no parameter, by it.
  private let literal: [String: [Int]]
  /// Routes by the segments of their paths.
  private let byLength: [[Route]]

  init(routes: [Route]) {
    var patterns: [String] = []
    let labelled = routes.map { route in
      let pattern = route.path.description
      let place = patterns.firstIndex(of: pattern) ?? patterns.count
      if place == patterns.count { patterns.append(pattern) }
      return Route(route, label: RouteLabel(place: place + 1))
    }
    self.routes = labelled
    self.patterns = patterns
    byLength = (0...(labelled.map(\.path.length).max() ?? 0)).map { length in
      labelled.filter { $0.path.length == length }
    }
    literal = Dictionary(
      grouping: routes.indices.filter { routes[$0].path.isLiteral }, by: { routes[$0].path.description })
  }

  static let standard = RouteTable(routes: native + openInference)

  private static let native = [
    Route(.post, "/v1/ffn", content: .json) { $0.computeFFN($1) },
    Route(.post, "/v1/ffn/gradient", content: .json) { $0.computeGradient($1) },
    Route(.post, "/v1/gated-conv", content: .json) { $0.computeGatedConvolution($1) },
    Route(.post, "/v1/glu", content: .json) { $0.computeGate($1) },
    Route(.get, "/v1/models") { $0.listModels($1) },
    Route(.get, "/v1/models/{model}") { $0.describeModel($1) },
    Route(.get, "/livez", for: .probes) { $0.answerLive($1) },
    Route(.get, "/readyz", for: .probes) { $0.answerReady($1) },
    Route(.get, "/metrics", for: .scrapers) { $0.answerMetrics($1) },
    Route(.get, "/openapi.yaml") { $0.answerOpenAPI($1) },
  ]

  /// Where a request line leads.
  enum Destination: Sendable {
    case route(Route, parameters: [String])
    /// OPTIONS: the methods of the path, or of the whole server.
    case options(allow: [Method])
  }

  /// - Parameters:
  ///   - path: as it was sent, without its query, which no route reads; `*` leads to the whole server's OPTIONS
  ///     (RFC 9110, section 9.3.7).
  /// - Throws: `.unknownRoute`, or `.methodNotAllowed` for every other method, defined by HTTP or not.
  func destination(
    _ method: Method, path: String, at listener: Arrival.Listener = .only
  ) throws(APIError) -> Destination {
    if method == .options, path == "*" {
      return .options(allow: allowed(routes.filter { $0.isAnswered(at: listener) }))
    }
    let wanted: Method = method == .head ? .get : method
    if let place = literal[path]?.first(where: { routes[$0].method == wanted }),
      routes[place].isAnswered(at: listener)
    {
      return .route(routes[place], parameters: [])
    }
    let path = RequestPath(path)
    guard path.segments.count < byLength.count else { throw .unknownRoute }
    var others: [Route] = []
    for route in byLength[path.segments.count] where route.isAnswered(at: listener) {
      guard case .matches(let parameters) = route.path.match(path) else { continue }
      if route.method == wanted { return .route(route, parameters: parameters) }
      others.append(route)
    }
    if others.isEmpty { throw .unknownRoute }
    if method == .options { return .options(allow: allowed(others)) }
    throw .methodNotAllowed(method, allow: allowed(others))
  }

  private func allowed(_ routes: [Route]) -> [Method] {
    var methods: [Method] = []
    for route in routes where !methods.contains(route.method) {
      methods.append(route.method)
      if route.method == .get { methods.append(.head) }
    }
    return methods + [.options]
  }
}

/// A method and a path pattern, as openapi.yaml lists them.
package struct Operation: Sendable, Hashable {
  package let method: Method
  package let path: String
}

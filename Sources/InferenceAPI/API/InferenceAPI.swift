package import Batching
package import FeedForward
package import HTTP1
package import Metrics
internal import Synchronization

/// What the API is built with.
package struct APIConfiguration: Sendable {
  /// Worker queues that compute.
  package var workers: Int
  package var batching: BatchLimits
  package var kernels: Kernels
  /// Threads that help the workers with large layers where cores are idle.
  package var team: Team?
  /// The program's, as it tells its clients.
  package var version = "unreleased"

  /// Bytes of a request's body: 16 million numbers of four characters, or 12 million in base64.
  package var bodyBytesLimit = 64 << 20

  /// Elements of all weights that come with one request: a layer of 512×2048 has 3.1 million.
  package var weightsElementsLimit = 4 << 20

  /// Elements of the output and the activations of one reply, about as many as the largest body can ask about.
  package var resultElementsLimit = 16 << 20

  /// Multiply–adds of one request: about ten seconds of one core. The layer of a large model stays far below it with
  /// as many rows as a reply holds.
  package var multiplyAddsLimit = 1 << 40

  /// How long batches are cut, so that short ones of other layers pass.
  package var slices = SliceSize()

  /// What an I/O queue computes itself.
  package var brief = BriefPass()

  /// What an I/O queue decodes and prints itself.
  package var inline = InlineLimits()

  /// Bytes of large bodies and large replies that may wait for a worker to decode and print them, beside the rows that
  /// wait to be computed: four of the largest bodies. Over it a request is refused before its body is read.
  package var jobBytesLimit = 256 << 20

  /// Runs what neither an I/O queue nor a worker is to be held by, such as the printing of metrics.
  package var aside: @Sendable (@escaping @Sendable () -> Void) -> Void = { $0() }

  /// Who is let in; nil lets everybody in.
  package var keys: KeyRing?

  package init(workers: Int, batching: BatchLimits, kernels: Kernels) {
    self.workers = workers
    self.batching = batching
    self.kernels = kernels
  }
}

/// The HTTP API, without sockets: what is asked of it comes as values, and its answers leave as values.
///
/// A request is admitted on its head, then handed over whole. The order in which it is checked is the order of the
/// problems in openapi.yaml: the first that applies is the answer.
package final class InferenceAPI: Sendable {
  let configuration: APIConfiguration
  /// What is served, and how it is exchanged.
  package let store: ModelStore
  let inference: Inference
  private let routes = RouteTable.standard
  private let ids = RequestIDSource()
  /// Everything that `/metrics` shows.
  let registry: Registry
  private let metrics: ServiceMetrics
  private let observe: @Sendable (RequestOutcome) -> Void
  private let draining: Flag
  private let peaks: PeakRates

  /// - Parameters:
  ///   - store: answers from what it holds; until it can, the API is alive and not ready.
  ///   - registry: what the process counts beside the requests; `/metrics` shows it first.
  ///   - record: takes the outcome of every request, once, on whatever thread it ended.
  package init(
    configuration: APIConfiguration, store: ModelStore, registry: Registry = Registry(),
    record: @escaping @Sendable (RequestOutcome) -> Void
  ) {
    self.configuration = configuration
    self.store = store
    observe = record
    let (inference, draining, peaks) = (Inference(configuration), Flag(), PeakRates())
    (self.inference, self.draining, self.peaks) = (inference, draining, peaks)
    var registry = registry
    metrics = ServiceMetrics(in: &registry)
    ScrapedMetrics(
      load: { inference.load }, models: { store.listing.models }, isReady: { store.isReady && !draining.isSet },
      peaks: peaks, keys: { [keys = configuration.keys] in keys?.all ?? [] }
    ).declare(in: &registry)
    self.registry = registry
  }

  private func record(_ outcome: RequestOutcome) {
    metrics.record(outcome)
    observe(outcome)
  }

  // MARK: Life

  /// Says what a pass is compared with in `sluice_layer_peak_share`.
  package func setPeak(_ arithmetic: Arithmetic, multiplyAddsPerSecond: Double) {
    peaks.set(arithmetic, multiplyAddsPerSecond: multiplyAddsPerSecond)
  }

  /// Turns `/readyz` to 503, so that nobody sends more. What comes all the same is still answered.
  package func announceDraining() {
    draining.set()
  }

  /// Takes no computing any more and calls `completion` when what was taken is done.
  package func drain(_ completion: @escaping @Sendable () -> Void) {
    announceDraining()
    inference.drain(completion)
  }

  /// What the pool holds now.
  package var load: PoolLoad { inference.load }

  var catalog: ModelCatalog? { store.catalog }

  var isDraining: Bool { draining.isSet }

  var requestLimits: FFNRequest.Limits {
    FFNRequest.Limits(
      weightsElements: configuration.weightsElementsLimit, inputElements: configuration.bodyBytesLimit)
  }

  /// Every method and path, for those who describe them.
  package var operations: [Operation] { routes.routes.map { Operation(method: $0.method, path: $0.path.description) } }

  // MARK: Requests

  /// The verdict on a request's head, before any of its body is read.
  package enum Verdict: Sendable {
    /// The body may come, up to so many bytes; then the request is to be handled.
    case accept(bodyBytesLimit: Int, AdmittedRequest)
    /// The answer is this one, and it is recorded already. The body is not wanted.
    case reject(Response)
  }

  /// Decides on the head: key, path, method, content, media type, declared length, capacity, in this order.
  package func admit(_ head: RequestHead, from arrival: Arrival = Arrival()) -> Verdict {
    let id = ids.make()
    let destination = Result { () throws(APIError) in
      try routes.destination(head.method, path: head.path, at: arrival.listener)
    }
    var permit: KeyPermit?
    do throws(APIError) {
      permit = try authorize(head, destination, arrival)
    } catch {
      return reject(AdmittedRequest(id: id, head: head, destination: nil, permit: nil, arrival: arrival), head, error)
    }
    let admitted = AdmittedRequest(
      id: id, head: head, destination: try? destination.get(), permit: permit, arrival: arrival)
    do throws(APIError) {
      try permit?.check()
      return .accept(bodyBytesLimit: try bodyBytesLimit(of: head, to: destination.get()), admitted)
    } catch {
      return reject(admitted, head, error)
    }
  }

  /// Answers a request whose head was accepted and whose body is complete, now or later.
  ///
  /// Runs on the connection's I/O queue and does not block it.
  package func handle(_ request: APIRequest, reply: ReplySink) {
    switch request.admitted.destination {
    case .route(let route, let parameters):
      let call = makeCall(request, parameters, reply)
      // Chunked content shows only now that it is empty.
      if route.content.isRequired, request.body.isEmpty { return call.fail(.missingBody) }
      route.answer(self, call)
    case .options(let allow): makeCall(request, [], reply).answer(.options(allow))
    case nil: makeCall(request, [], reply).fail(.unknownRoute)
    }
  }

  /// Ends a turn of the I/O queue in which a request with ``APIRequest/isSettled`` was handled: what is brief and all
  /// that waits is computed here.
  package func settle() { inference.settle() }

  /// Words and records what the transport has to answer by itself.
  ///
  /// - Parameters:
  ///   - head: the request's, where it was understood.
  ///   - admitted: what came of its head, where it was accepted.
  package func answer(
    _ failure: TransportFailure, to head: RequestHead?, _ admitted: AdmittedRequest? = nil,
    from arrival: Arrival = Arrival()
  ) -> Response {
    let request =
      admitted ?? AdmittedRequest(id: ids.make(), head: head, destination: nil, permit: nil, arrival: arrival)
    return refuse(Problem(failure), request, head)
  }

  /// - Returns: nil for a request that needs no key.
  /// - Throws: `.unauthorized`. A key that may not go on is a permit that says so, since it has a name.
  private func authorize(
    _ head: RequestHead, _ destination: Result<RouteTable.Destination, APIError>, _ arrival: Arrival
  ) throws(APIError) -> KeyPermit? {
    guard let keys = configuration.keys, arrival.listener != .admin else { return nil }
    if case .success(.route(let route, _)) = destination, route.needsNoKey { return nil }
    let values = head.fields.all(.authorization)
    return try keys.admit(authorization: values.count == 1 ? values[0] : values.isEmpty ? nil : "")
  }

  private func reject(_ request: AdmittedRequest, _ head: RequestHead, _ error: APIError) -> Verdict {
    .reject(refuse(Problem(error), request, head))
  }

  private func bodyBytesLimit(of head: RequestHead, to destination: RouteTable.Destination) throws(APIError) -> Int {
    guard case .route(let route, _) = destination else { return Self.ignoredBodyBytes }
    switch route.content {
    case .none: return Self.ignoredBodyBytes
    case .optional: return Self.shortBodyBytes
    case .json: try admitContent(of: head, onlyJSON: true)
    case .tensors: try admitContent(of: head, onlyJSON: false)
    }
    return configuration.bodyBytesLimit
  }

  /// A body that no route reads may still come along with a GET; this much of it is passed over.
  private static let ignoredBodyBytes = 64 << 10
  /// What is asked of a repository in a body fits many times.
  private static let shortBodyBytes = 64 << 10

  private func admitContent(of head: RequestHead, onlyJSON: Bool) throws(APIError) {
    guard head.framing.hasContent else { throw .missingBody }
    if onlyJSON {
      let mediaType = head.fields.first(.contentType)
      guard MediaType.isJSON(mediaType) else { throw .unsupportedMediaType(found: mediaType) }
    }
    let declared = if case .length(let length) = head.framing { length } else { 0 }
    if declared > configuration.bodyBytesLimit { throw .contentTooLarge(limit: configuration.bodyBytesLimit) }
    if catalog == nil { throw .notReady }
    try inference.admit(bodyBytes: declared)
  }

  private func makeCall(_ request: APIRequest, _ parameters: [String], _ reply: ReplySink) -> Call {
    Call(request, parameters: parameters, sink: reply, inFlight: metrics.inFlight, record: record)
  }

  private func refuse(_ problem: Problem, _ request: AdmittedRequest, _ head: RequestHead?) -> Response {
    request.permit?.end()
    let response = problem.response(to: request, form: ErrorForm(path: head?.path))
    var timing = RequestTiming()
    timing.total = MonotonicClock.now() - min(request.arrival.receivedAt, MonotonicClock.now())
    record(
      RequestOutcome(
        request, .problem(problem.type), layer: nil, rows: 0, timing: timing, requestBytes: 0,
        responseBytes: response.body.count))
    return response
  }
}

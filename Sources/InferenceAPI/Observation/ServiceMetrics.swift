package import Metrics

/// What is counted of requests. Everything comes from their ``RequestOutcome``, so that metrics, access log and the
/// clients' timing tell of the same requests.
///
/// Recording takes some twenty additions without a lock, and one short lock of the layer's.
package struct ServiceMetrics: Sendable {
  private let requests: Family<Counter, RouteLabel, OutcomeLabel>
  private let durations: Family<Histogram, RouteLabel>
  private let phases: Family<Histogram, PhaseLabel>
  private let rows: Counter
  private let batchRows: Histogram
  private let batchRequests: Histogram
  private let rejections: Family<Counter, RejectionLabel>
  /// Requests that were handed over and are not let go of.
  let inFlight: Gauge

  package init(in registry: inout Registry) {
    requests = registry.counter(
      "sluice_http_requests_total",
      help: """
        Requests by route and by how they ended: ok, client-gone, or the slug of the problem that was the answer. \
        A combination is there from its first request on.
        """, omitsUnused: true, labels: RouteLabel.self, OutcomeLabel.self)
    durations = registry.histogram(
      "sluice_http_request_duration_seconds",
      help: "From a request's first byte to its answer's last, handed to the system.", unit: .seconds,
      bounds: Self.durationBounds, omitsUnused: true, labels: RouteLabel.self)
    phases = registry.histogram(
      "sluice_request_phase_seconds",
      help: """
        Where requests spent their time: read (first byte to last, of every request), decode, queue, compute (the pass \
        of the whole batch), encode; the last four of requests that came so far.
        """, unit: .seconds, bounds: Self.phaseBounds, labels: PhaseLabel.self)
    rows =
      registry.counter(
        "sluice_rows_total", help: "Rows of input that were computed and answered.")[]
    batchRows =
      registry.histogram(
        "sluice_batch_rows", help: "Rows of a forward pass, of all requests that were joined in it.",
        bounds: Self.batchBounds)[]
    batchRequests =
      registry.histogram(
        "sluice_batch_requests", help: "Requests that were joined in one forward pass.", bounds: Self.batchBounds)[]
    rejections = registry.counter(
      "sluice_rejections_total",
      help: "Requests that were turned away for no fault of their own content, by the slug of the problem.",
      labels: RejectionLabel.self)
    inFlight =
      registry.gauge(
        "sluice_requests_in_flight", help: "Requests that have arrived whole and are being worked on.")[]
  }

  package func record(_ outcome: RequestOutcome) {
    requests[outcome.routeLabel, OutcomeLabel(outcome.ending)].add()
    if let rejection = RejectionLabel(outcome.ending) { rejections[rejection].add() }
    if let layer = outcome.layer { layer.meter.record(outcome, multiplyAddsOfRow: layer.multiplyAddsOfRow) }
    outcome.key?.count(outcome.ending)
    let timing = outcome.timing
    durations[outcome.routeLabel].observe(timing.total)
    phases[.read].observe(timing.read)
    if timing.decode > 0 { phases[.decode].observe(timing.decode) }
    if timing.queue > 0 { phases[.queue].observe(timing.queue) }
    if timing.encode > 0 { phases[.encode].observe(timing.encode) }
    guard timing.compute > 0 else { return }
    phases[.compute].observe(timing.compute)
    if case .answered = outcome.ending { rows.add(UInt64(outcome.rows)) }
    guard timing.standsForBatch else { return }
    batchRows.observe(UInt64(timing.batchRows))
    batchRequests.observe(UInt64(timing.batchRequests))
  }

  /// 100 µs to 100 s, two a decade, and 50 µs for what is answered at once.
  private static let durationBounds: [Nanoseconds] = [
    50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000,
    100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000,
    30_000_000_000, 100_000_000_000,
  ]

  /// 1 µs to 10 s.
  private static let phaseBounds: [Nanoseconds] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 25_000_000, 50_000_000, 100_000_000, 250_000_000, 1_000_000_000, 10_000_000_000,
  ]

  private static let batchBounds: [UInt64] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
}

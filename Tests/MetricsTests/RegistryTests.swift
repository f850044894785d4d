import Dispatch
import Metrics
import Synchronization
import Testing

private enum Route: Int, MetricLabel {
  case ffn, models
  static let labelName = "route"
  var labelValue: String {
    switch self {
    case .ffn: "/v1/ffn"
    case .models: "/v1/models"
    }
  }
}

private enum Outcome: Int, MetricLabel {
  case done, refused
  static let labelName = "outcome"
  var labelValue: String { "\(self)" }
}

private enum Awkward: Int, MetricLabel {
  case everything
  static let labelName = "text"
  var labelValue: String { "a\\b\"c\nd é" }
}

/// What a scraper reads, to the byte.
@Suite struct RegistryTests {
  private static func text(_ registry: Registry, _ format: ExpositionFormat) -> String {
    String(decoding: registry.render(format), as: UTF8.self)
  }

  @Test func anEmptyRegistry() {
    #expect(Self.text(Registry(), .prometheus) == "")
    #expect(Self.text(Registry(), .openMetrics) == "# EOF\n")
  }

  @Test func contentTypes() {
    #expect(ExpositionFormat.prometheus.contentType == "text/plain; version=0.0.4; charset=utf-8")
    #expect(
      ExpositionFormat.openMetrics.contentType == "application/openmetrics-text; version=1.0.0; charset=utf-8")
  }

  /// Every series of a closed set is there from the start, at zero.
  @Test func counters() {
    var registry = Registry()
    let requests = registry.counter(
      "sluice_http_requests_total", help: "Requests.", labels: Route.self, Outcome.self)
    requests[.ffn, .done].add()
    requests[.ffn, .done].add(2)
    requests[.models, .refused].add()
    let samples = """
      sluice_http_requests_total{route="/v1/ffn",outcome="done"} 3
      sluice_http_requests_total{route="/v1/ffn",outcome="refused"} 0
      sluice_http_requests_total{route="/v1/models",outcome="done"} 0
      sluice_http_requests_total{route="/v1/models",outcome="refused"} 1

      """
    #expect(
      Self.text(registry, .prometheus)
        == """
        # HELP sluice_http_requests_total Requests.
        # TYPE sluice_http_requests_total counter
        \(samples)
        """)
    #expect(
      Self.text(registry, .openMetrics) == """
        # HELP sluice_http_requests Requests.
        # TYPE sluice_http_requests counter
        \(samples)# EOF

        """)
  }

  @Test func gauges() {
    var registry = Registry()
    let connections = registry.gauge("sluice_connections", help: "Open connections.")
    registry.gauge("sluice_resident_bytes", help: "Memory.", unit: .bytes) { 1.5e15 }
    registry.gauge("sluice_share", help: "Of the peak.") { 0.825 }
    registry.gauge("sluice_nothing", help: "0 ÷ 0") { .nan }
    registry.gauge("sluice_up", help: "1 ÷ 0") { .infinity }
    registry.gauge("sluice_down", help: "−1 ÷ 0") { -.infinity }
    connections[].set(5)
    connections[].add(-7)
    #expect(
      Self.text(registry, .openMetrics) == """
        # HELP sluice_connections Open connections.
        # TYPE sluice_connections gauge
        sluice_connections -2
        # HELP sluice_resident_bytes Memory.
        # TYPE sluice_resident_bytes gauge
        # UNIT sluice_resident_bytes bytes
        sluice_resident_bytes 1500000000000000
        # HELP sluice_share Of the peak.
        # TYPE sluice_share gauge
        sluice_share 0.825
        # HELP sluice_nothing 0 ÷ 0
        # TYPE sluice_nothing gauge
        sluice_nothing NaN
        # HELP sluice_up 1 ÷ 0
        # TYPE sluice_up gauge
        sluice_up +Inf
        # HELP sluice_down −1 ÷ 0
        # TYPE sluice_down gauge
        sluice_down -Inf
        # EOF

        """)
  }

  /// Recorded in nanoseconds, printed in seconds; a bound belongs to its bucket.
  @Test func histograms() {
    var registry = Registry()
    let compute = registry.histogram(
      "sluice_compute_seconds", help: "Forward pass.", unit: .seconds, bounds: [10_000, 1_000_000, 1_000_000_000],
      labels: Outcome.self)
    for nanoseconds: UInt64 in [0, 10_000, 10_001, 2_000_000_000] { compute[.done].observe(nanoseconds) }
    #expect(
      Self.text(registry, .prometheus) == """
        # HELP sluice_compute_seconds Forward pass.
        # TYPE sluice_compute_seconds histogram
        sluice_compute_seconds_bucket{outcome="done",le="1e-05"} 2
        sluice_compute_seconds_bucket{outcome="done",le="0.001"} 3
        sluice_compute_seconds_bucket{outcome="done",le="1.0"} 3
        sluice_compute_seconds_bucket{outcome="done",le="+Inf"} 4
        sluice_compute_seconds_sum{outcome="done"} 2.000020001
        sluice_compute_seconds_count{outcome="done"} 4
        sluice_compute_seconds_bucket{outcome="refused",le="1e-05"} 0
        sluice_compute_seconds_bucket{outcome="refused",le="0.001"} 0
        sluice_compute_seconds_bucket{outcome="refused",le="1.0"} 0
        sluice_compute_seconds_bucket{outcome="refused",le="+Inf"} 0
        sluice_compute_seconds_sum{outcome="refused"} 0
        sluice_compute_seconds_count{outcome="refused"} 0

        """)
  }

  @Test func aHistogramWithoutLabels() {
    var registry = Registry()
    let rows = registry.histogram("sluice_batch_rows", help: "Rows.", bounds: [1, 8])
    rows[].observe(3)
    #expect(
      Self.text(registry, .openMetrics) == """
        # HELP sluice_batch_rows Rows.
        # TYPE sluice_batch_rows histogram
        sluice_batch_rows_bucket{le="1.0"} 0
        sluice_batch_rows_bucket{le="8.0"} 1
        sluice_batch_rows_bucket{le="+Inf"} 1
        sluice_batch_rows_sum 3
        sluice_batch_rows_count 1
        # EOF

        """)
  }

  @Test(arguments: [
    (ExpositionFormat.prometheus, "A \\\\ and a \\n and a \"."),
    (.openMetrics, "A \\\\ and a \\n and a \\\"."),
  ])
  func escapes(format: ExpositionFormat, help: String) {
    var registry = Registry()
    _ = registry.gauge("awkward", help: "A \\ and a \n and a \".", labels: Awkward.self)
    let text = Self.text(registry, format)
    #expect(text.hasPrefix("# HELP awkward \(help)\n# TYPE awkward gauge\n"))
    #expect(text.contains("\nawkward{text=\"a\\\\b\\\"c\\nd é\"} 0\n"))
  }

  /// Series that come and go stand in the order in which they are given, and those of others are asked when printed.
  @Test func readings() {
    let layer = Histogram(bounds: [2_000_000_000])
    layer.observe(500_000_000)
    let names = Mutex(["a\"b"])
    var registry = Registry()
    registry.counter("process_cpu_seconds_total", help: "CPU.", unit: .seconds) { 0.25 }
    registry.counters("layer_rows_total", help: "Rows.") {
      names.withLock { $0.enumerated().map { Reading(("model", $1), ("layer", "l\($0)"), value: 7) } }
    }
    registry.histograms("layer_seconds", help: "Passes.", unit: .seconds) { [Reading(("layer", "l"), value: layer)] }
    registry.gauges("nobody", help: "None.") { [] }
    func expected(_ rows: String) -> String {
      """
      # HELP process_cpu_seconds CPU.
      # TYPE process_cpu_seconds counter
      # UNIT process_cpu_seconds seconds
      process_cpu_seconds_total 0.25
      # HELP layer_rows Rows.
      # TYPE layer_rows counter
      \(rows)# HELP layer_seconds Passes.
      # TYPE layer_seconds histogram
      # UNIT layer_seconds seconds
      layer_seconds_bucket{layer="l",le="2.0"} 1
      layer_seconds_bucket{layer="l",le="+Inf"} 1
      layer_seconds_sum{layer="l"} 0.5
      layer_seconds_count{layer="l"} 1
      # HELP nobody None.
      # TYPE nobody gauge
      # EOF

      """
    }
    #expect(Self.text(registry, .openMetrics) == expected("layer_rows_total{model=\"a\\\"b\",layer=\"l0\"} 7\n"))
    names.withLock { $0 = [] }
    #expect(Self.text(registry, .openMetrics) == expected(""))
  }

  @Test func unusedSeriesAreLeftOutWhereThatIsAskedFor() {
    var registry = Registry()
    let requests = registry.counter("requests_total", help: "R.", omitsUnused: true, labels: Route.self, Outcome.self)
    let times = registry.histogram("times", help: "T.", bounds: [1], omitsUnused: true, labels: Outcome.self)
    requests[.models, .refused].add()
    times[.done].observe(0)
    #expect(
      Self.text(registry, .prometheus) == """
        # HELP requests_total R.
        # TYPE requests_total counter
        requests_total{route="/v1/models",outcome="refused"} 1
        # HELP times T.
        # TYPE times histogram
        times_bucket{outcome="done",le="1.0"} 1
        times_bucket{outcome="done",le="+Inf"} 1
        times_sum{outcome="done"} 0
        times_count{outcome="done"} 1

        """)
  }

  @Test func preparationsPrecedeEveryRendering() {
    let value = Gauge()
    var registry = Registry()
    registry.beforeRendering { value.add(1) }
    registry.gauge("scrapes", help: "S.") { Double(value.value) }
    #expect(Self.text(registry, .prometheus).hasSuffix("\nscrapes 1\n"))
    #expect(Self.text(registry, .prometheus).hasSuffix("\nscrapes 2\n"))
  }

  @Test func nothingIsLostBetweenThreads() {
    var registry = Registry()
    let requests = registry.counter("requests_total", help: "Requests.", labels: Outcome.self)
    let rows = registry.histogram("rows", help: "Rows.", bounds: [1, 2, 4])
    let connections = registry.gauge("connections", help: "Open.")
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      for number in 0..<10_000 {
        requests[thread % 2 == 0 ? .done : .refused].add()
        rows[].observe(UInt64(number % 8))
        connections[].add(number % 2 == 0 ? 1 : -1)
      }
    }
    #expect(requests[.done].value == 40_000 && requests[.refused].value == 40_000)
    #expect(rows[].cumulativeCounts == [20_000, 30_000, 50_000, 80_000])
    #expect(rows[].sum == 8 * 10_000 / 8 * 28)
    #expect(connections[].value == 0)
  }
}

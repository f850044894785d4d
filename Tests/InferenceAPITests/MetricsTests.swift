import Batching
import FeedForward
import Foundation
import HTTP1
import InferenceAPI
import Metrics
import Synchronization
import Testing

/// What `/metrics` says of requests whose number and kind the test knows.
@Suite struct MetricsTests {
  /// Series with their values, and the comments.
  struct Scrape {
    let values: [String: Double]
    let comments: [String]

    init(_ text: String) {
      let lines = text.split(separator: "\n").map(String.init)
      comments = lines.filter { $0.hasPrefix("#") }
      values = Dictionary(
        lines.filter { !$0.hasPrefix("#") }.map { line in
          let cut = line.lastIndex(of: " ")!
          return (String(line[..<cut]), Double(line[line.index(after: cut)...]) ?? .nan)
        }, uniquingKeysWith: { _, _ in .nan })
    }

    subscript(series: String) -> Double? { values[series] }

    /// The series of one metric.
    func series(of name: String) -> [String] { values.keys.filter { $0.hasPrefix(name + "{") }.sorted() }
  }

  private func scrape(_ harness: Harness) async -> Scrape { Scrape(await harness.get("/metrics").text) }

  @Test func eachRequestIsCountedOnceByRouteAndOutcome() async throws {
    let harness = try Harness()
    _ = await harness.ffn(#"{"input":[[1,2,3,4],[4,3,2,1]]}"#)
    _ = await harness.ffn(#"{"input":[1,2,3,4],"layer":"reglu"}"#)
    _ = await harness.ffn(#"{"input":[1,2,3]}"#)
    _ = await harness.get("/v1/models/other")
    _ = await harness.get("/v1/models/de%6Do")
    _ = await harness.get("/whatever/a/client/sends")
    _ = await harness.get("/another%22%0A")
    _ = await harness.send("GET /v1/ffn HTTP/1.1\r\nHost: a\r\n\r\n")
    _ = harness.api.answer(.malformed(.hostMissing), to: nil)
    let scrape = await scrape(harness)
    let expected: [String: Double] = [
      #"{route="/v1/ffn",outcome="ok"}"#: 2, #"{route="/v1/ffn",outcome="shape-mismatch"}"#: 1,
      #"{route="/v1/models/{model}",outcome="unknown-model"}"#: 1, #"{route="/v1/models/{model}",outcome="ok"}"#: 1,
      #"{route="none",outcome="unknown-route"}"#: 2, #"{route="none",outcome="method-not-allowed"}"#: 1,
      #"{route="none",outcome="malformed-request"}"#: 1,
    ]
    for (labels, count) in expected { #expect(scrape["sluice_http_requests_total" + labels] == count, "\(labels)") }
    // The scrape itself is under way.
    #expect(scrape.series(of: "sluice_http_requests_total").count == expected.count)
    #expect(scrape["sluice_requests_in_flight"] == 1)
    #expect(scrape[#"sluice_http_request_duration_seconds_count{route="/v1/ffn"}"#] == 3)
    #expect(scrape["sluice_rows_total"] == 3)
    let layer = #"{model="demo",layer="swiglu"}"#
    #expect(scrape["sluice_layer_rows_total" + layer] == 2)
    // Two rows through three matrices of 4×8.
    #expect(scrape["sluice_layer_multiply_adds_total" + layer] == 192)
    #expect(scrape["sluice_layer_forward_seconds_count" + layer] == 1)
    #expect(scrape.series(of: "sluice_layer_rows_total").count == 2)
    #expect(scrape[#"sluice_request_phase_seconds_count{phase="compute"}"#] == 2)
    #expect(scrape[#"sluice_request_phase_seconds_count{phase="decode"}"#] == 3)
    #expect((scrape[#"sluice_weights_bytes{model="demo"}"#] ?? 0) > 0)
    #expect(scrape["sluice_ready"] == 1)
  }

  /// What the metrics say of time is what the outcomes say.
  @Test func phasesAreThoseOfTheOutcomes() async throws {
    let harness = try Harness()
    for row in 0..<20 { _ = await harness.ffn(#"{"input":\#(BatchTests.row(row))}"#) }
    let scrape = await scrape(harness)
    let outcomes = harness.outcomes.all.filter { $0.route == "/v1/ffn" }
    func sum(_ phase: (RequestTiming) -> Nanoseconds) -> Double {
      Double(outcomes.map { phase($0.timing) }.reduce(0, +)) / 1e9
    }
    for (phase, expected) in [
      ("read", sum(\.read)), ("decode", sum(\.decode)), ("queue", sum(\.queue)), ("compute", sum(\.compute)),
      ("encode", sum(\.encode)),
    ] {
      let found = try #require(scrape["sluice_request_phase_seconds_sum{phase=\"\(phase)\"}"])
      #expect(abs(found - expected) < 1e-9, "\(phase)")
    }
    let total = try #require(scrape[#"sluice_http_request_duration_seconds_sum{route="/v1/ffn"}"#])
    #expect(abs(total - sum(\.total)) < 1e-9)
  }

  /// A pass of many requests is one pass.
  @Test func aBatchIsCountedOnce() async throws {
    let harness = try Harness(workers: 1, maxBatchRows: 8, batchDelay: .seconds(60))
    let exchanges = (0..<8).map { harness.startFFN(#"{"input":\#(BatchTests.row($0))}"#) }
    for exchange in exchanges { #expect(Answer(await exchange.response()).status == 200) }
    let scrape = await scrape(harness)
    #expect(scrape["sluice_batch_rows_count"] == 1)
    #expect(scrape["sluice_batch_rows_sum"] == 8)
    #expect(scrape["sluice_batch_requests_sum"] == 8)
    #expect(scrape[#"sluice_layer_forward_seconds_count{model="demo",layer="swiglu"}"#] == 1)
    #expect(scrape[#"sluice_layer_rows_total{model="demo",layer="swiglu"}"#] == 8)
    #expect(scrape[#"sluice_http_requests_total{route="/v1/ffn",outcome="ok"}"#] == 8)
  }

  @Test func shareOfThePeakIsThatOfThePasses() async throws {
    let harness = try Harness()
    #expect(await scrape(harness).series(of: "sluice_layer_peak_share").isEmpty)
    harness.api.setPeak(.f32, multiplyAddsPerSecond: 1e9)
    _ = await harness.ffn(#"{"input":[1,2,3,4]}"#)
    let timing = try #require(harness.outcomes.all.last?.timing)
    let share = try #require(await scrape(harness)[#"sluice_layer_peak_share{model="demo",layer="swiglu"}"#])
    let expected = 96 / (Double(timing.compute) * 1e-9) / 1e9
    #expect(abs(share - expected) < 1e-9 * expected)
  }

  @Test func rejectionsAreThereFromTheStart() async throws {
    let harness = try Harness([])
    let before = await scrape(harness)
    #expect(before["sluice_ready"] == 0)
    for reason in ["not-ready", "overloaded", "draining", "too-many-connections", "deadline-exceeded"] {
      #expect(before["sluice_rejections_total{reason=\"\(reason)\"}"] == 0)
    }
    _ = await harness.ffn(#"{"input":[1,2,3,4]}"#)
    #expect(await scrape(harness)[#"sluice_rejections_total{reason="not-ready"}"#] == 1)
  }

  @Test func aClientThatLeftIsNoLongerInFlight() async throws {
    let harness = try Harness(workers: 1, maxBatchRows: 64, batchDelay: .seconds(60))
    let exchange = harness.startFFN(#"{"input":[1,2,3,4]}"#)
    #expect(await scrape(harness)["sluice_requests_in_flight"] == 2)
    exchange.cancel()
    let scrape = await scrape(harness)
    #expect(scrape["sluice_requests_in_flight"] == 1)
    #expect(scrape[#"sluice_http_requests_total{route="/v1/ffn",outcome="client-gone"}"#] == 1)
  }

  static let plain = "text/plain; version=0.0.4; charset=utf-8"
  static let open = "application/openmetrics-text; version=1.0.0; charset=utf-8"

  @Test(arguments: [
    (nil, plain), ("*/*", plain), ("text/plain", plain), ("application/json", plain), ("", plain),
    ("application/openmetrics-text", open), ("Application/OpenMetrics-Text; version=1.0.0", open),
    ("application/openmetrics-text;version=2.0.0", plain), ("application/openmetrics-text;q=0", plain),
    ("application/openmetrics-text;q=0.3,text/plain;q=0.4", plain),
    ("application/openmetrics-text;q=nonsense", plain), (";q=1", plain),
    // As Prometheus 2.42 and 3.5 ask.
    (
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      open
    ),
    (
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
      open
    ),
  ])
  func formatIsTheOneAskedFor(_ accept: String?, _ contentType: String) async throws {
    let field = accept.map { "Accept: \($0)\r\n" } ?? ""
    let answer = await (try Harness()).send("GET /metrics HTTP/1.1\r\nHost: a\r\n\(field)\r\n")
    #expect(answer.fields.first(.contentType) == contentType)
    #expect(answer.fields.first(.vary) == "Accept")
    #expect(answer.text.hasSuffix("# EOF\n") == (contentType == Self.open))
  }

  /// What the process counts besides stands before what the API counts.
  @Test func theProcessesMetricsComeFirst() async throws {
    var registry = Registry()
    registry.gauge("process_something", help: "S.") { 5 }
    let batching = BatchLimits(maxBatchRows: 1, maxQueueRows: 1)
    let configuration = APIConfiguration(workers: 1, batching: batching, kernels: .best())
    let store = ModelStore(ModelStore.Configuration(kernels: .best())) { $0() }
    let api = InferenceAPI(configuration: configuration, store: store, registry: registry) { _ in }
    let exchange = TestExchange()
    let (head, _) = Harness.parse(Array("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
    guard case .accept(_, let admitted) = api.admit(head) else {
      Issue.record("a scrape is admitted")
      return
    }
    api.handle(
      APIRequest(head: head, body: [], receivedAt: 0, completedAt: 0, admitted: admitted), reply: exchange.sink)
    #expect(Answer(await exchange.response()).text.hasPrefix("# HELP process_something S.\n"))
  }
}

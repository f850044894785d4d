internal import Batching
internal import FeedForward
internal import Metrics

/// What is asked of the service when it is scraped: what it holds at the moment.
struct ScrapedMetrics: Sendable {
  let load: @Sendable () -> PoolLoad
  /// What is loaded, and what is being loaded for the first time.
  let models: @Sendable () -> [ServedModel]
  let isReady: @Sendable () -> Bool
  let peaks: PeakRates
  let keys: @Sendable () -> [Key]

  func declare(in registry: inout Registry) {
    registry.gauge("sluice_ready", help: "Whether /readyz says ready: 1, or 0 while loading and while stopping.") {
      isReady() ? 1 : 0
    }
    registry.gauge("sluice_queue_rows", help: "Rows that wait for a worker.") { Double(load().queuedRows) }
    registry.gauge("sluice_queue_requests", help: "Requests that wait for a worker.") { Double(load().queuedEntries) }
    registry.gauge(
      "sluice_queue_jobs", help: "Large bodies and replies that wait for a worker to decode or print them."
    ) {
      Double(load().queuedJobs)
    }
    registry.gauge("sluice_busy_workers", help: "Workers that compute, decode or print at the moment.") {
      Double(load().busyWorkers)
    }
    registry.gauges(
      "sluice_weights_bytes", help: "Memory of a model's packed weights.", unit: .bytes
    ) {
      models().map { Reading(("model", $0.name), value: Double($0.residentBytes)) }
    }
    registry.gauges(
      "sluice_peak_multiply_adds_per_second",
      help: """
        Multiply-adds per second of one thread at most, with the kernels that are served, in each arithmetic, as \
        measured at the start.
        """
    ) {
      peaks.all.map { Reading(("arithmetic", $0.arithmetic.rawValue), value: $0.multiplyAddsPerSecond) }
    }
    registry.counters(
      "sluice_key_requests_total",
      help: "Requests under each key: let in (ok), or refused for coming too fast or for too many at a time."
    ) {
      keys().flatMap { key in
        let counts = key.counts
        return [
          ("ok", counts.admitted), ("rate-limited", counts.rateLimited), ("concurrency", counts.concurrencyLimited),
        ].map { Reading(("key", key.name), ("outcome", $0.0), value: Double($0.1)) }
      }
    }
    declareLayers(in: &registry)
  }

  /// Series of the layers that are loaded, from the first pass of each on.
  private func declareLayers(in registry: inout Registry) {
    registry.histograms(
      "sluice_layer_forward_seconds", help: "Forward passes of a loaded layer, each for all rows of its batch.",
      unit: .seconds
    ) {
      readings { $0.forward }
    }
    registry.counters("sluice_layer_rows_total", help: "Rows that a loaded layer has computed.") {
      readings { Double($0.rows.value) }
    }
    registry.counters(
      "sluice_layer_multiply_adds_total",
      help: "Multiply-adds that a loaded layer has computed; twice the rate of it is FLOP/s."
    ) {
      readings { Double($0.multiplyAdds.value) }
    }
    registry.gauges(
      "sluice_layer_peak_share",
      help: """
        Multiply-adds per second of a layer's last passes, as a share of sluice_peak_multiply_adds_per_second in its \
        arithmetic; a pass that other threads help may have more than 1.
        """
    ) {
      layerReadings { layer in
        guard let rate = layer.meter.multiplyAddsPerSecond, let arithmetic = layer.block?.arithmetic else { return nil }
        return peaks[arithmetic].map { rate / $0 }
      }
    }
  }

  private func readings<Value: Sendable>(_ value: (LayerMeter) -> Value?) -> [Reading<Value>] {
    layerReadings { value($0.meter) }
  }

  private func layerReadings<Value: Sendable>(_ value: (ServedLayer) -> Value?) -> [Reading<Value>] {
    var readings: [Reading<Value>] = []
    for model in models() {
      for layer in model.layers where layer.meter.forward.isUsed {
        guard let value = value(layer) else { continue }
        readings.append(Reading(("model", model.name), ("layer", layer.name), value: value))
      }
    }
    return readings
  }
}

import HTTPServer
import Metrics
import Synchronization

// What is counted outside of the API, declared for its `/metrics`.

extension Registry {
  /// What was built and how it computes: constants, for joins and for whoever wonders which version runs where.
  mutating func declareBuild(kernels: String, compute: String) {
    gauges(
      "sluice_build_info",
      help: "Always 1; its labels say what runs, and whether layers are computed as they are stored."
    ) {
      [Reading(("version", Version.text), ("kernels", kernels), ("compute", compute), value: 1)]
    }
  }

  /// Connections, their bytes and their handshakes.
  mutating func declare(_ traffic: Traffic) {
    gauge("sluice_connections", help: "Open connections.") { Double(traffic.openConnections) }
    counter("sluice_accepted_connections_total", help: "Connections that were accepted.") {
      Double(traffic.acceptedConnections)
    }
    counter(
      "sluice_http_received_bytes_total", help: "Bytes received from clients, TLS and HTTP framing included.",
      unit: .bytes
    ) { Double(traffic.receivedBytes) }
    counter(
      "sluice_http_sent_bytes_total", help: "Bytes sent to clients, TLS and HTTP framing included.", unit: .bytes
    ) { Double(traffic.sentBytes) }
    counters(
      "sluice_tls_handshakes_total",
      help: "TLS handshakes that were completed, and those that began and came to nothing."
    ) {
      [
        Reading(("result", "ok"), value: Double(traffic.completedHandshakes)),
        Reading(("result", "failed"), value: Double(traffic.failedHandshakes)),
      ]
    }
  }

  /// The process, under the names that Prometheus's own client libraries use. It is read once a scrape.
  mutating func declareProcess() {
    let status = CurrentStatus()
    beforeRendering { status.read() }
    @Sendable func reading(_ value: (ProcessStatus) -> Double?) -> [Reading<Double>] {
      status.value.flatMap(value).map { [Reading(value: $0)] } ?? []
    }
    counters("process_cpu_seconds_total", help: "Time on all processors, user and system.", unit: .seconds) {
      reading { $0.cpuSeconds }
    }
    gauges("process_resident_memory_bytes", help: "Resident memory.", unit: .bytes) {
      reading { Double($0.residentBytes) }
    }
    gauges("process_virtual_memory_bytes", help: "Virtual memory.", unit: .bytes) {
      reading { Double($0.virtualBytes) }
    }
    gauges("process_open_fds", help: "Open file descriptors.") { reading { Double($0.openDescriptors) } }
    gauges("process_max_fds", help: "File descriptors that may be open.") {
      reading { $0.descriptorsLimit.map(Double.init) }
    }
    gauges("process_start_time_seconds", help: "When the process was started, since the epoch.", unit: .seconds) {
      reading { $0.startSeconds }
    }
  }

  private final class CurrentStatus: Sendable {
    private let status = Mutex<ProcessStatus?>(nil)

    var value: ProcessStatus? { status.withLock { $0 } }

    func read() {
      let read = ProcessStatus.read()
      status.withLock { $0 = read }
    }
  }
}

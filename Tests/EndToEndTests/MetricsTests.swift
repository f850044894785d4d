import Foundation
import Testing

/// What a Prometheus server sees.
@Suite struct MetricsTests {
  @Test(.enabled(if: (try? Program.named("promtool")) != nil, "promtool (package prometheus) is not installed"))
  func promtoolFindsNothing() async throws {
    let server = try await RunningServer()
    for body in [#"{"input":[1,2,3,4]}"#, #"{"input":[1,2]}"#] {
      _ = try await Program.curl("--json", body, server.url("/v1/ffn"))
    }
    let metrics = try await Program.curl("--fail", server.url("/metrics"))
    #expect(metrics.status == 0, "\(metrics.error)")
    let check = try await Program.run(
      Program.named("promtool"), ["check", "metrics"], input: Data(metrics.output.utf8))
    #expect(check.status == 0 && check.output.isEmpty && check.error.isEmpty, "\(check.output)\(check.error)")
    #expect(await server.stop() == 0)
  }

  /// The kernel's own figures, and those of the sockets.
  @Test func theProcessDescribesItself() async throws {
    let server = try await RunningServer("--no-access-log", "--kernels", "scalar")
    _ = try await Program.curl("--json", #"{"input":[1,2,3,4]}"#, server.url("/v1/ffn"))
    let text = try await Program.curl(server.url("/metrics")).output
    let values = Dictionary(
      text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { line in
        let parts = line.split(separator: " ")
        return (parts.dropLast().joined(separator: " "), Double(parts.last ?? "") ?? .nan)
      }, uniquingKeysWith: { first, _ in first })
    func value(_ name: String) throws -> Double { try #require(values[name], "\(name)") }
    let version = server.startLine.version
    #expect(try value(#"sluice_build_info{version="\#(version)",kernels="scalar",compute="stored"}"#) == 1)
    #expect(try value("process_resident_memory_bytes") > 1e6)
    #expect(try value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"))
    #expect(try value("process_open_fds") > 3)
    #expect(try value("process_max_fds") >= value("process_open_fds"))
    #expect(try value("process_cpu_seconds_total") >= 0)
    let started = try value("process_start_time_seconds")
    #expect(abs(started - Date().timeIntervalSince1970) < 3600)
    #expect(try value("sluice_connections") == 1)
    #expect(try value("sluice_accepted_connections_total") == 2)
    #expect(try value("sluice_http_received_bytes_total") > 100)
    #expect(try value("sluice_http_sent_bytes_total") > 200)
    #expect(try value(#"sluice_peak_multiply_adds_per_second{arithmetic="f32"}"#) > 0)
    #expect(try value(#"sluice_layer_peak_share{model="demo",layer="swiglu"}"#) > 0)
    #expect(await server.stop() == 0)
  }
}

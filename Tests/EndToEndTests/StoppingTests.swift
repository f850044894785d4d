import Foundation
import Testing

/// SIGTERM and SIGINT.
@Suite struct StoppingTests {
  /// A request whose head the server has taken is answered though accepting has ended; then the process exits with 0.
  @Test func whatIsInFlightIsFinished() async throws {
    let server = try await RunningServer()
    let client = try await Program.python("stopping.py", "\(server.port)", "\(server.pid)", "finish")
    #expect(client.status == 0, "\(client.error)")
    #expect(await server.end() == 0)
  }

  /// While load balancers take notice, `/readyz` says 503 and everything else is served.
  @Test func theDelayServesOn() async throws {
    let server = try await RunningServer("--drain-delay", "1h")
    let client = try await Program.python("stopping.py", "\(server.port)", "\(server.pid)", "delay")
    #expect(client.status == 0, "\(client.error)")
    // Nobody waits an hour: the second signal ends it.
    #expect(await server.stop() == 128 + 15)
  }

  @Test func theSecondSignalEndsAtOnce() async throws {
    let server = try await RunningServer("--drain-delay", "1h")
    let client = try await Program.python("stopping.py", "\(server.port)", "\(server.pid)", "abort")
    #expect(client.status == 0, "\(client.error)")
    #expect(await server.end() == 128 + 15)
  }

  @Test func anIdleServerEndsAtOnce() async throws {
    let server = try await RunningServer()
    #expect(await server.stop() == 0)
    #expect(server.log.contains { $0.contains("\"message\":\"stopped\"") })
  }

  /// What reads the log may have stopped reading: the process ends all the same.
  @Test func aLogThatNobodyReadsHoldsUpNoEnd() async throws {
    let program = try await Program.python(
      "unread.py", try Program.sluice.path, "serve", "--host", "127.0.0.1", "--port", "0", "--log-format", "json")
    #expect(program.status == 0, "\(program.error)")
  }
}

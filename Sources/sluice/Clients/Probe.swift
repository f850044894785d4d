import ArgumentParser

/// `sluice probe`: whether a server is ready, for health checks of containers that hold nothing but this program.
struct Probe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask a server whether it is ready.",
    discussion: """
      Exit code 0 when GET /readyz is answered 200, else 1 with a line that says why. It asks in clear: give a \
      server with --tls-cert an --admin-address or a Unix socket, where nothing is secured, and ask there.
      """)

  @Option(help: .address("Address of the server."))
  var host = "127.0.0.1"

  @Option(help: .number("Port of the server."))
  var port: UInt16 = 8080

  @Option(help: .path("Unix socket of the server, in place of host and port."))
  var unixSocket: String?

  @Option(help: .time("For the whole probe."))
  var timeout = TimeSpan.seconds(2)

  func run() throws {
    do {
      let addresses =
        if let unixSocket { [try ServerAddress(unixSocket: unixSocket)] } else {
          try ServerAddress.addresses(host: host, port: port)
        }
      let connection = try ProbeConnection(toAnyOf: addresses, timeout: timeout)
      let line = try connection.statusLine(
        asking: "GET /readyz HTTP/1.1\r\nHost: localhost\r\nUser-Agent: sluice-probe\r\nConnection: close\r\n\r\n")
      // HTTP-version SP status-code SP … (RFC 9112, section 4)
      guard line.hasPrefix("HTTP/1.") else { throw ProbeError.notHTTP }
      let words = line.split(separator: " ", omittingEmptySubsequences: false)
      guard words.count > 1, words[1] == "200" else { throw ProbeError.notReady(line) }
    } catch {
      StandardError.print("sluice: not ready: \(error)\n")
      throw ExitCode(1)
    }
  }
}

import ArgumentParser
import HTTPServer

/// `sluice probe`: whether a server is ready, for health checks of containers that hold nothing but this program.
///
/// It takes the server's own flags for where it listens, and hence its variables: in one environment with the server it
/// asks the right place by itself.
struct Probe: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ask a server whether it is ready.",
    discussion: """
      Exit code 0 when GET /readyz is answered 200, else 1 with a line that says why. It asks where the same flags, or \
      variables, have a server listen: at --admin-address, else at --unix-socket, else at --host and --port, there by \
      HTTPS where --tls-cert or --tls is given. A server that demands certificates of its clients (--tls-client-ca) is \
      asked at its --admin-address or a Unix socket.
      """)

  @Option(help: .address("Address of the server; of several, the first that answers. (default: 127.0.0.1)"))
  var host: [String] = []

  @Option(help: .number("Port of the server."))
  var port: UInt16 = 8080

  @Option(help: .path("Unix socket of the server, in place of host and port."))
  var unixSocket: [String] = []

  @Option(help: .address("Listener of the server for operators, in place of all others."))
  var adminAddress: ListenerArgument?

  @Flag(help: "Ask by HTTPS. The certificate is looked at with --tls-ca alone.")
  var tls = false

  @Option(help: .path("As the server has it: --tls, so that its variables do for the probe. The file is not read."))
  var tlsCert: String?

  @Option(help: .path("Ask by HTTPS: certificates in PEM, by one of which the server's is signed, for its --host."))
  var tlsCa: String?

  @Option(help: .time("For the whole probe."))
  var timeout = TimeSpan.seconds(2)

  func run() throws {
    do {
      try ask(try places())
    } catch {
      StandardError.print("sluice: not ready: \(error)\n")
      throw ExitCode(1)
    }
  }

  /// Where the question is asked, each with the TLS that is spoken there.
  private func places() throws -> [ProbeConnection.Place] {
    if let adminAddress { return try places(of: adminAddress.address) }
    if !unixSocket.isEmpty { return try unixSocket.flatMap { try places(of: .unix(path: $0)) } }
    return try (host.isEmpty ? ["127.0.0.1"] : host).flatMap { host in
      let isSecured = tls || tlsCert != nil || tlsCa != nil
      let context = isSecured ? try TLSContext(askingServer: host, certifiedBy: tlsCa) : nil
      return try places(of: .tcp(host: host, port: port), context)
    }
  }

  private func places(of listener: ListenAddress, _ context: TLSContext? = nil) throws -> [ProbeConnection.Place] {
    switch listener {
    case .tcp(let host, let port):
      try ServerAddress.addresses(host: host, port: port).map { ProbeConnection.Place(address: $0, context: context) }
    case .unix(let path): [ProbeConnection.Place(address: try ServerAddress(unixSocket: path), context: nil)]
    case .inherited: []
    }
  }

  private func ask(_ places: [ProbeConnection.Place]) throws {
    var connection = try ProbeConnection(toAnyOf: places, timeout: timeout)
    let line = try connection.statusLine(
      asking: "GET /readyz HTTP/1.1\r\nHost: localhost\r\nUser-Agent: sluice-probe\r\nConnection: close\r\n\r\n")
    // HTTP-version SP status-code SP … (RFC 9112, section 4)
    guard line.hasPrefix("HTTP/1.") else { throw ProbeError.notHTTP }
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count > 1, words[1] == "200" else { throw ProbeError.notReady(line) }
  }
}

internal import ArgumentParser
internal import Batching
internal import Dispatch
internal import HTTP1
internal import HTTPServer

/// The HTTP server alone, for a load generator: what a request costs before anything is computed.
struct EchoServer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "echo", abstract: "Answers GET /hello and POST /echo: the HTTP server alone, without the engine.")

  @Option(help: "The port to listen at; 0 lets the kernel choose.")
  var port: UInt16 = 8080

  @Option(help: "I/O queues.")
  var shards = 1

  @Option(help: "PEM files of a certificate chain and its key, for TLS.")
  var tls: [String] = []

  func run() throws {
    ProcessMemory.keepFreed(processors: CPUQuota.threads())
    var configuration = ServerConfiguration(addresses: [.tcp(host: "127.0.0.1", port: port)])
    if tls.count == 2 {
      configuration.tls = try TLSContext(TLSConfiguration(certificateChainFile: tls[0], privateKeyFile: tls[1]))
    }
    configuration.shards = shards
    let server = try HTTPServer(configuration: configuration, handler: Self.handler)
    server.start()
    for address in server.boundAddresses { print("http://\(address)") }
    dispatchMain()
  }

  private static let handler = RequestHandler(
    admit: { _, _, _ in .accept(bodyBytesLimit: 64 << 20) },
    handle: { request, exchange in exchange.respond(answer(to: request)) },
    failure: { failure, _ in Response(failure.status, body: []) })

  private static let greeting = Array("hello, world! 20 byt".utf8)

  private static func answer(to request: Request) -> Response {
    switch (request.head.method, request.head.path) {
    case (.get, "/hello"), (.head, "/hello"): Response(.ok, [.contentType: "text/plain"], body: greeting)
    case (.post, "/echo"): Response(.ok, [.contentType: "application/json"], body: request.body)
    default: Response(.notFound)
    }
  }
}

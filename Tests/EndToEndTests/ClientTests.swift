import Foundation
import Testing

/// Programs that people put before a server, as they are.
@Suite struct ClientTests {
  @Test func pythonRequests() async throws {
    let server = try await RunningServer()
    let client = try await Program.python("sessions.py", "\(server.port)")
    #expect(client.status == 0, "\(client.error)")
    #expect(await server.stop() == 0)
  }

  /// nginx keeps its connections to Sluice, passes bodies on as they come, and sees no answer that it would call bad.
  @Test(.enabled(if: Nginx.isInstalled, "nginx is not installed")) func nginxInFront() async throws {
    let server = try await RunningServer()
    let nginx = try Nginx(upstream: server.port)
    let ready = try await Program.curl(
      "--retry", "20", "--retry-all-errors", "--unix-socket", nginx.socket, "http://sluice/readyz")
    try #require(ready.status == 0, "\(ready.error)")
    let body = #"{"layer":"geglu","input":[[0.5,-1,2,0.25],[3,1,-4,1]],"encoding":"flat"}"#
    let direct = try await Program.curl("-H", "Content-Type: application/json", "-d", body, server.url("/v1/ffn"))
    let expected = try #require(Self.output(of: direct.output))
    for framing in ["Expect:", "Transfer-Encoding: chunked"] {
      let proxied = try await Program.curl(
        ["--unix-socket", nginx.socket, "-H", "Content-Type: application/json", "-H", framing, "-d", body]
          // One client connection, twenty requests: curl repeats its options for a range of URLs.
          + ["http://sluice/v1/ffn?[1-20]"])
      #expect(proxied.status == 0, "\(proxied.error)")
      let answers = proxied.output.components(separatedBy: #"{"model""#).dropFirst().map { #"{"model""# + $0 }
      #expect(answers.count == 20)
      #expect(answers.allSatisfy { Self.output(of: $0) == expected })
    }
    let large = #"{"input":["# + Array(repeating: "[0.5,-1,2,0.25]", count: 20_000).joined(separator: ",") + "]}"
    let file = nginx.folder.url.appending(path: "large.json")
    try Data(large.utf8).write(to: file)
    let status = try await Program.curl([
      "--unix-socket", nginx.socket, "-H", "Content-Type: application/json", "--data-binary", "@\(file.path)",
      "--compressed", "-o", "/dev/null", "-w", "%{http_code}", "http://sluice/v1/ffn",
    ])
    #expect(status.output == "200")
    #expect(await nginx.stop() == "", "nginx has nothing to complain of")
    #expect(await server.stop() == 0)
  }

  /// The reply's output as it is written, digit by digit.
  private static func output(of reply: String) -> Substring? {
    guard let start = reply.range(of: #""output":"#), let end = reply.range(of: #","timing""#) else { return nil }
    return reply[start.upperBound..<end.lowerBound]
  }
}

/// nginx with keep-alive to one Sluice, at a Unix socket in a folder of its own.
private final class Nginx {
  let folder: TemporaryFolder
  let socket: String
  private let process = Process()
  private var log: URL { folder.url.appending(path: "error.log") }

  /// Debian puts it where only root's PATH looks.
  private static var program: URL? {
    ["/usr/sbin/nginx"].map { URL(fileURLWithPath: $0) }.first {
      FileManager.default.isExecutableFile(atPath: $0.path)
    } ?? (try? Program.named("nginx"))
  }

  static var isInstalled: Bool { program != nil }

  init(upstream port: Int) throws {
    folder = try TemporaryFolder()
    socket = folder.url.appending(path: "nginx.sock").path
    let configuration = """
      daemon off;
      master_process off;
      pid nginx.pid;
      error_log error.log warn;
      events {}
      http {
        access_log off;
        client_body_temp_path body;
        proxy_temp_path proxy;
        fastcgi_temp_path fastcgi;
        scgi_temp_path scgi;
        uwsgi_temp_path uwsgi;
        client_max_body_size 64m;
        client_body_buffer_size 1m;
        proxy_buffers 8 1m;
        proxy_buffer_size 64k;
        upstream sluice { server 127.0.0.1:\(port); keepalive 4; }
        server {
          listen unix:\(socket);
          location / {
            proxy_pass http://sluice;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
          }
        }
      }
      """
    let file = folder.url.appending(path: "nginx.conf")
    try Data(configuration.utf8).write(to: file)
    process.executableURL = Self.program
    process.arguments = ["-p", folder.url.path, "-c", file.path]
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  /// Ends it, by the one signal that it cannot have inherited as blocked: a process is started with the signal mask of
  /// the thread that starts it.
  ///
  /// - Returns: what it logged.
  func stop() async -> String {
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      process.terminationHandler = { _ in continuation.resume() }
      kill(process.processIdentifier, SIGKILL)
    }
    defer { folder.remove() }
    return (try? String(contentsOf: log, encoding: .utf8)) ?? "no log"
  }
}

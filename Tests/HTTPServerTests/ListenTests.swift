import Glibc
import HTTP1
import HTTPServer
import Testing

@Suite struct Listening {
  @Test func onSeveralAddresses() throws {
    let server = try TestServer(addresses: [.tcp(host: "127.0.0.1", port: 0), .tcp(host: "::1", port: 0)])
    defer { server.stop() }
    let addresses = server.server.boundAddresses
    #expect(addresses.map(\.host.description) == ["127.0.0.1", "::1"])
    #expect(addresses.allSatisfy { $0.port != 0 })
    let v4 = try RawClient(port: addresses[0].port)
    let v6 = try RawClient(portOfIPv6: addresses[1].port)
    for (client, prefix) in [(v4, "127.0.0.1:"), (v6, "[::1]:")] {
      try client.send("GET /peer HTTP/1.1\r\nHost: a\r\n\r\n")
      #expect(try client.readAnswer().text.hasPrefix(prefix))
    }
  }

  @Test func onAUnixSocket() throws {
    let path = "/tmp/sluice-test-\(getpid()).sock"
    let server = try TestServer(addresses: [.unix(path: path)])
    #expect(server.server.boundAddresses[0].description == "unix:\(path)")
    let client = try RawClient(path: path)
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.readAnswer().text == "hello")
    // A living server's socket isn't taken away from it.
    #expect(throws: ListenError.self) { try TestServer(addresses: [.unix(path: path)]) }
    client.close()
    server.stop()
  }

  @Test func onAnInheritedSocket() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    #expect(throws: ListenError.notListening(descriptor: descriptor)) {
      try TestServer(addresses: [.inherited(descriptor: descriptor)])
    }
    listen(descriptor, 16)
    let server = try TestServer(addresses: [.inherited(descriptor: descriptor)])
    defer { server.stop() }
    let client = try RawClient(port: server.port)
    try client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
    #expect(try client.readAnswer().text == "hello")
  }

  @Test func secondServerOnAPortIsTold() throws {
    let server = try TestServer()
    defer { server.stop() }
    let address = ListenAddress.tcp(host: "127.0.0.1", port: server.port)
    let error = #expect(throws: ListenError.self) { try TestServer(addresses: [address]) }
    #expect(error?.description == "cannot listen at \(address): bind: Address already in use")
  }

  @Test func whatCannotBeListenedAt() {
    #expect(throws: ListenError.noAddress) { try TestServer(addresses: []) }
    let long = String(repeating: "p", count: 108)
    #expect(throws: ListenError.pathTooLong(long)) { try TestServer(addresses: [.unix(path: long)]) }
    let error = #expect(throws: ListenError.self) {
      try TestServer(addresses: [.tcp(host: "no such host", port: 0)])
    }
    #expect(error?.description.hasPrefix("cannot resolve no such host: ") == true)
  }

  @Test(
    arguments: [
      ("42", "2", [3, 4]), ("42", "1", [3]), ("43", "1", []), (nil, "1", []), ("42", nil, []), ("42", "0", []),
      ("42", "-1", []), ("42", "1 ", []), ("x", "1", []), ("42", "2000000000", []),
    ] as [(String?, String?, [Int32])])
  func onWhatTheServiceManagerHandsOver(pid: String?, count: String?, descriptors: [Int32]) {
    let addresses = ListenAddress.inherited(listenPID: pid, listenFDs: count, processID: 42)
    #expect(addresses == descriptors.map { .inherited(descriptor: $0) })
  }
}

import Dispatch
import Glibc
import HTTPServer

/// A blocking socket that says exactly what a test tells it to.
///
/// Its timeout is only the guard of a test that has failed: nothing waits for it otherwise.
final class RawClient {
  struct Broken: Error {
    let what: String
    let code: Int32
  }

  struct Answer: Equatable {
    let status: Int
    let fields: [String: String]
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
  }

  private var descriptor: Int32
  private var received: [UInt8] = []
  private let background = DispatchGroup()
  private var tls: TLSTestClient?

  init(port: UInt16) throws {
    descriptor = try Self.open(AF_INET)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    try connect(address)
  }

  init(portOfIPv6 port: UInt16) throws {
    descriptor = try Self.open(AF_INET6)
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    address.sin6_addr = in6addr_loopback
    try connect(address)
  }

  init(path: String) throws {
    descriptor = try Self.open(AF_UNIX)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    try connect(address)
  }

  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    close()
  }

  private static func open(_ family: Int32) throws -> Int32 {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw Broken(what: "socket", code: errno) }
    var guardTime = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &guardTime, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &guardTime, socklen_t(MemoryLayout<timeval>.size))
    return descriptor
  }

  private func connect<Address>(_ address: Address) throws {
    let status = withUnsafeBytes(of: address) {
      Glibc.connect(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count))
    }
    guard status == 0 else { throw Broken(what: "connect", code: errno) }
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: some Collection<UInt8>) throws {
    guard let tls else { return try Self.send(Array(bytes), to: descriptor) }
    tls.send(Array(bytes))
    try sendRecords()
  }

  /// Speaks TLS from here on.
  ///
  /// - Throws: `Broken` where the server ends the connection before the handshake is through.
  func secure(_ client: TLSTestClient) throws {
    tls = client
    _ = client.receive([])
    try sendRecords()
    while !client.isEstablished {
      guard try receive() else { throw Broken(what: "the stream ended within the handshake", code: 0) }
    }
  }

  private func sendRecords() throws {
    guard let records = tls?.takeOutbound(), !records.isEmpty else { return }
    try Self.send(records, to: descriptor)
  }

  /// Sends from another thread, so that this one can read meanwhile.
  func sendInBackground(_ bytes: [UInt8]) {
    let descriptor = descriptor
    DispatchQueue.global().async(group: background) { try? Self.send(bytes, to: descriptor) }
  }

  private static func send(_ bytes: [UInt8], to descriptor: Int32) throws {
    var offset = 0
    while offset < bytes.count {
      let sent = bytes[offset...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if sent < 0, errno == EINTR { continue }
      guard sent > 0 else { throw Broken(what: "send", code: errno) }
      offset += sent
    }
  }

  /// Ends this side; the server's may go on.
  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  func close() {
    guard descriptor >= 0 else { return }
    background.wait()
    Glibc.close(descriptor)
    descriptor = -1
  }

  /// Goes without a farewell: the server sees a reset.
  func reset() {
    var none = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  /// Reads one message of the server; its Content-Length ends it, but after HEAD and for 1xx, 204 and 304.
  func readAnswer(toHead: Bool = false) throws -> Answer {
    var end = Self.endOfHead(received)
    while end == nil {
      guard try receive() else { throw Broken(what: "the stream ended before an answer", code: 0) }
      end = Self.endOfHead(received)
    }
    let lines = String(decoding: received[..<end!], as: UTF8.self).split(separator: "\r\n")
    received.removeFirst(end!)
    let status = Int(lines[0].split(separator: " ")[1])!
    var fields: [String: String] = [:]
    for line in lines.dropFirst() {
      let colon = line.firstIndex(of: ":")!
      fields[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    let hasNoBody = toHead || status < 200 || status == 204 || status == 304
    let length = hasNoBody ? 0 : Int(fields["content-length"] ?? "")!
    while received.count < length {
      guard try receive() else { throw Broken(what: "the stream ended within an answer", code: 0) }
    }
    defer { received.removeFirst(length) }
    return Answer(status: status, fields: fields, body: Array(received[..<length]))
  }

  /// Everything up to the end of the server's stream.
  func readToEnd() throws -> [UInt8] {
    while try receive() {}
    defer { received = [] }
    return received
  }

  /// Whether the server has ended its stream, with nothing before.
  func isAtEnd() throws -> Bool { try received.isEmpty && !receive() }

  private func receive() throws -> Bool {
    while true {
      let count = withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { buffer in
        let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
        if count > 0 { received += tls?.receive(Array(buffer[..<count])) ?? Array(buffer[..<count]) }
        return count
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Broken(what: "recv", code: errno) }
      try sendRecords()
      return count > 0
    }
  }

  private static func endOfHead(_ bytes: [UInt8]) -> Int? {
    let mark: [UInt8] = [13, 10, 13, 10]
    guard bytes.count >= 4 else { return nil }
    return (0...bytes.count - 4).first { bytes[$0..<$0 + 4].elementsEqual(mark) }.map { $0 + 4 }
  }
}

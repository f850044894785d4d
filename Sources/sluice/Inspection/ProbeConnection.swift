import Batching
import Glibc

/// Why a server is not ready, as far as a client can tell.
enum ProbeError: Error {
  case unresolvable(host: String)
  case pathTooLong(String)
  /// A call of the system failed.
  case system(operation: String, code: Int32)
  case timeout
  case noAnswer
  case notHTTP
  /// The status line was another one.
  case notReady(String)
}

extension ProbeError: CustomStringConvertible {
  var description: String {
    switch self {
    case .unresolvable(let host): "cannot resolve \(host)"
    case .pathTooLong(let path): "the path of the Unix socket is too long: \(path)"
    case .system(let operation, let code): "\(operation): \(String(cString: strerror(code)))"
    case .timeout: "no answer in time"
    case .noAnswer: "the connection closed without an answer"
    case .notHTTP: "the answer is not HTTP"
    case .notReady(let line): line
    }
  }
}

/// One connection for one question, under one deadline.
struct ProbeConnection: ~Copyable {
  // Unsafe: sockets take addresses and octets by pointer; each one lives as long as its call and goes with its length.

  enum Target {
    case tcp(host: String, port: UInt16)
    case unix(path: String)
  }

  private let descriptor: Int32
  private let deadline: UInt64

  init(to target: Target, timeout: Duration) throws(ProbeError) {
    let (seconds, attoseconds) = timeout.components
    deadline = MonotonicClock.now() + UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    switch target {
    case .tcp(let host, let port): descriptor = try Self.open(host: host, port: port, deadline: deadline)
    case .unix(let path): descriptor = try Self.open(path: path, deadline: deadline)
    }
  }

  deinit { close(descriptor) }

  /// Sends a request and reads up to the end of the first line of the answer, which is cut at 256 octets.
  func statusLine(asking request: String) throws(ProbeError) -> String {
    var rest = Array(request.utf8)[...]
    while !rest.isEmpty {
      try Self.wait(descriptor, for: POLLOUT, deadline: deadline)
      let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count >= 0 else { throw .system(operation: "send", code: errno) }
      rest = rest.dropFirst(count)
    }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 256)
    while answer.count < chunk.count, !answer.contains(UInt8(ascii: "\n")) {
      try Self.wait(descriptor, for: POLLIN, deadline: deadline)
      let count = chunk.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count >= 0 else { throw .system(operation: "recv", code: errno) }
      if count == 0 { break }
      answer += chunk[..<count]
    }
    if answer.isEmpty { throw .noAnswer }
    return String(decoding: answer.prefix { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  /// Tries each address of the name, in the resolver's order.
  private static func open(host: String, port: UInt16, deadline: UInt64) throws(ProbeError) -> Int32 {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &found) == 0 else { throw .unresolvable(host: host) }
    defer { freeaddrinfo(found) }
    var failure = ProbeError.unresolvable(host: host)
    var next = found
    while let entry = next?.pointee {
      next = entry.ai_next
      do throws(ProbeError) {
        return try open(entry.ai_family, entry.ai_addr, entry.ai_addrlen, deadline: deadline)
      } catch {
        failure = error
      }
    }
    throw failure
  }

  private static func open(path: String, deadline: UInt64) throws(ProbeError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isTooLong = withUnsafeMutableBytes(of: &address.sun_path) { bytes in
      // The null that ends the path is there already.
      guard path.utf8.count < bytes.count else { return true }
      bytes.copyBytes(from: path.utf8)
      return false
    }
    if isTooLong { throw .pathTooLong(path) }
    return try withUnsafeMutablePointer(to: &address) { address throws(ProbeError) in
      try address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address throws(ProbeError) in
        try open(AF_UNIX, address, socklen_t(MemoryLayout<sockaddr_un>.size), deadline: deadline)
      }
    }
  }

  private static func open(
    _ family: Int32, _ address: UnsafeMutablePointer<sockaddr>, _ length: socklen_t, deadline: UInt64
  ) throws(ProbeError) -> Int32 {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else { throw .system(operation: "socket", code: errno) }
    do throws(ProbeError) {
      if connect(descriptor, address, length) == 0 { return descriptor }
      guard errno == EINPROGRESS || errno == EINTR else { throw .system(operation: "connect", code: errno) }
      try wait(descriptor, for: POLLOUT, deadline: deadline)
      var code: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
      guard code == 0 else { throw .system(operation: "connect", code: code) }
      return descriptor
    } catch {
      close(descriptor)
      throw error
    }
  }

  private static func wait(_ descriptor: Int32, for event: Int32, deadline: UInt64) throws(ProbeError) {
    while true {
      let now = MonotonicClock.now()
      guard now < deadline else { throw .timeout }
      var entry = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      let milliseconds = Int32(clamping: (deadline - now + 999_999) / 1_000_000)
      let count = poll(&entry, 1, milliseconds)
      if count > 0 { return }
      if count < 0, errno != EINTR { throw .system(operation: "poll", code: errno) }
    }
  }
}

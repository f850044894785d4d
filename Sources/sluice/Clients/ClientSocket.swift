import Glibc

/// Why a client had no connection to a server.
enum ClientError: Error, Equatable {
  case unresolvable(host: String)
  case pathTooLong(String)
  /// A call of the system failed.
  case system(operation: String, code: Int32)
}

extension ClientError: CustomStringConvertible {
  var description: String {
    switch self {
    case .unresolvable(let host): "cannot resolve \(host)"
    case .pathTooLong(let path): "the path of the Unix socket is too long: \(path)"
    case .system(let operation, let code): "\(operation): \(String(cString: strerror(code)))"
    }
  }
}

/// Where a client's server is, as the resolver found it.
struct ServerAddress {
  // Unsafe: reads and writes the system's address structures as what their family says they are, within a
  // `sockaddr_storage` that holds any.

  private let storage: sockaddr_storage
  private let length: socklen_t

  /// The addresses of a name, in the resolver's order; not empty.
  static func addresses(host: String, port: UInt16) throws(ClientError) -> [ServerAddress] {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &found) == 0 else { throw .unresolvable(host: host) }
    defer { freeaddrinfo(found) }
    var addresses: [ServerAddress] = []
    var next = found
    while let entry = next?.pointee {
      next = entry.ai_next
      addresses.append(ServerAddress(UnsafeRawPointer(entry.ai_addr), entry.ai_addrlen))
    }
    if addresses.isEmpty { throw .unresolvable(host: host) }
    return addresses
  }

  init(unixSocket path: String) throws(ClientError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isTooLong = withUnsafeMutableBytes(of: &address.sun_path) { bytes in
      // The null that ends the path is there already.
      guard path.utf8.count < bytes.count else { return true }
      bytes.copyBytes(from: path.utf8)
      return false
    }
    if isTooLong { throw .pathTooLong(path) }
    self = withUnsafeBytes(of: &address) { ServerAddress($0.baseAddress!, socklen_t($0.count)) }
  }

  private init(_ address: UnsafeRawPointer, _ length: socklen_t) {
    var storage = sockaddr_storage()
    withUnsafeMutableBytes(of: &storage) { bytes in
      bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: min(Int(length), bytes.count)))
    }
    self.storage = storage
    self.length = length
  }

  fileprivate var family: Int32 { Int32(storage.ss_family) }

  fileprivate func connect(_ descriptor: Int32) -> Int32 {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, length) }
    }
  }
}

/// A client's end of a stream, which never blocks.
struct ClientSocket: ~Copyable {
  // Unsafe: the system takes octets by pointer; each one lives as long as its call and goes with its length.

  /// What came of one attempt to send or receive.
  enum Transfer {
    /// So many octets; 0 on receiving is the end of the peer's stream.
    case moved(Int)
    /// Not at the moment.
    case wouldBlock
    case failed(ClientError)
  }

  let descriptor: Int32

  /// Begins to connect; it is done, or has failed, when the socket can be written.
  init(connectingTo address: ServerAddress) throws(ClientError) {
    let flags = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    descriptor = socket(address.family, Int32(flags), 0)
    guard descriptor >= 0 else { throw .system(operation: "socket", code: errno) }
    if address.connect(descriptor) == 0 { return }
    let code = errno
    guard code == EINPROGRESS || code == EINTR else { throw .system(operation: "connect", code: code) }
  }

  deinit { close(descriptor) }

  /// Why connecting failed, once the socket can be written; nil where it did not.
  func connectingFailure() -> ClientError? {
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
    return code == 0 ? nil : .system(operation: "connect", code: code)
  }

  func send(_ octets: ArraySlice<UInt8>) -> Transfer {
    let count = octets.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    return Self.transfer(count, "send")
  }

  /// Overwrites the beginning of `octets`.
  func receive(into octets: inout [UInt8]) -> Transfer {
    let count = octets.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
    return Self.transfer(count, "recv")
  }

  private static func transfer(_ count: Int, _ operation: String) -> Transfer {
    if count >= 0 { return .moved(count) }
    let code = errno
    return code == EAGAIN || code == EINTR ? .wouldBlock : .failed(.system(operation: operation, code: code))
  }
}

internal import CSystem
internal import Glibc

/// Why a server can't listen; each names the address as it was asked for.
package enum ListenError: Error, Equatable, Sendable, CustomStringConvertible {
  case noAddress
  case unresolvable(host: String, reason: String)
  case pathTooLong(String)
  /// `operation` is the syscall that failed.
  case refused(address: ListenAddress, operation: String, Errno)
  /// What was handed over isn't a listening stream socket.
  case notListening(descriptor: Int32)
  /// The process can't have what a shard needs.
  case resources(Errno)

  package var description: String {
    switch self {
    case .noAddress: "no address to listen at"
    case .unresolvable(let host, let reason): "cannot resolve \(host): \(reason)"
    case .pathTooLong(let path): "the path of the Unix socket is too long: \(path)"
    case .refused(let address, let operation, let errno): "cannot listen at \(address): \(operation): \(errno)"
    case .notListening(let descriptor): "descriptor \(descriptor) is not a listening stream socket"
    case .resources(let errno): "cannot create a shard: \(errno)"
    }
  }
}

/// A socket that listens.
///
/// Unsafe: addresses go to the kernel as `sockaddr`, whichever family they are of, each with its own length.
///
/// One for all shards, and not one a shard with SO_REUSEPORT: a second server on the same port is told so, connections
/// are dealt out evenly however few there are, closing loses nobody who waits in a backlog that only this listener
/// has, and Unix sockets and inherited ones work the same way.
final class Listener: Sendable {
  let descriptor: Descriptor
  let address: SocketAddress
  /// Removed when listening ends, where it is still the socket made here.
  private let unlinking: FileIdentity?

  private struct FileIdentity: Sendable {
    let path: String
    let device: dev_t
    let inode: ino_t

    init?(_ path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      self.path = path
      device = status.st_dev
      inode = status.st_ino
    }
  }

  private init(_ descriptor: consuming Descriptor, address: SocketAddress, unlinking path: String? = nil) {
    self.descriptor = descriptor
    self.address = address
    unlinking = path.flatMap(FileIdentity.init)
  }

  deinit {
    if let unlinking, let now = FileIdentity(unlinking.path), now.inode == unlinking.inode,
      now.device == unlinking.device
    {
      unlink(unlinking.path)
    }
  }

  /// Opens what `address` stands for, and gives each listener to `body`.
  static func open(
    _ address: ListenAddress, backlog: Int32, _ body: (Listener) -> Void
  ) throws(ListenError) {
    switch address {
    case .tcp(let host, let port):
      try openTCP(host, port, backlog, address, body)
    case .unix(let path):
      body(try openUnix(path, backlog, address))
    case .inherited(let number):
      body(try adopt(number, address))
    }
  }

  private static func openTCP(
    _ host: String, _ port: UInt16, _ backlog: Int32, _ asked: ListenAddress, _ body: (Listener) -> Void
  ) throws(ListenError) {
    var hints = addrinfo()
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, String(port), &hints, &found)
    guard status == 0, found != nil else {
      throw .unresolvable(host: host, reason: String(cString: gai_strerror(status)))
    }
    defer { freeaddrinfo(found) }
    // A name's further addresses share the port that the kernel chose for the first.
    var chosenPort: UInt16? = port == 0 ? nil : port
    var next = found
    while let entry = next?.pointee {
      next = entry.ai_next
      let listener = try openTCP(entry, chosenPort, backlog, asked)
      chosenPort = listener.address.port
      body(listener)
    }
  }

  private static func openTCP(
    _ entry: addrinfo, _ port: UInt16?, _ backlog: Int32, _ asked: ListenAddress
  ) throws(ListenError) -> Listener {
    do {
      return try attempt(asked) { step throws(Errno) in
        step = "socket"
        let descriptor = Descriptor(owning: try retryingInterrupts { csystem_stream_socket(entry.ai_family) })
        step = "setsockopt"
        var on: Int32 = 1
        try retryingInterrupts {
          setsockopt(descriptor.number, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        // Inherited by what is accepted.
        try retryingInterrupts { csystem_set_no_delay(descriptor.number) }
        if entry.ai_family == AF_INET6 { try retryingInterrupts { csystem_set_v6_only(descriptor.number) } }
        step = "bind"
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) {
          $0.copyMemory(from: UnsafeRawBufferPointer(start: entry.ai_addr, count: Int(entry.ai_addrlen)))
          // The port stands in the same two octets in both families.
          if let port { $0.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self) }
        }
        try bind(descriptor.number, storage, entry.ai_addrlen)
        step = "listen"
        try retryingInterrupts { listen(descriptor.number, backlog) }
        let address = try SocketAddress.bound(to: descriptor.number)
        return Listener(descriptor, address: address)
      }
    }
  }

  private static func openUnix(
    _ path: String, _ backlog: Int32, _ asked: ListenAddress
  ) throws(ListenError) -> Listener {
    var storage = sockaddr_storage()
    let pathOffset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
    let octets = Array(path.utf8)
    guard !octets.isEmpty, octets.count < MemoryLayout<sockaddr_un>.size - pathOffset else { throw .pathTooLong(path) }
    storage.ss_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &storage) { bytes in
      UnsafeMutableRawBufferPointer(rebasing: bytes[pathOffset...]).copyBytes(from: octets)
    }
    let length = socklen_t(pathOffset + octets.count + 1)
    return try attempt(asked) { step throws(Errno) in
      step = "socket"
      let descriptor = Descriptor(owning: try retryingInterrupts { csystem_stream_socket(AF_UNIX) })
      step = "bind"
      do throws(Errno) {
        try bind(descriptor.number, storage, length)
      } catch {
        // What a server that was killed left behind refuses connections; a living one accepts them.
        guard error.code == EADDRINUSE, isAbandoned(storage, length) else { throw error }
        unlink(path)
        try bind(descriptor.number, storage, length)
      }
      step = "listen"
      try retryingInterrupts { listen(descriptor.number, backlog) }
      let address = try SocketAddress.bound(to: descriptor.number)
      return Listener(descriptor, address: address, unlinking: path)
    }
  }

  private static func adopt(_ number: Int32, _ asked: ListenAddress) throws(ListenError) -> Listener {
    var isListening: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(number, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0, isListening != 0 else {
      throw .notListening(descriptor: number)
    }
    return try attempt(asked) { step throws(Errno) in
      step = "fcntl"
      let flags = try retryingInterrupts { fcntl(number, F_GETFL) }
      try retryingInterrupts { fcntl(number, F_SETFL, flags | O_NONBLOCK) }
      try retryingInterrupts { fcntl(number, F_SETFD, FD_CLOEXEC) }
      let address = try SocketAddress.bound(to: number)
      if !address.isUnix { try retryingInterrupts { csystem_set_no_delay(number) } }
      return Listener(Descriptor(owning: number), address: address)
    }
  }

  private static func isAbandoned(_ storage: sockaddr_storage, _ length: socklen_t) -> Bool {
    guard let number = try? retryingInterrupts({ csystem_stream_socket(AF_UNIX) }) else { return false }
    let probe = Descriptor(owning: number)
    do {
      try withAddress(storage) { (address) throws(Errno) in
        try retryingInterrupts { connect(probe.number, address, length) }
      }
      return false
    } catch {
      return error.code == ECONNREFUSED
    }
  }

  private static func bind(_ number: Int32, _ storage: sockaddr_storage, _ length: socklen_t) throws(Errno) {
    try withAddress(storage) { (address) throws(Errno) in
      try retryingInterrupts { Glibc.bind(number, address, length) }
    }
  }

  private static func withAddress(
    _ storage: sockaddr_storage, _ body: (UnsafePointer<sockaddr>) throws(Errno) -> Void
  ) throws(Errno) {
    var storage = storage
    try withUnsafePointer(to: &storage) { (pointer) throws(Errno) in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
    }
  }

  /// Runs the steps of opening a socket; an error becomes one that names the address and the step.
  private static func attempt(
    _ address: ListenAddress, _ steps: (inout String) throws(Errno) -> Listener
  ) throws(ListenError) -> Listener {
    var step = ""
    do {
      return try steps(&step)
    } catch {
      throw .refused(address: address, operation: step, error)
    }
  }
}

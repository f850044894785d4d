internal import Glibc

/// Where a server listens.
package enum ListenAddress: Hashable, Sendable, CustomStringConvertible {
  /// A numeric address or a name, which may stand for several addresses; port 0 lets the kernel choose.
  case tcp(host: String, port: UInt16)
  /// A path in the file system; a socket that nobody listens at any more is replaced.
  case unix(path: String)
  /// A stream socket that already listens, handed over by whoever started the process.
  case inherited(descriptor: Int32)

  package var description: String {
    switch self {
    case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    case .unix(let path): "unix:\(path)"
    case .inherited(let descriptor): "descriptor \(descriptor)"
    }
  }
}

/// One end of a connection, or a listener's own address.
///
/// Unsafe: reads the kernel's `sockaddr` as what its family says it is, within a `sockaddr_storage` that holds any.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// The address without its port: what a cap per address counts by. Connections over Unix sockets are all one host.
  package struct Host: Hashable, Sendable {
    /// The address in network order; IPv4 in the low four octets' place of a mapped address.
    fileprivate let high: UInt64
    fileprivate let low: UInt64
    fileprivate let family: Family
  }

  fileprivate enum Family: Hashable, Sendable { case v4, v6, unix }

  package let host: Host
  /// 0 on Unix sockets.
  package let port: UInt16
  /// The path of a bound Unix socket; clients have none.
  package let path: String?

  package var isUnix: Bool { host.family == .unix }

  /// `192.0.2.1:8080`, `[2001:db8::1]:8080`, `unix:/run/sluice.sock`.
  package var description: String {
    switch host.family {
    case .v4: "\(host):\(port)"
    case .v6: "[\(host)]:\(port)"
    case .unix: "unix:\(path ?? "")"
    }
  }
}

extension SocketAddress.Host: CustomStringConvertible {
  package var description: String {
    switch family {
    case .unix:
      return "unix"
    case .v4:
      return [24, 16, 8, 0].map { String(low >> $0 & 0xff) }.joined(separator: ".")
    case .v6:
      var octets = in6_addr()
      withUnsafeMutableBytes(of: &octets) { bytes in
        bytes.storeBytes(of: high.bigEndian, as: UInt64.self)
        bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
        inet_ntop(AF_INET6, &octets, text.baseAddress, socklen_t(text.count)).map { String(cString: $0) } ?? "::"
      }
    }
  }
}

extension SocketAddress {
  /// Reads what the kernel wrote: an address of another family counts as a nameless local one.
  init(_ storage: sockaddr_storage, length: socklen_t) {
    self = withUnsafeBytes(of: storage) { bytes in
      switch Int32(storage.ss_family) {
      case AF_INET:
        let address = bytes.loadUnaligned(as: sockaddr_in.self)
        return Self(v4: UInt32(bigEndian: address.sin_addr.s_addr), port: UInt16(bigEndian: address.sin_port))
      case AF_INET6:
        let address = bytes.loadUnaligned(as: sockaddr_in6.self)
        let (high, low) = withUnsafeBytes(of: address.sin6_addr) { octets in
          (
            UInt64(bigEndian: octets.loadUnaligned(as: UInt64.self)),
            UInt64(bigEndian: octets.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
          )
        }
        let host = Host(high: high, low: low, family: .v6)
        return Self(host: host, port: UInt16(bigEndian: address.sin6_port), path: nil)
      default:
        let pathOffset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let path = bytes[..<max(pathOffset, min(Int(length), bytes.count))].dropFirst(pathOffset).prefix { $0 != 0 }
        return Self(unix: path.isEmpty ? nil : String(decoding: path, as: UTF8.self))
      }
    }
  }

  private init(v4 address: UInt32, port: UInt16) {
    self.init(host: Host(high: 0, low: UInt64(address), family: .v4), port: port, path: nil)
  }

  private init(unix path: String?) {
    self.init(host: Host(high: 0, low: 0, family: .unix), port: 0, path: path)
  }

  /// The local address of a socket.
  static func bound(to descriptor: Int32) throws(Errno) -> SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    try retryingInterrupts {
      withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
      }
    }
    return SocketAddress(storage, length: length)
  }
}

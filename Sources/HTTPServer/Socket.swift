internal import CSystem
internal import Glibc

/// What became of one attempt to move bytes.
enum Transfer: Equatable {
  /// Bytes moved; 0 on receiving is the end of the peer's stream.
  case moved(Int)
  case wouldBlock
  /// The connection is of no use any more: reset, timed out, broken.
  case failed(Errno)
}

/// The calls on non-blocking stream sockets, each in one place.
///
/// Unsafe: hands the kernel the memory of spans, which bound it and outlive the call.
enum Socket {
  /// Appends what has come to `buffer`, up to `limit` and as much as it has room for.
  static func receive(_ socket: Int32, into buffer: inout OutputSpan<UInt8>, atMost limit: Int = .max) -> Transfer {
    buffer.withUnsafeMutableBufferPointer { memory, count in
      let free = min(memory.count - count, limit)
      let transfer = transfer { recv(socket, memory.baseAddress.map { $0 + count }, free, 0) }
      if case .moved(let received) = transfer { count += received }
      return transfer
    }
  }

  static func send(_ socket: Int32, _ bytes: RawSpan) -> Transfer {
    bytes.withUnsafeBytes { bytes in
      transfer { Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
    }
  }

  /// Sends one behind the other by one call.
  static func send(_ socket: Int32, _ first: RawSpan, _ second: RawSpan) -> Transfer {
    first.withUnsafeBytes { first in
      second.withUnsafeBytes { second in
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
          parts.initializeElement(at: 0, to: iovec(first))
          parts.initializeElement(at: 1, to: iovec(second))
          var message = msghdr()
          message.msg_iov = parts.baseAddress
          message.msg_iovlen = parts.count
          return transfer { sendmsg(socket, &message, Int32(MSG_NOSIGNAL)) }
        }
      }
    }
  }

  /// Ends this side's stream; the peer's may go on.
  static func endSending(_ socket: Int32) {
    _ = try? retryingInterrupts { shutdown(socket, Int32(SHUT_WR)) }
  }

  /// Takes a connection that waits at `listener`.
  static func accept(_ listener: Int32) throws(Errno) -> (Int32, SocketAddress) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let socket = try retryingInterrupts {
      withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { csystem_accept(listener, $0, &length) }
      }
    }
    return (socket, SocketAddress(storage, length: length))
  }

  private static func transfer(_ call: () -> Int) -> Transfer {
    do {
      return .moved(try retryingInterrupts(call))
    } catch {
      return error.code == EAGAIN || error.code == EWOULDBLOCK ? .wouldBlock : .failed(error)
    }
  }
}

extension [UInt8] {
  mutating func append(copying bytes: RawSpan) {
    bytes.withUnsafeBytes { append(contentsOf: $0) }
  }
}

extension iovec {
  /// The kernel only reads from it.
  fileprivate init(_ bytes: UnsafeRawBufferPointer) {
    self.init(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
  }
}

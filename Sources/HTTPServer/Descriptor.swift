internal import Glibc

/// The reason of a failed syscall.
package struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
  package let code: Int32

  package var description: String { String(cString: strerror(code)) }
}

/// Makes a syscall, and makes it again while signals interrupt it: the one place where EINTR is known.
@inline(always)
@discardableResult
func retryingInterrupts<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
  while true {
    let result = call()
    if result >= 0 { return result }
    let code = errno
    if code != EINTR { throw Errno(code: code) }
  }
}

/// Owns a file descriptor, and closes it.
struct Descriptor: ~Copyable, Sendable {
  let number: Int32

  init(owning number: Int32) { self.number = number }

  /// Gives the descriptor away unclosed.
  consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }

  // Linux frees the number even where close reports EINTR: repeating it could close somebody else's.
  deinit { close(number) }
}

/// What became of one attempt to move bytes.
enum Transfer: Equatable {
  /// Bytes moved; 0 on receiving is the end of the peer's stream.
  case moved(Int)
  case wouldBlock
  /// The connection is of no use any more: reset, timed out, broken.
  case failed(Errno)
}

/// Bytes in and out of a non-blocking stream socket.
enum Socket {
  static func receive(_ socket: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Transfer {
    transfer { recv(socket, buffer.baseAddress, buffer.count, 0) }
  }

  static func send(_ socket: Int32, _ bytes: UnsafeRawBufferPointer) -> Transfer {
    transfer { Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
  }

  static func send(_ socket: Int32, gathering parts: UnsafeMutableBufferPointer<iovec>) -> Transfer {
    var message = msghdr()
    message.msg_iov = parts.baseAddress
    message.msg_iovlen = parts.count
    return transfer { sendmsg(socket, &message, Int32(MSG_NOSIGNAL)) }
  }

  /// Ends this side's stream; the peer's may go on.
  static func endSending(_ socket: Int32) {
    _ = try? retryingInterrupts { shutdown(socket, Int32(SHUT_WR)) }
  }

  private static func transfer(_ call: () -> Int) -> Transfer {
    do {
      return .moved(try retryingInterrupts(call))
    } catch {
      return error.code == EAGAIN || error.code == EWOULDBLOCK ? .wouldBlock : .failed(error)
    }
  }
}

/// CLOCK_MONOTONIC in nanoseconds.
package func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

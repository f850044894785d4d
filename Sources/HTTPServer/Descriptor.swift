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

/// CLOCK_MONOTONIC in nanoseconds.
package func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

import Glibc

/// The variables that the process was started with.
enum ProcessEnvironment {
  static func variables() -> [String: String] {
    var variables: [String: String] = [:]
    // Unsafe: `environ` is a null-terminated array of null-terminated strings, read before anything could write to it.
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let equals = text.firstIndex(of: "=") {
        variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
      }
      next += 1
    }
    return variables
  }
}

/// The standard error stream, unbuffered.
enum StandardError {
  static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

  static func print(_ text: String) {
    print(Array(text.utf8))
  }

  /// Writes everything, or as much as there is somebody to read.
  static func print(_ bytes: [UInt8]) {
    // Unsafe: the pointer is used within the closure, for no more than the octets that are left.
    bytes.withUnsafeBytes { bytes in
      var rest = bytes[...]
      while let base = rest.baseAddressOfRest {
        let count = write(STDERR_FILENO, base, rest.count)
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          // A pipe that somebody has made non-blocking, and that is full.
          var descriptor = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
          poll(&descriptor, 1, -1)
        } else if errno != EINTR {
          return
        }
      }
    }
  }
}

extension Slice<UnsafeRawBufferPointer> {
  fileprivate var baseAddressOfRest: UnsafeRawPointer? {
    isEmpty ? nil : UnsafeRawBufferPointer(rebasing: self).baseAddress
  }
}

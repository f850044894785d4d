import Glibc

/// A regular file, open for reading.
///
/// The descriptor stays open for the object's life, so that a file which is replaced under its name is still the one
/// that was checked, and one that is cut short can be noticed.
package final class ReadOnlyFile: Sendable {
  package let path: String
  /// Bytes in the file when it was opened.
  package let size: Int
  /// When it was last written, as of then.
  let modified: timespec
  let descriptor: CInt

  /// Opens a regular file; pipes and devices are refused without waiting for them.
  package init(_ path: String) throws(CheckpointError) {
    let descriptor = Self.uninterrupted { open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard descriptor >= 0 else { throw .unreadable(path: path, reason: systemReason()) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let reason = systemReason()
      close(descriptor)
      throw .unreadable(path: path, reason: reason)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .notARegularFile(path: path)
    }
    self.path = path
    self.size = Int(status.st_size)
    self.modified = status.st_mtim
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// The whole of a small file.
  ///
  /// - Parameter limit: more bytes than this are refused unread.
  package static func contents(of path: String, limit: Int) throws(CheckpointError) -> [UInt8] {
    let file = try ReadOnlyFile(path)
    guard file.size <= limit else { throw .tooLarge(path: path, bytes: file.size, limit: limit) }
    return try file.read(first: file.size)
  }

  /// The file's first `count` bytes.
  ///
  /// Read, not mapped: whatever happens to the file meanwhile is an error and not a signal.
  package func read(first count: Int) throws(CheckpointError) -> [UInt8] {
    var failure: CheckpointError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let offset = filled
        let got = Self.uninterrupted {
          pread(descriptor, buffer.baseAddress! + offset, count - offset, off_t(offset))
        }
        if got > 0 {
          filled += got
        } else {
          failure =
            got == 0
            ? .shrunk(path: path, opened: size, found: filled) : .unreadable(path: path, reason: systemReason())
          return
        }
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Checks that the file is still as long as it was when it was opened.
  package func confirmSize() throws(CheckpointError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .unreadable(path: path, reason: systemReason()) }
    guard Int(status.st_size) >= size else {
      throw .shrunk(path: path, opened: size, found: Int(status.st_size))
    }
  }

  /// Repeats a call that a signal has interrupted.
  private static func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
      let result = call()
      if result != -1 || errno != EINTR { return result }
    }
  }
}

/// Why the system call that has just failed did so, in words.
func systemReason() -> String {
  // strerror is not thread-safe, and strerror_r has a different signature in each C library.
  switch errno {
  case ENOENT: return "no such file or directory"
  case EACCES, EPERM: return "permission denied"
  case ENOTDIR: return "a part of the path is not a directory"
  case EISDIR: return "is a directory"
  case ENOMEM: return "out of memory"
  case EMFILE, ENFILE: return "too many open files"
  case ELOOP: return "too many symbolic links"
  case ENAMETOOLONG: return "the name is too long"
  case EIO: return "input/output error"
  case ENOSPC: return "no space left on the device"
  case EROFS: return "the file system is read-only"
  case let code: return "error \(code)"
  }
}

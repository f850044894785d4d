package import FeedForward
import Glibc

extension SourceAccess {
  /// Pages of mapped files: brought in before they are read, and let go when they have been, so that a checkpoint's
  /// pages never stand beside its packed weights in memory.
  ///
  /// Bringing them in by a call also turns what would be a SIGBUS at the first touch, of a page behind the end of a
  /// file that was cut short, into an error. (What is cut off between the call and the reading, ``MappedFile`` knows.)
  package static let mappedFiles = SourceAccess(
    acquire: { bytes in
      // An old kernel does not know the advice; the pages then come in as they are touched.
      advise(bytes, MADV_POPULATE_READ) == 0 || errno != EFAULT && errno != EIO
    },
    release: { _ = advise($0, MADV_DONTNEED) })

  private static let page = UInt(sysconf(Int32(_SC_PAGESIZE)))

  // Unsafe: advice on whole pages of a mapping that only reads a file; what is dropped is fetched again when touched.
  private static func advise(_ bytes: UnsafeRawBufferPointer, _ advice: CInt) -> CInt {
    guard let base = bytes.baseAddress else { return 0 }
    let start = UInt(bitPattern: base) / page * page
    let end = (UInt(bitPattern: base) + UInt(bytes.count) + page - 1) / page * page
    return madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), advice)
  }
}

import Glibc

/// A whole file, mapped once and read in place for the object's life.
///
/// Pages are read from storage when they are first touched. A mapping shows the file as it is: if somebody cuts the
/// file short, touching a page beyond its new end raises SIGBUS, which no code here can turn into an error. The
/// window is kept small instead: headers are read and never mapped, ``confirmSize()`` refuses a file that has shrunk
/// before its pages are read, `SourceAccess.mappedFiles` brings them in by a call that fails where it has shrunk since,
/// and once the engine has packed the weights the mapping is no longer needed. A checkpoint should be replaced by
/// renaming, as package managers and hubs do, never be written in place.
package final class MappedFile: Sendable {
  private let file: ReadOnlyFile
  /// `nil` for an empty file, which cannot be mapped.
  // Unsafe: a raw pointer is not Sendable to the compiler. It is set once, before the object is shared; its pages are
  // mapped read-only, and only deinit unmaps them, when nobody holds the object any more.
  private nonisolated(unsafe) let base: UnsafeRawPointer?

  package var path: String { file.path }
  package var size: Int { file.size }
  var modified: timespec { file.modified }

  /// Maps a file that has been opened and looked at.
  package init(_ file: ReadOnlyFile) throws(CheckpointError) {
    self.file = file
    guard file.size > 0 else {
      base = nil
      return
    }
    let mapping = mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
    guard let mapping, mapping != MAP_FAILED else {
      throw .unreadable(path: file.path, reason: systemReason())
    }
    base = UnsafeRawPointer(mapping)
  }

  deinit {
    if let base { munmap(UnsafeMutableRawPointer(mutating: base), file.size) }
  }

  /// The file's bytes; valid while the object lives.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : file.size) }

  /// Checks that all of the mapping still has a file behind it.
  ///
  /// - Throws: ``CheckpointError/shrunk(path:opened:found:)``.
  package func confirmSize() throws(CheckpointError) { try file.confirmSize() }
}

internal import CMapping
import Glibc

/// A whole file, mapped once and read in place for the object's life.
///
/// Pages are read from storage when they are first touched. A mapping shows the file as it is: if somebody cuts the
/// file short, touching a page beyond its new end raises SIGBUS, and ``Loss`` says what comes of that. A file should be
/// replaced by renaming, as package managers and hubs do, never be written in place.
package final class MappedFile: Sendable {
  /// What becomes of a read where the file has no bytes any more.
  package enum Loss: Sendable {
    /// It finds zeros, and ``MappedFile/confirmWhole()`` says so afterwards: for a file that is read once.
    case readsAsZeros
    /// It ends the process by SIGBUS, behind a line on standard error that names the file: for one that is read as long
    /// as it is served, where zeros would be wrong answers.
    case endsProcess
  }

  private let file: ReadOnlyFile
  /// `nil` for an empty file, which cannot be mapped.
  // nonisolated(unsafe): set once, to pages mapped read-only, which only `deinit` unmaps.
  private nonisolated(unsafe) let base: UnsafeRawPointer?
  /// `nil` for an empty file, and where there was no memory for it: what is cut off then ends the process by a bare
  /// SIGBUS.
  // nonisolated(unsafe): set once, to memory of atomics that is never freed; given back by `deinit` alone.
  private nonisolated(unsafe) let watch: OpaquePointer?

  package var path: String { file.path }
  package var size: Int { file.size }
  var modified: timespec { file.modified }

  /// Maps a file that has been opened and looked at.
  package init(_ file: ReadOnlyFile, loss: Loss) throws(CheckpointError) {
    self.file = file
    guard file.size > 0 else {
      (base, watch) = (nil, nil)
      return
    }
    let mapping = mmap(nil, file.size, PROT_READ, MAP_PRIVATE, file.descriptor, 0)
    guard let mapping, mapping != MAP_FAILED else {
      throw .unreadable(path: file.path, reason: systemReason())
    }
    base = UnsafeRawPointer(mapping)
    watch =
      switch loss {
      case .readsAsZeros: cmapping_begin(mapping, file.size)
      case .endsProcess:
        cmapping_begin_vital(mapping, file.size, "sluice: \(file.path): cut short or unreadable while it is served\n")
      }
  }

  deinit {
    if let watch { cmapping_end(watch) }
    if let base { munmap(UnsafeMutableRawPointer(mutating: base), file.size) }
  }

  /// The file's bytes; valid while the object lives.
  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: base == nil ? 0 : file.size) }

  /// Checks that all of the mapping has a file behind it, and has had one at whatever was read.
  ///
  /// - Throws: ``CheckpointError/shrunk(path:opened:found:)``, or `.unreadable` where the file has its length again.
  package func confirmWhole() throws(CheckpointError) {
    try file.confirmSize()
    if let watch, cmapping_was_cut(watch) {
      throw .unreadable(path: path, reason: "it was cut short while it was read")
    }
  }
}

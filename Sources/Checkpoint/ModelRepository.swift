import Glibc

/// A directory whose entries are models: a sub-directory is one by its own name, `NAME.safetensors` one by `NAME`.
///
/// It is looked at whenever it is asked, so what is put there later is found. Entries whose names begin with a dot are
/// none; where a directory and a file claim one name, it is the directory's.
package struct ModelRepository: Sendable, Equatable {
  private static let suffix = ".safetensors"

  package let directory: String

  /// - Throws: ``CheckpointError/unreadable(path:reason:)`` where it is no directory that can be read.
  package init(_ directory: String) throws(CheckpointError) {
    self.directory = directory
    guard let stream = opendir(directory) else { throw .unreadable(path: directory, reason: systemReason()) }
    closedir(stream)
  }

  /// The names of its models, sorted; empty where it cannot be read any more.
  package var names: [String] {
    // Unsafe: entries are read before the next call overwrites them, on a stream of this call's own.
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: Set<String> = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
        field.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: field.pointee)) {
          String(cString: $0)
        }
      }
      if name.hasPrefix(".") { continue }
      if isDirectory(name) {
        names.insert(name)
      } else if name.hasSuffix(Self.suffix), name.count > Self.suffix.count {
        names.insert(String(name.dropLast(Self.suffix.count)))
      }
    }
    return names.sorted()
  }

  /// Where the model of that name lies; nil where there is none.
  package func path(of name: String) -> String? {
    // A request chooses the name: it may only mean an entry of the directory.
    guard ShardIndex.isPlainFileName(name), !name.hasPrefix(".") else { return nil }
    if isDirectory(name) { return WeightLocation.inside(directory, name) }
    let file = WeightLocation.inside(directory, name + Self.suffix)
    return access(file, F_OK) == 0 ? file : nil
  }

  private func isDirectory(_ name: String) -> Bool {
    var status = stat()
    return stat(WeightLocation.inside(directory, name), &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}

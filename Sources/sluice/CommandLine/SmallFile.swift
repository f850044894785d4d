import Glibc

/// Files that are read whole, also those of /proc, which have no length.
enum SmallFile {
  struct Unreadable: Error, CustomStringConvertible {
    let description: String
  }

  /// What is longer is no file of the kinds that are read here.
  private static let sizeLimit = 16 << 20

  static func read(_ path: String) throws(Unreadable) -> String {
    String(decoding: try octets(of: path), as: UTF8.self)
  }

  /// nil where it can't be read, as a file of /proc or /sys that this system lacks.
  static func text(_ path: String) -> String? { try? read(path) }

  static func octets(of path: String) throws(Unreadable) -> [UInt8] {
    guard let file = fopen(path, "r") else { throw Unreadable(description: String(cString: strerror(errno))) }
    defer { fclose(file) }
    var octets: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while octets.count <= sizeLimit {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 {
        if ferror(file) != 0 { throw Unreadable(description: "cannot be read") }
        return octets
      }
      octets += buffer[..<count]
    }
    throw Unreadable(description: "longer than \(sizeLimit >> 20) MiB")
  }
}

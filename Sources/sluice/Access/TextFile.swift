import Glibc

/// Small files, read whole, from /proc too, where files have no length.
enum TextFile {
  struct Unreadable: Error, CustomStringConvertible {
    let description: String
  }

  /// What is longer is no file of the kinds that are read here.
  private static let sizeLimit = 16 << 20

  static func read(_ path: String) throws(Unreadable) -> String {
    guard let file = fopen(path, "r") else { throw Unreadable(description: String(cString: strerror(errno))) }
    defer { fclose(file) }
    var octets: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while octets.count <= sizeLimit {
      let count = fread(&buffer, 1, buffer.count, file)
      if count == 0 {
        if ferror(file) != 0 { throw Unreadable(description: "cannot be read") }
        return String(decoding: octets, as: UTF8.self)
      }
      octets += buffer[..<count]
    }
    throw Unreadable(description: "longer than \(sizeLimit >> 20) MiB")
  }
}

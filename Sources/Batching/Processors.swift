import Glibc

/// Which processors the scheduler gives to this process.
enum Processors {
  /// Those that are online and in the process's affinity mask, which `taskset` and a container's cpuset narrow.
  ///
  /// - Parameters:
  ///   - online: what to answer where /proc and /sys don't say.
  ///   - readFile: the text of a file, nil where it can't be read.
  static func available(online: Int, readFile: (String) -> String?) -> Int {
    guard let status = readFile("/proc/self/status"),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("Cpus_allowed_list:") }),
      let allowed = ranges(line.dropFirst("Cpus_allowed_list:".count))
    else { return max(online, 1) }
    // The mask may name processors that the machine could have but has not.
    guard let text = readFile("/sys/devices/system/cpu/online"), let present = ranges(text[...]) else {
      return max(min(allowed.reduce(0) { $0 + $1.count }, online), 1)
    }
    let both = allowed.flatMap { range in present.filter(range.overlaps).map { range.clamped(to: $0) } }
    return max(both.reduce(0) { $0 + $1.count }, 1)
  }

  /// A list as the kernel prints it: `0-3,8,10-11`. nil where it is not one.
  static func ranges(_ list: Substring) -> [ClosedRange<Int>]? {
    let words = list.split { $0 == "," || $0.isWhitespace }
    let ranges = words.compactMap { word -> ClosedRange<Int>? in
      let ends = word.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], 0 <= first, first <= last else {
        return nil
      }
      return first...last
    }
    return ranges.isEmpty || ranges.count < words.count ? nil : ranges
  }

  /// Online processors as the C library counts them.
  static func online() -> Int {
    Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
  }

  /// A small file of /proc or /sys; nil where it can't be read.
  static func readFile(_ path: String) -> String? {
    // Unsafe: the path lives as long as the call.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var text: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      // Unsafe: the call writes no more than the count that it is told.
      let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return nil }
      if count == 0 { return String(decoding: text, as: UTF8.self) }
      text.append(contentsOf: chunk[..<count])
    }
  }
}

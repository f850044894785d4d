import Batching

/// The processor's caches, as the system shows them.
enum Caches {
  /// Of the largest cache that the first processor has a part in; nil where the system does not say.
  static var lastLevelBytes: Int? {
    (0..<8).compactMap { index in
      SmallFile.text("/sys/devices/system/cpu/cpu0/cache/index\(index)/size").flatMap { size in
        ByteCount(argument: size.trimmingSuffix(while: \.isWhitespace))?.bytes
      }
    }.max()
  }
}

/// What the processor calls itself.
enum Processor {
  static var name: String? {
    SmallFile.text("/proc/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("model name") }
      .flatMap { $0.split(separator: ":", maxSplits: 1).last }.map { $0.trimmingPrefix(while: \.isWhitespace) }
      .map(String.init)
  }
}

/// How much more memory this process may take.
enum AvailableMemory {
  /// What the machine has left without swapping, or the control group's limit leaves, whichever is less; nil where the
  /// system does not say.
  static func bytes() -> Int? {
    var found: [Int] = []
    if let line = SmallFile.text("/proc/meminfo")?.split(separator: "\n").first(where: {
      $0.hasPrefix("MemAvailable:")
    }),
      let kibibytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
    {
      found.append(kibibytes << 10)
    }
    if let cgroup = SmallFile.text("/proc/self/cgroup"), let mounts = SmallFile.text("/proc/self/mountinfo") {
      for hierarchy in CPUQuota.hierarchies(cgroup: cgroup, mountinfo: mounts) where hierarchy.version == .v2 {
        found += hierarchy.directories.compactMap(left(inGroup:))
      }
    }
    return found.min()
  }

  /// The limit less what is used; pages of files that nobody has touched lately can be given back, and do not count.
  private static func left(inGroup directory: String) -> Int? {
    guard let limit = number("\(directory)/memory.max"), let used = number("\(directory)/memory.current") else {
      return nil
    }
    let idle = SmallFile.text("\(directory)/memory.stat")?.split(separator: "\n")
      .first { $0.hasPrefix("inactive_file ") }.flatMap { Int($0.split(separator: " ")[1]) }
    return max(0, limit - used + (idle ?? 0))
  }

  private static func number(_ path: String) -> Int? {
    SmallFile.text(path).flatMap { Int($0.trimmingSuffix(while: \.isWhitespace)) }
  }
}

extension String {
  fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> String {
    var rest = self[...]
    while let last = rest.last, isDropped(last) { rest.removeLast() }
    return String(rest)
  }
}

/// How many threads may compute at the same time: the processors that this process may run on, or its cgroup's share
/// of them, whichever is less.
///
/// A quota is rounded down, but to no less than 1: with one thread more than the quota, the kernel stops all of them
/// for the rest of each period, and a request waits tens of milliseconds for it.
package enum CPUQuota {
  /// What the process runs under now.
  package static func threads() -> Int {
    threads(online: Processors.online(), readFile: Processors.readFile)
  }

  /// - Parameters:
  ///   - online: the processors of the machine, for where /proc and /sys don't say.
  ///   - readFile: the text of a file, nil where it can't be read.
  package static func threads(online: Int, readFile: (String) -> String?) -> Int {
    let processors = Processors.available(online: online, readFile: readFile)
    guard let cgroup = readFile("/proc/self/cgroup"), let mounts = readFile("/proc/self/mountinfo") else {
      return processors
    }
    var quota = Double(processors)
    for hierarchy in hierarchies(cgroup: cgroup, mountinfo: mounts) {
      // A group is bound by its parents' quotas too, as far up as can be seen from here.
      for directory in hierarchy.directories {
        if let found = hierarchy.quota(in: directory, readFile: readFile) { quota = min(quota, found) }
      }
    }
    return max(Int(quota), 1)
  }

  /// `cpu.max` of cgroup v2: `max 100000` or `150000 100000` (quota and period in µs).
  ///
  /// - Returns: processors; nil for no limit and for what is not such a text.
  package static func parse(cpuMax text: String) -> Double? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard let quota = words.first, quota != "max" else { return nil }
    return processors(quota: Double(quota), period: words.count > 1 ? Double(words[1]) : 100_000)
  }

  /// `cpu.cfs_quota_us` and `cpu.cfs_period_us` of cgroup v1, where −1 is no limit.
  package static func parse(quota: String, period: String) -> Double? {
    func number(_ text: String) -> Double? { text.split(whereSeparator: \.isWhitespace).first.flatMap { Double($0) } }
    return processors(quota: number(quota), period: number(period))
  }

  private static func processors(quota: Double?, period: Double?) -> Double? {
    guard let quota, let period, quota > 0, period > 0, quota.isFinite else { return nil }
    return quota / period
  }

  /// Where the process stands in one tree of control groups that can limit processors.
  package struct Hierarchy: Equatable {
    package enum Version { case v1, v2 }
    package let version: Version
    /// The process's own group first, then its parents up to the mount point.
    package let directories: [String]

    func quota(in directory: String, readFile: (String) -> String?) -> Double? {
      switch version {
      case .v2:
        return readFile("\(directory)/cpu.max").flatMap(CPUQuota.parse(cpuMax:))
      case .v1:
        guard let quota = readFile("\(directory)/cpu.cfs_quota_us"),
          let period = readFile("\(directory)/cpu.cfs_period_us")
        else { return nil }
        return CPUQuota.parse(quota: quota, period: period)
      }
    }
  }

  /// - Parameters:
  ///   - cgroup: `/proc/self/cgroup`, lines of `id:controllers:path` (cgroups(7)).
  ///   - mountinfo: `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
  package static func hierarchies(cgroup: String, mountinfo: String) -> [Hierarchy] {
    var unified: Substring?
    var cpu: Substring?
    for line in cgroup.split(whereSeparator: \.isNewline) {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      if fields[0] == "0", fields[1].isEmpty { unified = fields[2] }
      if fields[1].split(separator: ",").contains("cpu") { cpu = fields[2] }
    }
    return mountinfo.split(whereSeparator: \.isNewline).compactMap { line in
      guard let mount = CgroupMount(line) else { return nil }
      switch mount.version {
      case .v2: return unified.map { Hierarchy(version: .v2, directories: mount.directories(of: $0)) }
      case .v1: return cpu.map { Hierarchy(version: .v1, directories: mount.directories(of: $0)) }
      }
    }
  }
}

/// One line of mountinfo that mounts a tree of control groups with the cpu controller, or the unified one:
/// `id parent major:minor root point options [tags…] - type source superoptions`.
private struct CgroupMount {
  let version: CPUQuota.Hierarchy.Version
  /// Which group is seen at the mount point.
  let root: String
  let point: String

  init?(_ line: Substring) {
    let words = line.split(separator: " ")
    guard words.count > 9, let dash = words.firstIndex(of: "-"), dash + 3 < words.count else { return nil }
    switch words[dash + 1] {
    case "cgroup2": version = .v2
    case "cgroup" where words[dash + 3].split(separator: ",").contains("cpu"): version = .v1
    default: return nil
    }
    root = Self.unescape(words[3])
    point = Self.unescape(words[4])
  }

  /// The directories of the group at `path` and its parents. A group outside of what is mounted (the path of another
  /// namespace) has only the mount point itself.
  func directories(of path: Substring) -> [String] {
    var below: Substring
    if root == "/" {
      below = path
    } else if path == root || path.hasPrefix(root + "/") {
      below = path.dropFirst(root.count)
    } else {
      below = ""
    }
    if below.hasPrefix("/..") { below = "" }
    var directories: [String] = []
    while let slash = below.lastIndex(of: "/") {
      if below.index(after: slash) != below.endIndex { directories.append(point + below) }
      below = below[..<slash]
    }
    return directories + [point]
  }

  /// Space, tab, line feed and backslash stand as three octal digits.
  private static func unescape(_ word: Substring) -> String {
    guard word.contains("\\") else { return String(word) }
    var bytes: [UInt8] = []
    var rest = Substring(word).utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\"), rest.count >= 3,
        let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
      {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

import Glibc

/// What Linux says of this process, in /proc (proc(5)).
struct ProcessStatus {
  /// Time on all processors, in user mode and in the kernel.
  let cpuSeconds: Double
  /// Since the epoch.
  let startSeconds: Double
  let virtualBytes: Int
  let residentBytes: Int
  let openDescriptors: Int
  /// nil where there is no limit.
  let descriptorsLimit: Int?

  /// nil where /proc is not mounted, or is not what it is known to be.
  static func read() -> ProcessStatus? {
    guard let stat = SmallFile.text("/proc/self/stat"), let system = SmallFile.text("/proc/stat") else {
      return nil
    }
    return ProcessStatus(
      stat: stat, systemStat: system, openDescriptors: entries(of: "/proc/self/fd"), descriptorsLimit: softLimit(),
      ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))), pageBytes: Int(sysconf(Int32(_SC_PAGESIZE))))
  }

  /// - Parameters:
  ///   - stat: of /proc/self/stat. Its fields are counted behind the command's name, which stands in parentheses and
  ///     may hold anything, parentheses and blanks too.
  ///   - systemStat: of /proc/stat, whose `btime` is when the machine was started.
  init?(
    stat: String, systemStat: String, openDescriptors: Int, descriptorsLimit: Int?, ticksPerSecond: Double,
    pageBytes: Int
  ) {
    guard let close = stat.lastIndex(of: ")") else { return nil }
    // The first of these is the third of the line: the state.
    let fields = stat[stat.index(after: close)...].split { $0 == " " || $0 == "\n" }
    let boot = systemStat.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
    guard fields.count > 21, let boot, let user = Double(fields[11]), let kernel = Double(fields[12]),
      let start = Double(fields[19]), let virtual = Int(fields[20]), let pages = Int(fields[21])
    else { return nil }
    cpuSeconds = (user + kernel) / ticksPerSecond
    startSeconds = boot + start / ticksPerSecond
    virtualBytes = virtual
    residentBytes = pages * pageBytes
    self.openDescriptors = openDescriptors
    self.descriptorsLimit = descriptorsLimit
  }

  /// Entries of a folder but itself, its parent and the descriptor that reads it.
  private static func entries(of path: String) -> Int {
    guard let folder = opendir(path) else { return 0 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return max(0, count - 3)
  }

  private static func softLimit() -> Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else {
      return nil
    }
    return Int(clamping: limit.rlim_cur)
  }
}

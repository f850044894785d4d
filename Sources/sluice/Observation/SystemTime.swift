import Glibc

/// What Linux says of all processors, in /proc/stat (proc(5)).
enum SystemTime {
  /// Seconds, one processor's and another's added up, in which the hypervisor ran somebody else while this machine had
  /// something to do; nil where the kernel does not say.
  static var secondsStolen: Double? {
    guard let text = SmallFile.text("/proc/stat"), let line = text.split(separator: "\n").first else { return nil }
    // cpu user nice system idle iowait irq softirq steal …
    let fields = line.split(separator: " ")
    guard fields.count > 8, fields[0] == "cpu", let ticks = Double(fields[8]) else { return nil }
    return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }
}

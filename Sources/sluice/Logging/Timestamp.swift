import Glibc

/// A moment in UTC, to the millisecond: `2026-01-02T03:04:05.678Z` (RFC 3339).
struct Timestamp: CustomStringConvertible {
  private let seconds: time_t
  private let milliseconds: Int

  static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
  }

  var description: String {
    var seconds = seconds
    var fields = tm()
    gmtime_r(&seconds, &fields)
    func digits(_ value: Int, _ count: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
    let date =
      "\(digits(Int(fields.tm_year) + 1900, 4))-\(digits(Int(fields.tm_mon) + 1, 2))-\(digits(Int(fields.tm_mday), 2))"
    let time = "\(digits(Int(fields.tm_hour), 2)):\(digits(Int(fields.tm_min), 2)):\(digits(Int(fields.tm_sec), 2))"
    return "\(date)T\(time).\(digits(milliseconds, 3))Z"
  }
}

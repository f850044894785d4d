import Glibc

/// A moment in UTC, to the millisecond: `2026-01-02T03:04:05.678Z` (RFC 3339).
struct Timestamp {
  private let seconds: time_t
  private let milliseconds: Int

  static func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(seconds: time.tv_sec, milliseconds: time.tv_nsec / 1_000_000)
  }

  func append(to bytes: inout [UInt8]) {
    var seconds = seconds
    var fields = tm()
    gmtime_r(&seconds, &fields)
    func append(_ value: Int, digits: Int, then separator: Unicode.Scalar) {
      var divisor = digits == 4 ? 1000 : digits == 3 ? 100 : 10
      while divisor > 0 {
        bytes.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
        divisor /= 10
      }
      bytes.append(UInt8(ascii: separator))
    }
    append(Int(fields.tm_year) + 1900, digits: 4, then: "-")
    append(Int(fields.tm_mon) + 1, digits: 2, then: "-")
    append(Int(fields.tm_mday), digits: 2, then: "T")
    append(Int(fields.tm_hour), digits: 2, then: ":")
    append(Int(fields.tm_min), digits: 2, then: ":")
    append(Int(fields.tm_sec), digits: 2, then: ".")
    append(milliseconds, digits: 3, then: "Z")
  }
}

/// How often each duration occurred, to 3%, in memory that does not grow with how many there are.
///
/// Buckets are even within a power of two: 32 of them, and those below 32 ns are exact.
struct DurationCounts {
  private(set) var total: UInt64 = 0
  private(set) var longest: UInt64 = 0
  private var counts = [UInt64](repeating: 0, count: Self.index(of: .max) + 1)

  private static let stepBits = 5

  mutating func add(_ nanoseconds: UInt64) {
    counts[Self.index(of: nanoseconds)] += 1
    total += 1
    longest = max(longest, nanoseconds)
  }

  mutating func add(_ other: DurationCounts) {
    for index in counts.indices { counts[index] += other.counts[index] }
    total += other.total
    longest = max(longest, other.longest)
  }

  /// A duration that this share of all does not exceed; 0 of none.
  func percentile(_ share: Double) -> UInt64 {
    let wanted = min(UInt64(Double(total) * share), total - min(total, 1))
    var seen: UInt64 = 0
    for (index, count) in counts.enumerated() {
      seen += count
      if seen > wanted { return min(Self.last(in: index), longest) }
    }
    return longest
  }

  private static func index(of nanoseconds: UInt64) -> Int {
    let exponent = max(0, 63 - nanoseconds.leadingZeroBitCount - stepBits)
    return exponent << stepBits + Int(nanoseconds >> UInt64(exponent))
  }

  /// The longest duration of a bucket.
  private static func last(in index: Int) -> UInt64 {
    let exponent = max(0, index >> stepBits - 1)
    let step = UInt64(index - exponent << stepBits)
    return (step << UInt64(exponent)) | ((1 << UInt64(exponent)) - 1)
  }
}

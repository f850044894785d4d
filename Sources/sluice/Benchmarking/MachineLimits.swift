import Batching
import FeedForward

/// What this machine's threads do at most when they do nothing else: orientation for a table's shares, which are taken
/// against limits of their own round.
struct MachineLimits {
  /// Operations in a nanosecond, a multiply–add being two, of each arithmetic that is measured.
  let peaks: [(arithmetic: Arithmetic, gops: Quartiles)]
  /// A quarter of the last cache, read again and again; bytes in a nanosecond.
  let cacheRead: (bytes: Int, gbps: Quartiles)?
  /// Several times the last cache.
  let memoryRead: (bytes: Int, gbps: Quartiles)?

  /// - Parameters:
  ///   - seconds: how long to measure, at least; each limit is measured ``leastRounds`` times in any case.
  ///   - bytesAvailable: memory that may be taken.
  init(
    kernels: Kernels, arithmetics: [Arithmetic], team: Team, seconds: Double, bytesAvailable: Int,
    isStopped: () -> Bool
  ) {
    let cache = Caches.lastLevelBytes ?? Self.usualCacheBytes
    let memoryBytes = max(8 * cache, 128 << 20)
    let stretches = [cache / 4, memoryBytes].map { bytes in
      bytes < bytesAvailable / 2 ? MemoryStretch(bytes: bytes) : nil
    }
    let yardsticks = arithmetics.map { Yardsticks(kernels: kernels, arithmetic: $0, team: team) }
    let reader = Yardsticks(kernels: kernels, arithmetic: .f32, team: team)
    var operations = arithmetics.map { _ in [Double]() }
    var reads = stretches.map { _ in [Double]() }
    let end = MonotonicClock.now() + UInt64(seconds * 1e9)
    var rounds = 0
    while !isStopped(), rounds < Self.leastRounds || MonotonicClock.now() < end {
      for (index, yardstick) in yardsticks.enumerated() {
        _ = yardstick.multiplyAdds()  // the helpers are awake from here on, and the processor at its clock
        operations[index].append(Stopwatch.rate { 2 * Double(yardstick.multiplyAdds()) })
      }
      for (index, stretch) in stretches.enumerated() {
        guard let stretch else { continue }
        reads[index].append(Stopwatch.rate { Double(reader.read(stretch)) })
      }
      rounds += 1
    }
    peaks = zip(arithmetics, operations).compactMap { arithmetic, rates in
      Quartiles(rates).map { (arithmetic, $0) }
    }
    func figure(_ index: Int) -> (Int, Quartiles)? {
      guard let stretch = stretches[index], let rate = Quartiles(reads[index]) else { return nil }
      return (stretch.byteCount, rate)
    }
    cacheRead = figure(0)
    memoryRead = figure(1)
  }

  private static let leastRounds = 5
  private static let usualCacheBytes = 32 << 20
}

/// Times in the clock that everything else is measured in.
enum Stopwatch {
  /// Nanoseconds that `body` takes; never 0, since one divides by it.
  static func nanoseconds(_ body: () -> Void) -> Double {
    let start = MonotonicClock.now()
    body()
    return Double(max(1, MonotonicClock.now() - start))
  }

  /// What `body` returns, in a nanosecond of the time that it takes.
  static func rate(_ body: () -> Double) -> Double {
    var amount = 0.0
    let nanoseconds = nanoseconds { amount = body() }
    return amount / nanoseconds
  }
}

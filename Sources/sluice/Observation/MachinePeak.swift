import FeedForward

/// What one thread of this machine could compute at most, which the metrics compare forward passes with.
enum MachinePeak {
  /// Multiply–adds per second of independent chains of them, the best of some short runs: what disturbs a run only
  /// makes it slower. Takes about 2 ms.
  static func measured(_ kernels: Kernels, _ arithmetic: Arithmetic) -> Double {
    let yardsticks = Yardsticks(kernels: kernels, arithmetic: arithmetic, team: Team(threads: 1))
    let perNanosecond = (0..<6).map { _ in Stopwatch.rate { Double(yardsticks.multiplyAdds()) } }
    return (perNanosecond.max() ?? 0) * 1e9
  }
}

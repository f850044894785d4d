internal import FeedForward
internal import Synchronization

/// What one thread could compute at most, in multiply–adds per second of each arithmetic, once somebody has measured
/// it.
final class PeakRates: Sendable {
  private let rates = Mutex<[Arithmetic: Double]>([:])

  /// By name.
  var all: [(arithmetic: Arithmetic, multiplyAddsPerSecond: Double)] {
    rates.withLock { $0 }.map { ($0.key, $0.value) }.sorted { $0.arithmetic.rawValue < $1.arithmetic.rawValue }
  }

  subscript(arithmetic: Arithmetic) -> Double? { rates.withLock { $0[arithmetic] } }

  func set(_ arithmetic: Arithmetic, multiplyAddsPerSecond: Double) {
    rates.withLock { $0[arithmetic] = multiplyAddsPerSecond }
  }
}

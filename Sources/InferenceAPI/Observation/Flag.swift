internal import Synchronization

/// Something that happens once and is asked about from any thread.
final class Flag: Sendable {
  private let flag = Atomic<Bool>(false)

  var isSet: Bool { flag.load(ordering: .relaxed) }

  func set() { flag.store(true, ordering: .relaxed) }
}

/// What a worker could compute at most, once somebody has measured it.
final class PeakRate: Sendable {
  private let bits = Atomic<UInt64>(0)

  /// nil until it was measured.
  var multiplyAddsPerSecond: Double? {
    let rate = Double(bitPattern: bits.load(ordering: .relaxed))
    return rate > 0 ? rate : nil
  }

  func set(_ multiplyAddsPerSecond: Double) { bits.store(multiplyAddsPerSecond.bitPattern, ordering: .relaxed) }
}

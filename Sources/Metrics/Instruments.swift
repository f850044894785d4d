import Synchronization

/// Only grows. Every operation is one atomic addition.
package final class Counter: Sendable {
  private let total = Atomic<UInt64>(0)

  package init() {}

  package var value: UInt64 { total.load(ordering: .relaxed) }

  package func add(_ amount: UInt64 = 1) {
    total.wrappingAdd(amount, ordering: .relaxed)
  }
}

/// Goes up and down.
package final class Gauge: Sendable {
  private let current = Atomic<Int>(0)

  package init() {}

  package var value: Int { current.load(ordering: .relaxed) }

  package func set(_ value: Int) {
    current.store(value, ordering: .relaxed)
  }

  package func add(_ amount: Int) {
    current.wrappingAdd(amount, ordering: .relaxed)
  }
}

/// How many observations were at most so large, for each of some bounds.
///
/// An observation is two atomic additions. A reader that comes between them sees a sum without its count, never a
/// count that disagrees with the buckets: it is their sum.
package final class Histogram: Sendable {
  /// Inclusive upper bounds, ascending, in the unit in which values are recorded; one more bucket takes what is above.
  package let bounds: [UInt64]
  private let buckets: [Counter]
  private let total = Counter()

  /// - Precondition: the bounds ascend.
  package init(bounds: [UInt64]) {
    precondition(zip(bounds, bounds.dropFirst()).allSatisfy(<), "bounds ascend")
    self.bounds = bounds
    buckets = (0...bounds.count).map { _ in Counter() }
  }

  package func observe(_ value: UInt64) {
    buckets[bounds.firstIndex { value <= $0 } ?? bounds.count].add()
    total.add(value)
  }

  package var sum: UInt64 { total.value }

  /// Whether anything was observed.
  package var isUsed: Bool { buckets.contains { $0.value > 0 } }

  /// For each bound how many observations were at most that, and last how many there were.
  package var cumulativeCounts: [UInt64] {
    var count: UInt64 = 0
    return buckets.map { bucket in
      count += bucket.value
      return count
    }
  }
}

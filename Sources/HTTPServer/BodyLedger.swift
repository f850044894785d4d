internal import Synchronization

/// Counts the bytes of all bodies that are on their way: each may be as large as its handler allows, all together not.
final class BodyLedger: Sendable {
  private let limit: Int
  private let held = Atomic(0)

  init(limit: Int) { self.limit = limit }

  var hasRoom: Bool { held.load(ordering: .relaxed) < limit }

  func add(_ bytes: Int) { held.add(bytes, ordering: .relaxed) }

  func remove(_ bytes: Int) { held.subtract(bytes, ordering: .relaxed) }
}

/// Who is computed first: level 1 before all others, 5 where nothing is said.
package struct Priority: Sendable, Hashable, Comparable {
  package static let highest = Priority(unchecked: 1)
  package static let `default` = Priority(unchecked: 5)
  package static let lowest = Priority(unchecked: 9)

  /// The highest first.
  static let all = (highest.level...lowest.level).map(Priority.init(unchecked:))

  /// 1 for the highest.
  package let level: Int

  /// Nil outside of 1…9.
  package init?(level: Int) {
    guard Self.highest.level...Self.lowest.level ~= level else { return nil }
    self.level = level
  }

  private init(unchecked level: Int) {
    self.level = level
  }

  /// The place in ``all``.
  var place: Int { level - Self.highest.level }

  /// Whether `one` comes before `other`.
  package static func < (one: Priority, other: Priority) -> Bool { one.level < other.level }
}

/// Which priority gives the next batch.
///
/// The highest that has one, except that one which was passed over `patience` times in a row has a turn; of several
/// such the one that was passed over most. So each that waits has at least one turn in `patience + 9`, whatever comes
/// at the others.
struct PriorityTurns {
  /// Batches of higher priorities that a lower one lets go first.
  static let patience = 8

  /// How often each was passed over since its last turn, or since it last had nothing to give.
  private var passedOver = InlineArray<9, Int>(repeating: 0)

  /// - Parameter isWaiting: whether a priority has a batch to give.
  /// - Returns: nil where none has.
  mutating func next(_ isWaiting: (Priority) -> Bool) -> Priority? {
    var chosen: Priority?
    for priority in Priority.all {
      guard isWaiting(priority) else {
        passedOver[priority.place] = 0
        continue
      }
      guard let best = chosen else {
        chosen = priority
        continue
      }
      let count = passedOver[priority.place]
      if count >= Self.patience, count > passedOver[best.place] { chosen = priority }
    }
    guard let chosen else { return nil }
    for priority in Priority.all where priority != chosen && isWaiting(priority) { passedOver[priority.place] += 1 }
    passedOver[chosen.place] = 0
    return chosen
  }
}

/// Who is computed first: level 1 before all others, 5 where nothing is said.
package struct Priority: Sendable, Hashable, Comparable {
  package static let highest = Priority(unchecked: 1)
  package static let `default` = Priority(unchecked: 5)
  package static let lowest = Priority(unchecked: 9)

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

  /// Whether `one` comes before `other`.
  package static func < (one: Priority, other: Priority) -> Bool { one.level < other.level }
}

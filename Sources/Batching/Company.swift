/// Whether those whose requests were computed together ask again at once, as clients do that wait for each answer: then
/// the next batch of their key waits for all of them, for a part of the time that a pass takes.
///
/// Otherwise the first one back begins a pass by itself and the others wait until that ends: of eight clients one and
/// seven take turns, each time in a pass that reads all of the weights. Whether they come back in time is noted for every
/// pass, and waited for only where they did of late.
struct Company {
  /// What is sooner done is not worth a timer.
  static let shortestPass: UInt64 = 2_000_000
  /// The part of a pass's time that the next one waits at most.
  static let share: UInt64 = 4
  /// How many passes in a row have to be followed by all who are waited for.
  static let trusted = 2
  private static let mostTrust = 3

  /// When the time of those who are expected is over.
  private var until: UInt64 = 0
  private var expected = 0
  private var arrived = 0
  private var trust = 0

  /// Until when a batch waits that is not full; nil where it waits for nobody.
  func wait(at now: UInt64) -> UInt64? {
    trust >= Self.trusted && arrived < expected && now < until ? until : nil
  }

  /// So many entries have been computed, in so many nanoseconds.
  mutating func left(entries: Int, nanoseconds: UInt64, now: UInt64) {
    if arrived < expected { trust = max(0, trust - 1) }
    (expected, arrived) = (entries, 0)
    until = now.clampedAdded(nanoseconds / Self.share)
  }

  /// An entry has come; whether with it everybody has who was expected.
  mutating func came(at now: UInt64) -> Bool {
    guard now < until, arrived < expected else { return false }
    arrived += 1
    guard arrived == expected else { return false }
    trust = min(Self.mostTrust, trust + 1)
    return true
  }
}

/// The waiting line, as a value: no clock, no thread, no lock. Time is monotonic nanoseconds, passed in.
///
/// **Order.** Each key has a lane for each priority, first in, first out. Lanes of one priority that are due take
/// turns: a lane gives one batch and goes to the end of the round, so an entry at the head of its lane waits for at
/// most one batch of every other key, however much of theirs came before it. (Oldest first would make a small request
/// wait for all that a heavy client sent.) A higher priority goes first, but never for ever: see ``PriorityTurns``.
///
/// **Joining.** A batch takes entries from the head of a lane while they fit `maxBatchRows`, and stops at the first one
/// that does not. Where there is room left, it goes on with the lanes that its key has at other priorities, the highest
/// first. An entry is never split; one that is larger than the limit goes alone.
///
/// **Passing.** Between the slices of a long batch a short one of another key may go, see ``takePassing(_:rows:now:)``.
///
/// **Due.** A lane is due once its head has waited `batchDelay` or it holds a full batch, whichever comes first. While
/// `partialPasses` batches of its key are computed, it is due only when it holds a full one. Where `gathers`, it waits
/// besides for those whose answers its key has just given, if they were back soon before: see ``Company``.
///
/// **Deadlines.** An entry whose deadline has come leaves as expired before anything else leaves, and is never in a
/// batch, wherever in its lane it stands.
///
/// - Complexity: `enqueue`, `cancel` and each entry that leaves: constant, and logarithmic in the number of waiting
///   deadlines where the entry has one. A lane that is held back by `batchDelay` is put in its place in time linear in
///   the number of such lanes; what may pass is looked for among the due lanes. Nothing is linear in the number of
///   entries.
package struct BatchQueue: ~Copyable {
  package enum Next: Sendable {
    /// To be told that their time is over, earliest deadline first.
    case expired([BatchEntry])
    case batch(Batch)
    /// Nothing is due before this time.
    case wait(until: UInt64)
    /// Nothing is to be done until something comes or a batch is completed.
    case idle
  }

  private struct Waiting {
    let payload: any BatchPayload
    let rows: Int
    let enqueuedAt: UInt64
    let deadline: UInt64?
    let sequence: UInt64
    let lane: Int
    /// Its place in `deadlines`, if it has a deadline.
    var heapPlace = 0
  }

  private struct LaneName: Hashable {
    let key: BatchKey
    let priority: Priority
  }

  private enum Place {
    /// In `held`.
    case held
    /// In `due`.
    case due
    /// In no chain: enough batches of its key are computed already.
    case crowded
  }

  private struct Lane {
    let name: LaneName
    var entries = Slab<Waiting>.Chain()
    var count = 0
    var rows = 0
    var dueAt: UInt64
    var place = Place.held
  }

  package let limits: BatchLimits
  private let batchDelay: UInt64
  private var waiting = Slab<Waiting>()
  private var lanes = Slab<Lane>()
  private var laneOfName: [LaneName: Int] = [:]
  /// Lanes that may give a batch, by priority and in the order of their turns.
  private var due = InlineArray<9, Slab<Lane>.Chain>(repeating: Slab<Lane>.Chain())
  private var turns = PriorityTurns()
  /// How many lanes there are of each priority.
  private var laneCounts = InlineArray<9, Int>(repeating: 0)
  /// Lanes that wait for company, by the time at which they become due.
  private var held = Slab<Lane>.Chain()
  /// Batches of each key that have been taken and not completed; not counted where `partialPasses` has no bound.
  private var passes: [BatchKey: Int] = [:]
  /// Of the keys whose passes take long; at most ``companyLimit``.
  private var company: [BatchKey: Company] = [:]
  private static let companyLimit = 256
  private var deadlines = DeadlineHeap()
  private var nextSequence: UInt64 = 0
  private var drainRate: DrainRate

  /// Rows that wait.
  package private(set) var queuedRows = 0
  /// A lower bound of the batches that the due lanes hold, by their rows: zero only where none is due.
  package private(set) var dueBatches = 0

  /// - Parameter workers: how many compute batches at the same time; scales the measured drain rate.
  package init(limits: BatchLimits, workers: Int = 1) {
    self.limits = limits
    batchDelay = limits.batchDelayNanoseconds
    drainRate = DrainRate(workers: workers)
  }

  package var isEmpty: Bool { waiting.count == 0 }
  package var queuedEntries: Int { waiting.count }
  package var rowsPerSecond: Double? { drainRate.rowsPerSecond }

  /// Whole seconds until what waits is worked off at the measured rate, at least 1.
  package var retryAfterSeconds: Int { drainRate.retryAfterSeconds(queuedRows: queuedRows) }

  /// When the next lane becomes due or the next entry expires; nil where neither is to come.
  package var nextEvent: UInt64? {
    let dueAt = held.isEmpty ? nil : lanes[held.head].dueAt
    guard let deadline = deadlines.first?.deadline else { return dueAt }
    return min(deadline, dueAt ?? .max)
  }

  /// Throws what `enqueue` would throw for an entry of so many rows.
  package func admit(rows: Int) throws(AdmissionError) {
    if queuedRows > 0, rows > limits.maxQueueRows - queuedRows {
      throw .queueFull(retryAfterSeconds: retryAfterSeconds)
    }
  }

  /// - Parameters:
  ///   - rows: at least 1.
  ///   - deadline: from this time on the entry is not computed; one that has passed already expires at once.
  package mutating func enqueue(
    _ payload: any BatchPayload, key: BatchKey, rows: Int, priority: Priority = .default, deadline: UInt64? = nil,
    now: UInt64
  ) throws(AdmissionError) -> Ticket {
    precondition(rows > 0, "an entry has rows")
    try admit(rows: rows)
    let name = LaneName(key: key, priority: priority)
    let lane = laneOfName[name] ?? openLane(name, now: now)
    let sequence = nextSequence
    nextSequence += 1
    let slot = waiting.insert(
      Waiting(payload: payload, rows: rows, enqueuedAt: now, deadline: deadline, sequence: sequence, lane: lane))
    waiting.append(slot, to: &lanes[lane].entries)
    if let deadline {
      deadlines.insert(DeadlineHeap.Member(deadline: deadline, sequence: sequence, slot: slot)) { slot, place in
        waiting[slot].heapPlace = place
      }
    }
    count(rows: rows, entries: 1, in: lane)
    if lanes[lane].place != .due, isFull(lane) {
      unplace(lane)
      makeDue(lane)
    }
    // With everybody there who was expected, nobody is waited for.
    if company[key]?.came(at: now) == true { placeAgain(.held, of: key, now: now) }
    return Ticket(slot: slot, sequence: sequence)
  }

  /// Takes an entry out of the line.
  ///
  /// - Returns: its payload, or nil where it has left already.
  package mutating func cancel(_ ticket: Ticket) -> (any BatchPayload)? {
    guard let entry = waiting.element(at: ticket.slot), entry.sequence == ticket.sequence else { return nil }
    return remove(ticket.slot).payload
  }

  /// What is to be done now. Call it again until it answers `wait` or `idle`.
  package mutating func next(now: UInt64) -> Next {
    let expired = expire(now: now)
    if !expired.isEmpty { return .expired(expired) }
    advance(now: now)
    if let lane = nextLane() { return .batch(takeBatch(from: lane, upTo: limits.maxBatchRows, now: now)) }
    if let event = nextEvent { return .wait(until: event) }
    return .idle
  }

  /// What may be computed in the middle of a batch of `key`: the first due batch of another key, cut to `rows` rows;
  /// nil where every other lane's head has more. Its lane goes to the end of the round as after any batch; turns
  /// between the priorities are not counted, the highest goes first.
  package mutating func takePassing(_ key: BatchKey, rows: Int, now: UInt64) -> Batch? {
    advance(now: now)
    for priority in Priority.all {
      var lane = due[priority.place].head
      while lane != Slab<Lane>.none {
        if lanes[lane].name.key != key, waiting[lanes[lane].entries.head].rows <= rows {
          return takeBatch(from: lane, upTo: min(rows, limits.maxBatchRows), now: now)
        }
        lane = lanes.next(after: lane)
      }
    }
    return nil
  }

  /// Takes out what has passed its deadline, earliest first.
  package mutating func expire(now: UInt64) -> [BatchEntry] {
    var expired: [BatchEntry] = []
    while let first = deadlines.first, first.deadline <= now {
      expired.append(remove(first.slot))
    }
    return expired
  }

  /// Makes due whatever has been held back long enough.
  package mutating func advance(now: UInt64) {
    while !held.isEmpty, lanes[held.head].dueAt <= now {
      let lane = held.head
      lanes.unlink(lane, from: &held)
      makeDue(lane)
    }
  }

  /// Ends a batch of `key` that was taken: what its key has waiting meanwhile may be due.
  ///
  /// - Parameters:
  ///   - entries: of the batch.
  ///   - nanoseconds: that computing it took.
  package mutating func complete(_ key: BatchKey, entries: Int, nanoseconds: UInt64, now: UInt64) {
    if limits.gathers { noteCompany(of: key, entries: entries, nanoseconds: nanoseconds, now: now) }
    guard let count = passes[key] else { return }
    passes[key] = count > 1 ? count - 1 : nil
    placeAgain(.crowded, of: key, now: now)
  }

  private mutating func noteCompany(of key: BatchKey, entries: Int, nanoseconds: UInt64, now: UInt64) {
    guard nanoseconds >= Company.shortestPass else {
      company[key] = nil
      return
    }
    if company.count >= Self.companyLimit, company[key] == nil { company = [:] }
    company[key, default: Company()].left(entries: entries, nanoseconds: nanoseconds, now: now)
  }

  /// Puts those of the key's lanes that are in `place` where they belong by what has changed.
  private mutating func placeAgain(_ place: Place, of key: BatchKey, now: UInt64) {
    for priority in Priority.all where laneCounts[priority.place] > 0 {
      guard let lane = laneOfName[LaneName(key: key, priority: priority)], lanes[lane].place == place else { continue }
      placeAgain(lane, now: now)
    }
  }

  /// - Parameter lane: has entries.
  private mutating func placeAgain(_ lane: Int, now: UInt64) {
    unplace(lane)
    let head = waiting[lanes[lane].entries.head]
    lanes[lane].dueAt = dueTime(lanes[lane].name.key, since: head.enqueuedAt, now: now)
    place(lane, now: now)
  }

  /// When a lane that is not full is due, whose head has waited `since` then.
  private func dueTime(_ key: BatchKey, since: UInt64, now: UInt64) -> UInt64 {
    max(since.clampedAdded(batchDelay), company[key]?.wait(at: now) ?? 0)
  }

  /// Counts work that a worker has finished, for `retryAfterSeconds`.
  package mutating func observe(rows: Int, nanoseconds: UInt64) {
    drainRate.observe(rows: rows, nanoseconds: nanoseconds)
  }

  /// The due lane whose turn it is; nil where none is due.
  private mutating func nextLane() -> Int? {
    turns.next { !due[$0.place].isEmpty }.map { due[$0.place].head }
  }

  private mutating func takeBatch(from lane: Int, upTo limit: Int, now: UInt64) -> Batch {
    let name = lanes[lane].name
    if limits.partialPasses < .max { passes[name.key, default: 0] += 1 }
    var entries: [BatchEntry] = []
    entries.reserveCapacity(min(lanes[lane].count, limit))
    var rows = 0
    take(from: lane, into: &entries, rows: &rows, upTo: limit, now: now)
    for priority in Priority.all
    where rows < limit && priority != name.priority && laneCounts[priority.place] > 0 {
      guard let lane = laneOfName[LaneName(key: name.key, priority: priority)] else { continue }
      take(from: lane, into: &entries, rows: &rows, upTo: limit, now: now)
    }
    return Batch(key: name.key, entries: entries, rows: rows)
  }

  /// Takes what fits off the head of a lane, and puts what is left of it where it belongs.
  private mutating func take(
    from lane: Int, into entries: inout [BatchEntry], rows: inout Int, upTo limit: Int, now: UInt64
  ) {
    let taken = entries.count
    // The lane is closed as its last entry leaves.
    var remaining = lanes[lane].count
    while remaining > 0 {
      let head = lanes[lane].entries.head
      guard rows == 0 || waiting[head].rows <= limit - rows else { break }
      rows += waiting[head].rows
      entries.append(remove(head))
      remaining -= 1
    }
    guard entries.count > taken, remaining > 0 else { return }
    placeAgain(lane, now: now)
  }

  /// Takes an entry out of everything that knows it, and closes its lane if it was the last one there.
  private mutating func remove(_ slot: Int) -> BatchEntry {
    let lane = waiting[slot].lane
    waiting.unlink(slot, from: &lanes[lane].entries)
    if waiting[slot].deadline != nil {
      deadlines.remove(at: waiting[slot].heapPlace) { slot, place in waiting[slot].heapPlace = place }
    }
    let entry = waiting.remove(slot)
    count(rows: -entry.rows, entries: -1, in: lane)
    if lanes[lane].count == 0 { closeLane(lane) }
    return BatchEntry(
      ticket: Ticket(slot: slot, sequence: entry.sequence), payload: entry.payload, rows: entry.rows,
      enqueuedAt: entry.enqueuedAt, deadline: entry.deadline)
  }
}

extension BatchQueue {
  private mutating func openLane(_ name: LaneName, now: UInt64) -> Int {
    let lane = lanes.insert(Lane(name: name, dueAt: dueTime(name.key, since: now, now: now)))
    laneOfName[name] = lane
    laneCounts[name.priority.place] += 1
    place(lane, now: now)
    return lane
  }

  private mutating func closeLane(_ lane: Int) {
    unplace(lane)
    let name = lanes.remove(lane).name
    laneOfName[name] = nil
    laneCounts[name.priority.place] -= 1
  }

  /// Takes a lane out of the chain that it is in.
  private mutating func unplace(_ lane: Int) {
    switch lanes[lane].place {
    case .held: lanes.unlink(lane, from: &held)
    case .due: undue(lane)
    case .crowded: break
    }
  }

  /// Puts a lane that is in no chain where it belongs.
  private mutating func place(_ lane: Int, now: UInt64) {
    if lanes[lane].dueAt <= now || isFull(lane) { return makeDue(lane) }
    // Nearly always behind the last one: only what a batch has left over can be older.
    var earlier = held.tail
    while earlier != Slab<Lane>.none, lanes[earlier].dueAt > lanes[lane].dueAt {
      earlier = lanes.previous(before: earlier)
    }
    lanes[lane].place = .held
    lanes.insert(lane, behind: earlier, in: &held)
  }

  /// - Parameter lane: is in no chain.
  private mutating func makeDue(_ lane: Int) {
    if isCrowded(lane) { return lanes[lane].place = .crowded }
    lanes[lane].place = .due
    lanes.append(lane, to: &due[lanes[lane].name.priority.place])
    dueBatches += batches(of: lanes[lane].rows)
  }

  private mutating func undue(_ lane: Int) {
    lanes.unlink(lane, from: &due[lanes[lane].name.priority.place])
    dueBatches -= batches(of: lanes[lane].rows)
  }

  private mutating func count(rows: Int, entries: Int, in lane: Int) {
    let before = lanes[lane].rows
    lanes[lane].rows = before + rows
    lanes[lane].count += entries
    queuedRows += rows
    if lanes[lane].place == .due { dueBatches += batches(of: before + rows) - batches(of: before) }
  }

  private func isCrowded(_ lane: Int) -> Bool {
    limits.partialPasses < .max && !isFull(lane) && passes[lanes[lane].name.key, default: 0] >= limits.partialPasses
  }

  private func isFull(_ lane: Int) -> Bool { lanes[lane].rows >= limits.maxBatchRows }

  /// ⌈rows ÷ maxBatchRows⌉
  private func batches(of rows: Int) -> Int { (rows + limits.maxBatchRows - 1) / limits.maxBatchRows }
}

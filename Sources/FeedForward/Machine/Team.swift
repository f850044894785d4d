internal import CKernels
internal import Glibc
internal import Synchronization

/// Threads that help one forward pass at a time, where a core would be idle otherwise.
///
/// The work of a phase is cut into chunks, which the caller and the helpers claim one by one, each from a share of its
/// own at first, so that it reads on where it was, and then from the others'. Nobody waits for a helper to arrive: one
/// that comes late finds fewer chunks, one that never comes costs nothing. What is computed does not depend on who
/// computes it, so a row's bits don't either.
///
/// Every worker of the server passes the same team to its forward passes. A helper works only while fewer workers than
/// `threads` do, so when the queue fills the cores with independent batches, each batch keeps to its own core. Between
/// the phases of a pass and for some tens of microseconds after it a helper spins, since waking a thread takes as
/// long as a small layer; then it parks, and a team at rest uses no processor time. A helper that finds itself on its
/// caller's core moves to another one: there it would only take turns with the thread that it should help.
// Unsafe: `phase` is plain memory, written by the one caller that holds `isEngaged`, before the shares publish it, and
// read only by whoever has claimed one of its chunks, which keeps it valid until that chunk is done; everything else is
// atomic or constant.
package final class Team: @unchecked Sendable {
  /// What a phase does with one chunk; `scratch` belongs to the thread that runs it.
  typealias Work =
    @convention(c) (_ context: UnsafeRawPointer, _ chunk: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void

  /// Threads that compute at once at most, the caller among them.
  package let threads: Int

  private struct Phase {
    var context: UnsafeRawPointer
    var work: Work
  }

  private var phase: Phase?
  /// The chunks of the current phase, cut evenly: one share for each thread.
  private let shares: [Share]
  /// Chunks of the current phase that are done.
  private let completed = Atomic<Int>(0)
  /// Whether a forward pass has the helpers.
  private let isEngaged = Atomic<Bool>(false)
  /// The core that the caller published its phase from.
  private let callerCore = Atomic<Int32>(-1)
  /// Workers that compute at this moment, with helpers or without.
  private let activeWorkers = Atomic<Int>(0)
  private let isDismissed = Atomic<Bool>(false)
  private var helpers: [Helper] = []

  /// The helpers' nice value: that of the threads which they help, or a helper keeps its core from others' work.
  fileprivate let niceness: Int32

  /// A team of `threads`, the caller and `threads − 1` helpers; 1 is a team without helpers. As many as the processor
  /// quota allows, never more.
  package init(threads: Int, niceness: Int32 = 0) {
    precondition(threads >= 1)
    self.threads = threads
    self.niceness = niceness
    shares = (0..<threads).map { _ in Share() }
    helpers = (1..<threads).map { Helper(position: $0) }
    for helper in helpers { helper.start(in: self) }
  }

  /// Ends the helpers and waits for them; the team must not be used afterwards.
  package func dismiss() {
    isDismissed.store(true, ordering: .sequentiallyConsistent)
    for helper in helpers {
      helper.wake()
      helper.join()
    }
    helpers = []
  }

  /// Counts the calling worker in for the time of `body`, and tells it whether the helpers are its own meanwhile.
  func engaging<R>(_ wanted: Bool, _ body: (_ helped: Bool) -> R) -> R {
    activeWorkers.add(1, ordering: .relaxed)
    defer { activeWorkers.subtract(1, ordering: .relaxed) }
    let isFree = wanted && threads > 1 && activeWorkers.load(ordering: .relaxed) < threads
    guard isFree, isEngaged.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      return body(false)
    }
    defer { isEngaged.store(false, ordering: .releasing) }
    return body(true)
  }

  /// Calls `body` for every number below `count`, on whichever threads are free; returns when all are done.
  func each(_ count: Int, _ body: @Sendable (Int) -> Void) {
    engaging(count > 1) { helped in
      guard helped else {
        for number in 0..<count { body(number) }
        return
      }
      withoutActuallyEscaping(body) { body in
        // Unsafe: the closure's address and the scratch are used until `run` returns, and not after.
        withUnsafePointer(to: body) { context in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: 1) { scratch in
            run(chunks: count, context: context, scratch: scratch.baseAddress!) { context, number, _ in
              context.assumingMemoryBound(to: (@Sendable (Int) -> Void).self).pointee(number)
            }
          }
        }
      }
    }
  }

  /// Counts the calling worker in for the time of `body`, which does something else than a forward pass: helpers then
  /// leave it its core.
  package func besides<R>(_ body: () -> R) -> R { engaging(false) { _ in body() } }

  /// Runs `work` for every chunk in `0..<chunks`, and returns when all are done. Only inside ``engaging(_:_:)``.
  func run(chunks: Int, context: UnsafeRawPointer, scratch: UnsafeMutablePointer<Float>, _ work: Work) {
    phase = Phase(context: context, work: work)
    completed.store(0, ordering: .relaxed)
    callerCore.store(ffn_current_core(), ordering: .relaxed)
    for (position, share) in shares.enumerated() {
      share.publish(chunks * position / threads..<chunks * (position + 1) / threads)
    }
    for helper in helpers { helper.wake() }
    while runNextChunk(of: 0, scratch) {}
    var spins = 0
    while completed.load(ordering: .acquiring) < chunks {
      // The last chunk's helper may have lost its core: then give it this one.
      spins += 1
      if spins < Team.spinLimit { ffn_pause() } else { sched_yield() }
    }
  }

  /// Claims a chunk of the current phase for the thread at `position`, and runs it; `false` when there is none.
  fileprivate func runNextChunk(of position: Int, _ scratch: UnsafeMutablePointer<Float>) -> Bool {
    for offset in 0..<threads {
      if let chunk = shares[(position + offset) % threads].claim() {
        phase!.work(phase!.context, chunk, scratch)
        completed.add(1, ordering: .releasing)
        return true
      }
    }
    return false
  }

  /// Whether the helper at `position` has a chunk to claim and a core to run it on.
  fileprivate func hasWork(forHelperAt position: Int) -> Bool {
    activeWorkers.load(ordering: .relaxed) + position <= threads && shares.contains { !$0.isEmpty }
  }

  /// Moves the calling helper off its caller's core.
  fileprivate func leaveCallersCore() {
    let core = callerCore.load(ordering: .relaxed)
    if core == ffn_current_core() { ffn_leave_core(core) }
  }

  fileprivate var isOver: Bool { isDismissed.load(ordering: .sequentiallyConsistent) }

  /// Chunks that a phase may have at most.
  static let chunksLimit = Int(UInt16.max)

  /// Pauses of a waiting thread, 15 to 45 ns each.
  fileprivate static let spinLimit = 2000
}

/// One thread's share of a phase's chunks, from which any thread may claim the next.
///
/// The next chunk, the share's end and a count of phases stand in one word, so that a claim holds for the phase that it
/// was read from, or fails.
private final class Share: Sendable {
  private let word = Atomic<UInt64>(0)

  var isEmpty: Bool {
    let current = Content(word.load(ordering: .sequentiallyConsistent))
    return current.next == current.end
  }

  func publish(_ chunks: Range<Int>) {
    var content = Content(word.load(ordering: .relaxed))
    content.phase &+= 1
    content.next = UInt16(chunks.lowerBound)
    content.end = UInt16(chunks.upperBound)
    word.store(content.word, ordering: .sequentiallyConsistent)
  }

  func claim() -> Int? {
    var current = Content(word.load(ordering: .acquiring))
    while current.next < current.end {
      var claimed = current
      claimed.next += 1
      let (exchanged, found) = word.weakCompareExchange(
        expected: current.word, desired: claimed.word, successOrdering: .acquiring, failureOrdering: .acquiring)
      if exchanged { return Int(current.next) }
      current = Content(found)
    }
    return nil
  }

  private struct Content {
    var phase: UInt32
    var end: UInt16
    var next: UInt16

    init(_ word: UInt64) {
      phase = UInt32(word >> 32)
      end = UInt16(truncatingIfNeeded: word >> 16)
      next = UInt16(truncatingIfNeeded: word)
    }

    var word: UInt64 { UInt64(phase) << 32 | UInt64(end) << 16 | UInt64(next) }
  }
}

/// One thread of a team.
// Unsafe: `thread` is written once before anybody reads it, the semaphore behind `parking` is made for threads and lives
// as long as the object, and the scratch is the thread's own.
private final class Helper: @unchecked Sendable {
  /// 1 for the first helper: how many others must leave a core idle for this one to work.
  let position: Int
  private let scratch: AlignedFloats
  private let parking: UnsafeMutablePointer<sem_t>
  private let isParked = Atomic<Bool>(false)
  private var thread = pthread_t()

  init(position: Int) {
    self.position = position
    guard let scratch = AlignedFloats(count: Workspace.totalsCount(rows: Workspace.chunkRows)) else {
      preconditionFailure("no memory for a helper's scratch")
    }
    self.scratch = scratch
    parking = .allocate(capacity: 1)
    sem_init(parking, 0, 0)
  }

  deinit {
    sem_destroy(parking)
    parking.deallocate()
  }

  func start(in team: Team) {
    let start = Unmanaged.passRetained(Start(helper: self, team: team))
    let status = pthread_create(
      &thread, nil,
      { start in
        let start = Unmanaged<Start>.fromOpaque(start!).takeRetainedValue()
        start.helper.serve(start.team)
        return nil
      }, start.toOpaque())
    precondition(status == 0, "pthread_create: \(status)")
  }

  func join() { pthread_join(thread, nil) }

  /// Ends the parking of a parked thread; costs one load where it isn't.
  func wake() {
    if isParked.load(ordering: .sequentiallyConsistent), isParked.exchange(false, ordering: .sequentiallyConsistent) {
      sem_post(parking)
    }
  }

  private func serve(_ team: Team) {
    // On Linux 0 is the calling thread. Where it is not allowed, it helps as it is.
    if team.niceness > 0 { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, team.niceness) }
    var spins = 0
    while !team.isOver {
      if team.hasWork(forHelperAt: position) {
        team.leaveCallersCore()
        _ = team.runNextChunk(of: position, scratch.base)
        spins = 0
      } else if spins < Team.spinLimit {
        spins += 1
        ffn_pause()
      } else {
        park(team)
        spins = 0
      }
    }
  }

  private func park(_ team: Team) {
    isParked.store(true, ordering: .sequentiallyConsistent)
    // Whatever was published before the flag could be seen has to be looked for once more.
    if team.hasWork(forHelperAt: position) || team.isOver {
      if isParked.exchange(false, ordering: .sequentiallyConsistent) { return }
    }
    while sem_wait(parking) != 0 {}  // interrupted by a signal
  }

  private final class Start {
    let helper: Helper
    let team: Team
    init(helper: Helper, team: Team) { (self.helper, self.team) = (helper, team) }
  }
}

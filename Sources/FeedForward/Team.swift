internal import CKernels
internal import Glibc
internal import Synchronization

/// Threads that help one forward pass at a time, where a core would be idle otherwise.
///
/// The work of a phase is cut into chunks, which the caller and the helpers claim one by one. Nobody waits for a helper
/// to arrive: one that comes late finds fewer chunks, one that never comes costs nothing. What is computed does not
/// depend on who computes it, so a row's bits don't either.
///
/// Every worker of the server passes the same team to its forward passes. A helper works only while fewer workers than
/// `threads` do, so when the queue fills the cores with independent batches, each batch keeps to its own core. Between
/// the phases of a pass and for some tens of microseconds after it a helper spins, since waking a thread takes as
/// long as a small layer; then it parks, and a team at rest uses no processor time.
///
/// `@unchecked Sendable`: `phase` is written by the one caller that holds `isEngaged`, before `ticket` publishes it, and
/// read only by whoever has claimed one of its chunks, which keeps it valid until that chunk is done; everything else
/// is atomic or constant.
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
  /// Which chunk is next, of how many, in which phase.
  private let ticket = Atomic<UInt64>(0)
  /// Chunks of the current phase that are done.
  private let completed = Atomic<Int>(0)
  /// Whether a forward pass has the helpers.
  private let isEngaged = Atomic<Bool>(false)
  /// Workers that compute at this moment, with helpers or without.
  private let activeWorkers = Atomic<Int>(0)
  private let isDismissed = Atomic<Bool>(false)
  private var helpers: [Helper] = []

  /// A team of `threads`, the caller and `threads − 1` helpers; 1 is a team without helpers. As many as the processor
  /// quota allows, never more.
  package init(threads: Int) {
    precondition(threads >= 1)
    self.threads = threads
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

  /// Runs `work` for every chunk in `0..<chunks`, and returns when all are done. Only inside ``engaging(_:_:)``.
  func run(chunks: Int, context: UnsafeRawPointer, scratch: UnsafeMutablePointer<Float>, _ work: Work) {
    phase = Phase(context: context, work: work)
    completed.store(0, ordering: .relaxed)
    let previous = Ticket(word: ticket.load(ordering: .relaxed))
    let published = Ticket(phase: previous.phase &+ 1, chunks: UInt16(chunks), next: 0)
    ticket.store(published.word, ordering: .sequentiallyConsistent)
    for helper in helpers { helper.wake() }
    while runNextChunk(scratch) {}
    var spins = 0
    while completed.load(ordering: .acquiring) < chunks {
      // The last chunk's helper may have lost its core: then give it this one.
      spins += 1
      if spins < Team.spinLimit { ffn_pause() } else { sched_yield() }
    }
  }

  /// Claims the next chunk of the current phase and runs it; `false` when there is none.
  fileprivate func runNextChunk(_ scratch: UnsafeMutablePointer<Float>) -> Bool {
    var current = Ticket(word: ticket.load(ordering: .acquiring))
    while current.next < current.chunks {
      let (exchanged, found) = ticket.weakCompareExchange(
        expected: current.word, desired: current.afterClaim.word, successOrdering: .acquiring,
        failureOrdering: .acquiring)
      if exchanged {
        phase!.work(phase!.context, Int(current.next), scratch)
        completed.add(1, ordering: .releasing)
        return true
      }
      current = Ticket(word: found)
    }
    return false
  }

  /// Whether the helper at `position` has a chunk to claim and a core to run it on.
  fileprivate func hasWork(forHelperAt position: Int) -> Bool {
    let current = Ticket(word: ticket.load(ordering: .sequentiallyConsistent))
    return current.next < current.chunks && activeWorkers.load(ordering: .relaxed) + position <= threads
  }

  fileprivate var isOver: Bool { isDismissed.load(ordering: .sequentiallyConsistent) }

  /// Chunks that a phase may have at most.
  static let chunksLimit = Int(UInt16.max)

  /// Pauses of a waiting thread, 15 to 45 ns each.
  fileprivate static let spinLimit = 2000
}

/// The claim of a phase in one word, so that a claim is valid for the phase that it was read from or fails.
private struct Ticket {
  var phase: UInt32
  var chunks: UInt16
  var next: UInt16

  var word: UInt64 { UInt64(phase) << 32 | UInt64(chunks) << 16 | UInt64(next) }

  init(phase: UInt32, chunks: UInt16, next: UInt16) {
    (self.phase, self.chunks, self.next) = (phase, chunks, next)
  }

  init(word: UInt64) {
    self.init(
      phase: UInt32(word >> 32), chunks: UInt16(truncatingIfNeeded: word >> 16), next: UInt16(truncatingIfNeeded: word))
  }

  var afterClaim: Ticket { Ticket(phase: phase, chunks: chunks, next: next + 1) }
}

/// One thread of a team.
///
/// `@unchecked Sendable`: `thread` is written once before anybody reads it, the semaphore is made for threads, and the
/// scratch is the thread's own.
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
    var spins = 0
    while !team.isOver {
      if team.hasWork(forHelperAt: position), team.runNextChunk(scratch.base) {
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

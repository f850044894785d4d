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
/// the phases of a pass and after it a helper spins for a while (``Patience``); then it parks, and a team at rest uses
/// no processor time. A helper that finds itself on its caller's core moves to another one: there it would only take
/// turns with the thread that it should help.
// Unsafe: the seats are memory of the team's own, each on cache lines of its own, made before the helpers and freed
// after them. `published` is written by the one caller that holds `isEngaged`. `helpers` is set before they start, and
// emptied by `dismiss` when they have ended and nobody uses the team any more.
// @unchecked Sendable: what threads share is atomic; what is not has the one writer named above at any time.
package final class Team: @unchecked Sendable {
  /// What a phase does with one chunk; `scratch` belongs to the thread that runs it.
  typealias Work =
    @convention(c) (_ context: UnsafeRawPointer, _ chunk: Int, _ scratch: UnsafeMutablePointer<Float>) -> Void

  /// Threads that compute at once at most, the caller among them.
  package let threads: Int

  /// One for each thread, the caller's first.
  private let seats: Seats
  /// Chunks of all phases up to the current one.
  private var published = 0
  /// Whether a forward pass has the helpers.
  private let isEngaged = Atomic<Bool>(false)
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
    seats = Seats(count: threads)
    helpers = (1..<threads).map { Helper(position: $0) }
    for helper in helpers { helper.start(in: self) }
  }

  /// Ends the helpers and waits for them; the team must not be used afterwards.
  package func dismiss() {
    isDismissed.store(true, ordering: .sequentiallyConsistent)
    for helper in helpers {
      wake(helper.position)
      helper.join()
    }
    helpers = []
  }

  deinit { seats.deallocate() }

  /// Counts the calling worker in for the time of `body`, and tells it whether the helpers are its own meanwhile.
  func engaging<R>(_ wanted: Bool, _ body: (_ helped: Bool) -> R) -> R {
    besides { engagingCounted(wanted, body) }
  }

  private func engagingCounted<R>(_ wanted: Bool, _ body: (_ helped: Bool) -> R) -> R {
    let isFree = wanted && threads > 1 && activeWorkers.load(ordering: .relaxed) < threads
    guard isFree, isEngaged.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      return body(false)
    }
    defer { isEngaged.store(false, ordering: .releasing) }
    return body(true)
  }

  /// Calls `body` for every number below `count`, on whichever threads are free; returns when all are done.
  package func each(_ count: Int, _ body: @Sendable (Int) -> Void) {
    besides { eachBesides(count, body) }
  }

  /// The same inside of ``besides(_:)``.
  package func eachBesides(_ count: Int, _ body: @Sendable (Int) -> Void) {
    engagingCounted(count > 1) { helped in
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
  package func besides<R>(_ body: () -> R) -> R {
    activeWorkers.add(1, ordering: .relaxed)
    defer { activeWorkers.subtract(1, ordering: .relaxed) }
    return body()
  }

  /// Runs `work` for every chunk in `0..<chunks`, and returns when all are done. Only inside ``engaging(_:_:)``.
  func run(chunks: Int, context: UnsafeRawPointer, scratch: UnsafeMutablePointer<Float>, _ work: Work) {
    published += chunks
    let phase = Seat.Phase(context: context, work: work)
    let core = ffn_current_core()
    // The helpers' shares first: they take a while to be seen.
    for position in (0..<threads).reversed() {
      let share = chunks * position / threads..<chunks * (position + 1) / threads
      seats[position].pointee.publish(share, of: phase, from: core)
      if position > 0 { rouse(position, from: core) }
    }
    _ = serve(at: 0, scratch) { true }
    var spins = 0
    while seats.completed < published {
      // The last chunk's helper may have lost its core: then give it this one.
      spins += 1
      if spins < Team.spinLimit { ffn_pause() } else { sched_yield() }
    }
  }

  /// Runs chunks of the current phase for the thread at `position` as long as it may: those of its own share, and then
  /// the others'. Whether none was left in the end.
  private func serve(at position: Int, _ scratch: UnsafeMutablePointer<Float>, while mayGoOn: () -> Bool) -> Bool {
    for offset in 0..<threads {
      let owner = (position + offset) % threads
      var count = 0
      var isEmpty = false
      while !isEmpty, mayGoOn() {
        isEmpty = !seats[owner].pointee.runNext(scratch)
        if !isEmpty { count += 1 }
      }
      if count > 0 { seats[position].pointee.complete(count) }
      if !isEmpty { return false }
    }
    return true
  }

  /// Serves the current phase, for the helper at `position`, which has left none of its chunks up to phase `last`;
  /// returns the number of the phase of which that holds afterwards.
  fileprivate func help(at position: Int, after last: UInt32, _ scratch: UnsafeMutablePointer<Float>) -> UInt32 {
    let number = seats[position].pointee.phaseNumber
    let core = seats[position].pointee.callersCore
    if core == ffn_current_core() { helpers[position - 1].move(off: core) }
    noteCore(ofHelperAt: position)
    return serve(at: position, scratch) { hasCore(for: position) } ? number : last
  }

  /// Whether the helper at `position` has a phase to serve and a core to do it on.
  fileprivate func hasWork(forHelperAt position: Int, after last: UInt32) -> Bool {
    seats[position].pointee.phaseNumber != last && hasCore(for: position)
  }

  fileprivate func hasCore(for position: Int) -> Bool { activeWorkers.load(ordering: .relaxed) + position <= threads }

  /// Parks the calling helper until it is woken, unless there is something for it already.
  fileprivate func park(_ helper: Helper, after last: UInt32) {
    noteCore(ofHelperAt: helper.position)
    seats[helper.position].pointee.park()
    // Whatever was published before the flag could be seen has to be looked for once more.
    if hasWork(forHelperAt: helper.position, after: last) || isOver, seats[helper.position].pointee.unpark() { return }
    helper.sleep()
  }

  /// Sees to it that the helper at `position` runs, and not on the caller's `core`: a thread stays where it ran last,
  /// and would wait there for the caller's slice to end, up to a tick of 4 ms, though another core idles. (Linux looks
  /// for an idle one only where the machine is idle enough: `SIS_UTIL`.)
  private func rouse(_ position: Int, from core: Int32) {
    let helper = helpers[position - 1]
    let waitsHere = seats[position].pointee.ownCore == core
    if seats[position].pointee.isParked, seats[position].pointee.unpark() {
      if waitsHere { helper.wake(off: core) } else { helper.wake() }
    } else if waitsHere {
      helper.move(off: core)
    }
  }

  private func wake(_ position: Int) {
    if seats[position].pointee.unpark() { helpers[position - 1].wake() }
  }

  fileprivate func noteCore(ofHelperAt position: Int) { seats[position].pointee.note(core: ffn_current_core()) }

  fileprivate var isOver: Bool { isDismissed.load(ordering: .sequentiallyConsistent) }

  /// Chunks that a phase may have at most.
  static let chunksLimit = Int(UInt16.max)

  /// Pauses of a waiting caller, 15 to 45 ns each.
  private static let spinLimit = 2000
}

/// One thread of a team.
// @unchecked Sendable: `thread` is the team's owner's alone, `parking` a semaphore, the scratch the thread's own.
private final class Helper: @unchecked Sendable {
  /// 1 for the first helper: how many others must leave a core idle for this one to work.
  let position: Int
  private let scratch: AlignedFloats
  private let parking: UnsafeMutablePointer<sem_t>
  private var thread = pthread_t()
  /// What the system calls the thread; 0 before it runs.
  private let systemName = Atomic<Int32>(0)
  /// Whether somebody, the caller or the thread itself, moves it to another core.
  private let isMoving = Atomic<Bool>(false)

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

  /// Ends the sleep of a parked thread.
  func wake() { sem_post(parking) }

  /// The same, on another core than `core`.
  func wake(off core: Int32) { if !moved(off: core, waking: parking) { wake() } }

  /// Lets a thread that runs or waits for its turn at `core` go on at another one.
  func move(off core: Int32) { _ = moved(off: core, waking: nil) }

  /// Whether it was this call that moved it. One at a time does: another one would find the thread confined, and leave
  /// it so.
  private func moved(off core: Int32, waking: UnsafeMutablePointer<sem_t>?) -> Bool {
    guard !isMoving.exchange(true, ordering: .acquiring) else { return false }
    ffn_move_off_core(systemName.load(ordering: .relaxed), core, waking)
    isMoving.store(false, ordering: .releasing)
    return true
  }

  /// Until it is woken.
  func sleep() { while sem_wait(parking) != 0 {} }  // interrupted by a signal

  private func serve(_ team: Team) {
    // On Linux 0 is the calling thread. Where it is not allowed, it helps as it is.
    if team.niceness > 0 { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, team.niceness) }
    systemName.store(ffn_current_thread(), ordering: .relaxed)
    var patience = Patience()
    var looks = 0
    var last: UInt32 = 0
    while !team.isOver {
      if team.hasWork(forHelperAt: position, after: last) {
        patience.workCame(at: Patience.now())
        last = team.help(at: position, after: last, scratch.base)
      } else if team.hasCore(for: position), !patience.isExhausted(at: Patience.now()) {
        // Whoever waits for this core goes first.
        looks &+= 1
        if looks.isMultiple(of: 32) {
          sched_yield()
          team.noteCore(ofHelperAt: position)
        } else {
          ffn_pause()
        }
      } else {
        team.park(self, after: last)
      }
    }
  }

  private final class Start {
    let helper: Helper
    let team: Team
    init(helper: Helper, team: Team) { (self.helper, self.team) = (helper, team) }
  }
}

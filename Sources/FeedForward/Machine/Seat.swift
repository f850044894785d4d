internal import Synchronization

/// One thread's place in a team: a share of the current phase's chunks, from which any thread may claim the next, what
/// is done with a chunk, and how many this thread has done.
///
/// The next chunk, the share's end and the phase's number stand in one word, so that a claim holds for the phase that
/// it was read from, or fails.
// Unsafe: what `phase` points to is plain memory, written before the word that publishes the share and read only by
// whoever has claimed one of its chunks, which keeps the phase from ending until that chunk is done; everything else is
// atomic.
struct Seat: ~Copyable {
  struct Phase {
    let context: UnsafeRawPointer
    let work: Team.Work
  }

  private let word = Atomic<UInt64>(0)
  private let phase: UnsafeMutablePointer<Phase>
  /// Chunks done by this seat's thread in all phases.
  private let done = Atomic<Int>(0)
  /// The core that the caller published the phase from.
  private let caller = Atomic<Int32>(-1)
  private let parked = Atomic<Bool>(false)
  /// The core that this seat's thread has last found itself on.
  private let core = Atomic<Int32>(-1)

  fileprivate init(phase: UnsafeMutablePointer<Phase>) { self.phase = phase }

  /// Counts the phases; 0 before the first.
  var phaseNumber: UInt32 { Content(word.load(ordering: .sequentiallyConsistent)).phase }

  var callersCore: Int32 { caller.load(ordering: .relaxed) }

  /// For the caller alone, when all chunks of the phase before are done.
  func publish(_ chunks: Range<Int>, of phase: Phase, from core: Int32) {
    self.phase.initialize(to: phase)
    caller.store(core, ordering: .relaxed)
    var content = Content(word.load(ordering: .relaxed))
    content.phase &+= 1
    content.next = UInt16(chunks.lowerBound)
    content.end = UInt16(chunks.upperBound)
    word.store(content.word, ordering: .sequentiallyConsistent)
  }

  /// Claims the share's next chunk and runs it; `false` where there is none.
  func runNext(_ scratch: UnsafeMutablePointer<Float>) -> Bool {
    var current = Content(word.load(ordering: .acquiring))
    while current.next < current.end {
      var claimed = current
      claimed.next += 1
      let (exchanged, found) = word.weakCompareExchange(
        expected: current.word, desired: claimed.word, successOrdering: .acquiring, failureOrdering: .acquiring)
      if exchanged {
        phase.pointee.work(phase.pointee.context, Int(current.next), scratch)
        return true
      }
      current = Content(found)
    }
    return false
  }

  /// Chunks done by this seat's thread, once they are counted.
  var completed: Int { done.load(ordering: .acquiring) }

  /// Counts chunks that are done; for the seat's own thread.
  func complete(_ count: Int) { done.store(done.load(ordering: .relaxed) + count, ordering: .releasing) }

  /// Where this seat's thread runs, sleeps, or waits for its turn.
  var ownCore: Int32 { core.load(ordering: .acquiring) }

  /// For the seat's own thread. The caller reads it at each phase, so it is written only where it differs.
  func note(core now: Int32) {
    if core.load(ordering: .relaxed) != now { core.store(now, ordering: .releasing) }
  }

  /// Whether the thread waits to be woken.
  var isParked: Bool { parked.load(ordering: .sequentiallyConsistent) }

  func park() { parked.store(true, ordering: .sequentiallyConsistent) }

  /// Ends the parking; whether the seat was parked, which is true for one caller only.
  func unpark() -> Bool { parked.exchange(false, ordering: .sequentiallyConsistent) }

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

/// The seats of a team, each on a cache line that no other shares: whoever works on one does not disturb the others.
///
/// Unsafe pointers: memory of its own, which its owner frees when no thread uses it any more.
struct Seats {
  let count: Int
  private let memory: UnsafeMutableRawPointer

  /// Two lines, since processors fetch them in pairs.
  private static let stride = 128
  /// Of a seat's phase, on the same line.
  private static let phaseOffset = 48

  init(count: Int) {
    precondition(MemoryLayout<Seat>.size <= Self.phaseOffset)
    self.count = count
    memory = .allocate(byteCount: count * Self.stride, alignment: Self.stride)
    for position in 0..<count {
      let phase = memory + position * Self.stride + Self.phaseOffset
      self[position].initialize(to: Seat(phase: phase.bindMemory(to: Seat.Phase.self, capacity: 1)))
    }
  }

  func deallocate() {
    for position in 0..<count { self[position].deinitialize(count: 1) }
    memory.deallocate()
  }

  subscript(position: Int) -> UnsafeMutablePointer<Seat> {
    (memory + position * Self.stride).assumingMemoryBound(to: Seat.self)
  }

  /// Chunks done by all threads in all phases.
  var completed: Int {
    var sum = 0
    for position in 0..<count { sum += self[position].pointee.completed }
    return sum
  }
}

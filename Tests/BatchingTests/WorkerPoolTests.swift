import Batching
import Dispatch
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
  private typealias Pool = WorkerPool

  private static let limits = BatchLimits(maxBatchRows: 8, maxQueueRows: 1_000_000)

  private static func drained(_ pool: Pool) async {
    await withCheckedContinuation { continuation in pool.drain { continuation.resume() } }
  }

  /// Many threads submit, cancel and run jobs while few workers compute: each entry ends exactly once.
  @Test(arguments: [1, 2, 4]) func everyEntryEndsOnce(workers: Int) async {
    let threads = 8
    let perThread = 2_000
    let ends = (0..<threads * perThread).map { _ in Atomic<Int>.Box() }
    let jobs = Atomic<Int>.Box()
    let inside = (0..<workers).map { _ in Atomic<Int>.Box() }
    let pool = Pool(
      workers: workers, limits: Self.limits,
      execute: { batch, worker, _ in
        #expect(inside[worker].add(1) == 1, "a worker is one thread at a time")
        #expect(batch.rows <= 8)
        #expect(batch.entries.allSatisfy { $0.number % 5 == batch.key.number })
        for entry in batch.entries { ends[entry.number].add(1) }
        inside[worker].add(-1)
      },
      expire: { entry in ends[entry.number].add(1) })
    let cancelled = Atomic<Int>.Box()
    DispatchQueue.concurrentPerform(iterations: threads) { thread in
      for index in 0..<perThread {
        let payload = thread * perThread + index
        let deadline = payload % 7 == 0 ? MonotonicClock.now() : nil
        guard let ticket = try? pool.submit(payload, key: payload % 5, rows: 1 + payload % 3, deadline: deadline)
        else {
          Issue.record("refused below the bound")
          continue
        }
        if payload % 11 == 0, pool.cancel(ticket) {
          ends[payload].add(1)
          cancelled.add(1)
        }
        if payload % 13 == 0 { pool.run { jobs.add(1) } }
      }
    }
    await Self.drained(pool)
    #expect(ends.allSatisfy { $0.value == 1 })
    #expect(jobs.value == (0..<threads * perThread).count { $0 % 13 == 0 })
    let load = pool.load
    #expect(load.queuedRows == 0 && load.queuedEntries == 0 && load.queuedJobs == 0 && load.busyWorkers == 0)
  }

  /// While the only worker computes, what comes for one key gathers into one batch.
  @Test func whatWaitsIsJoined() async throws {
    let entered = DispatchSemaphore(value: 0)
    let release = DispatchSemaphore(value: 0)
    let batches = Mutex<[[Int]]>([])
    let pool = Pool(
      workers: 1, limits: Self.limits,
      execute: { batch, _, _ in
        batches.withLock { $0.append(batch.entries.map(\.number)) }
        if batch.entries[0].number == 0 {
          entered.signal()
          release.wait()
        }
      }, expire: { _ in })
    _ = try pool.submit(0, key: 1, rows: 1)
    await entered.arrival()
    for payload in 1...5 { _ = try pool.submit(payload, key: 2, rows: 1) }
    #expect(pool.load.queuedRows == 5 && pool.load.busyWorkers == 1)
    release.signal()
    await Self.drained(pool)
    #expect(batches.withLock { $0 } == [[0], [1, 2, 3, 4, 5]])
  }

  /// Two batches for two workers: each waits for the other, so it ends only if both run at once.
  @Test func everyWorkerIsUsed() async throws {
    let meeting = Meeting(of: 3)
    let seen = Mutex<Set<Int>>([])
    let pool = Pool(
      workers: 3, limits: Self.limits,
      execute: { _, worker, _ in
        seen.withLock { _ = $0.insert(worker) }
        meeting.arriveAndWait()
      }, expire: { _ in })
    for key in 0..<3 { _ = try pool.submit(key, key: key, rows: 1) }
    await Self.drained(pool)
    #expect(seen.withLock { $0 } == [0, 1, 2])
  }

  /// More rows of one key than a batch holds are work for several workers.
  @Test func aLongLaneUsesSeveralWorkers() async throws {
    let meeting = Meeting(of: 2)
    let pool = Pool(
      workers: 2, limits: Self.limits, execute: { _, _, _ in meeting.arriveAndWait() }, expire: { _ in })
    for payload in 0..<2 { _ = try pool.submit(payload, key: 0, rows: 8) }
    await Self.drained(pool)
  }

  /// In the middle of a long batch the only worker computes a short one of another key, at its second seat, and nothing
  /// in the middle of that.
  @Test func aShortBatchPassesBetweenSlices() async throws {
    let entered = DispatchSemaphore(value: 0)
    let release = DispatchSemaphore(value: 0)
    let order = Mutex<[String]>([])
    @Sendable func note(_ text: String) { order.withLock { $0.append(text) } }
    let pool = Pool(
      workers: 1, limits: Self.limits,
      execute: { batch, seat, pause in
        note("begin \(batch.key.number) at \(seat)")
        if batch.entries[0].number == 0 {
          entered.signal()
          release.wait()
        }
        for _ in 0..<3 { _ = pause() }
        note("end \(batch.key.number)")
      }, expire: { note("expired \($0.number)") })
    _ = try pool.submit(0, key: 1, rows: 8)
    await entered.arrival()
    _ = try pool.submit(1, key: 1, rows: 1)
    _ = try pool.submit(2, key: 2, rows: 1)
    _ = try pool.submit(3, key: 3, rows: 1)
    release.signal()
    await Self.drained(pool)
    #expect(
      order.withLock { $0 } == [
        "begin 1 at 0", "begin 2 at 1", "end 2", "begin 3 at 1", "end 3", "end 1", "begin 1 at 0", "end 1",
      ])
  }

  /// Who has held the worker lets the others go first, and all have their turn, each kind in its order.
  @Test(arguments: [true, false])
  func jobsAndBatchesShareAWorker(jobHolds: Bool) async throws {
    let entered = DispatchSemaphore(value: 0)
    let release = DispatchSemaphore(value: 0)
    let order = Mutex<[String]>([])
    let pool = Pool(
      workers: 1, limits: Self.limits,
      execute: { batch, _, _ in
        guard batch.key.number > 0 else { return hold() }
        order.withLock { $0.append("batch \(batch.key.number)") }
      }, expire: { _ in })
    @Sendable func hold() {
      entered.signal()
      release.wait()
    }
    if jobHolds { pool.run(hold) } else { _ = try pool.submit(0, key: 0, rows: 1) }
    await entered.arrival()
    for index in 1...3 { pool.run { order.withLock { $0.append("job \(index)") } } }
    for key in 1...2 { _ = try pool.submit(0, key: key, rows: 1) }
    release.signal()
    await Self.drained(pool)
    let all = order.withLock { $0 }
    #expect(all[0] == (jobHolds ? "batch 1" : "job 1"))
    #expect(all.filter { $0.hasPrefix("batch") } == ["batch 1", "batch 2"])
    #expect(all.filter { $0.hasPrefix("job") } == ["job 1", "job 2", "job 3"])
  }

  /// The timer tells an entry that its time is over though every worker computes.
  @Test func expiryDoesNotWaitForAWorker() async throws {
    let entered = DispatchSemaphore(value: 0)
    let release = DispatchSemaphore(value: 0)
    let expired = DispatchSemaphore(value: 0)
    let pool = Pool(
      workers: 1, limits: Self.limits,
      execute: { batch, _, _ in
        #expect(batch.entries.map(\.number) == [0])
        entered.signal()
        release.wait()
      },
      expire: { entry in
        #expect(entry.number == 1)
        expired.signal()
      })
    _ = try pool.submit(0, key: 0, rows: 1)
    await entered.arrival()
    _ = try pool.submit(1, key: 0, rows: 1, deadline: MonotonicClock.now() + 1_000_000)
    await expired.arrival()
    release.signal()
    await Self.drained(pool)
  }

  /// With a delay nobody is woken when an entry comes; the timer brings a worker.
  @Test func aDelayedBatchComes() async throws {
    let batches = Mutex<[[Int]]>([])
    let pool = Pool(
      workers: 2, limits: BatchLimits(maxBatchRows: 8, maxQueueRows: 100, batchDelay: .milliseconds(1)),
      execute: { batch, _, _ in batches.withLock { $0.append(batch.entries.map(\.number)) } }, expire: { _ in })
    for payload in 0..<3 { _ = try pool.submit(payload, key: 0, rows: 1) }
    await Self.drained(pool)
    #expect(batches.withLock { $0.flatMap { $0 } } == [0, 1, 2])
  }

  @Test func aDrainingPoolTakesNothingNew() async throws {
    let pool = Pool(workers: 2, limits: Self.limits, execute: { _, _, _ in }, expire: { _ in })
    try pool.admissible(rows: 1)
    await Self.drained(pool)
    #expect(throws: AdmissionError.draining(retryAfterSeconds: 1)) { try pool.submit(0, key: 0, rows: 1) }
    #expect(throws: AdmissionError.draining(retryAfterSeconds: 1)) { try pool.admissible(rows: 1) }
    // A second one is answered too.
    await Self.drained(pool)
  }

  @Test func aFullPoolRefusesAndRecovers() async throws {
    let entered = DispatchSemaphore(value: 0)
    let release = DispatchSemaphore(value: 0)
    let pool = Pool(
      workers: 1, limits: BatchLimits(maxBatchRows: 4, maxQueueRows: 4),
      execute: { batch, _, _ in
        guard batch.entries[0].number == 0 else { return }
        entered.signal()
        release.wait()
      }, expire: { _ in })
    _ = try pool.submit(0, key: 0, rows: 1)
    await entered.arrival()
    let ticket = try pool.submit(1, key: 0, rows: 4)
    #expect(throws: AdmissionError.queueFull(retryAfterSeconds: 1)) { try pool.submit(2, key: 0, rows: 1) }
    #expect(throws: AdmissionError.queueFull(retryAfterSeconds: 1)) { try pool.admissible(rows: 1) }
    #expect(pool.cancel(ticket))
    try pool.admissible(rows: 4)
    release.signal()
    await Self.drained(pool)
  }
}

/// Lets nobody on before all have come.
private final class Meeting: Sendable {
  private let missing: Mutex<Int>
  private let size: Int
  private let gate = DispatchSemaphore(value: 0)

  init(of size: Int) {
    self.size = size
    missing = Mutex(size)
  }

  func arriveAndWait() {
    let isLast = missing.withLock { missing in
      missing -= 1
      return missing == 0
    }
    if isLast { for _ in 0..<size { gate.signal() } }
    gate.wait()
  }
}

extension Atomic where Value == Int {
  /// A counter that closures can share.
  final class Box: Sendable {
    private let atomic = Atomic(0)

    var value: Int { atomic.load(ordering: .acquiring) }

    /// - Returns: the new value.
    @discardableResult
    func add(_ number: Int) -> Int { atomic.add(number, ordering: .acquiringAndReleasing).newValue }
  }
}

extension DispatchSemaphore {
  /// Waits on a thread of Dispatch's, so that no thread of the test's own pool is held.
  func arrival() async {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        self.wait()
        continuation.resume()
      }
    }
  }
}

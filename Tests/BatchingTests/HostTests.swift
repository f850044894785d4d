import Batching
import Dispatch
import Glibc
import Synchronization
import Testing

/// What a host brings, and who computes it.
@Suite struct HostTests {
  private typealias Pool = WorkerPool

  private static let limits = BatchLimits(maxBatchRows: 8, maxQueueRows: 1_000)

  /// Batches in the order in which they were computed, with whether the thread was the host's.
  private final class Log: Sendable {
    private let lines = Mutex<[String]>([])
    private let host = pthread_self()

    func note(_ batch: Batch) {
      let payloads = batch.entries.map { String($0.number) }.joined(separator: " ")
      let isHost = pthread_equal(host, pthread_self()) != 0
      lines.withLock { $0.append("\(batch.key.number)[\(payloads)]\(isHost ? " here" : "")") }
    }

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    var all: [String] { lines.withLock { $0 } }
  }

  private static func drain(_ pool: Pool) {
    let done = DispatchSemaphore(value: 0)
    pool.drain { done.signal() }
    done.wait()
  }

  @Test func whatIsBriefIsComputedByTheHost() throws {
    let log = Log()
    let pool = Pool(workers: 2, limits: Self.limits, execute: { batch, _, _ in log.note(batch) }, expire: { _ in })
    for payload in 0..<3 { _ = try pool.submit(payload, key: 1, rows: 1, from: .host(rows: 3)) }
    #expect(pool.load.queuedRows == 3 && pool.load.busyWorkers == 0)
    pool.settle()
    #expect(log.all == ["1[0 1 2] here"])
    #expect(pool.load.queuedRows == 0 && pool.load.busyWorkers == 0)
    // Nothing was brought since.
    pool.settle()
    #expect(log.all.count == 1)
    Self.drain(pool)
  }

  /// (what is submitted as key and rows, what the host may compute)
  @Test(
    arguments: [
      ([(1, 1), (1, 1), (1, 2)], 3),
      ([(1, 4)], 3),
      ([(1, 1)], 0),
      ([(1, 1), (2, 1)], 3),
    ] as [([(key: Int, rows: Int)], Int)])
  func moreIsForTheWorkers(entries: [(key: Int, rows: Int)], rows: Int) throws {
    let log = Log()
    let pool = Pool(workers: 1, limits: Self.limits, execute: { batch, _, _ in log.note(batch) }, expire: { _ in })
    for (payload, entry) in entries.enumerated() {
      _ = try pool.submit(payload, key: entry.key, rows: entry.rows, from: .host(rows: rows))
    }
    // The worker that was woken is on its way or done; the host leaves it what is left.
    Self.drain(pool)
    pool.settle()
    #expect(!log.all.isEmpty && log.all.allSatisfy { !$0.hasSuffix("here") })
  }

  /// Where a worker computes, what comes is joined for it and not taken past it.
  @Test func aBusyWorkerKeepsTheLine() throws {
    let log = Log()
    let (entered, release) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let pool = Pool(
      workers: 1, limits: Self.limits,
      execute: { batch, _, _ in
        log.note(batch)
        guard batch.entries[0].number == 0 else { return }
        entered.signal()
        release.wait()
      }, expire: { _ in })
    _ = try pool.submit(0, key: 1, rows: 1)
    entered.wait()
    _ = try pool.submit(1, key: 1, rows: 1, from: .host(rows: 8))
    pool.settle()
    #expect(log.all == ["1[0]"])
    release.signal()
    Self.drain(pool)
    #expect(log.all == ["1[0]", "1[1]"])
  }

  @Test func whatWasCancelledOrExpiredIsNotComputed() throws {
    let log = Log()
    let pool = Pool(
      workers: 1, limits: Self.limits, execute: { batch, _, _ in log.note(batch) },
      expire: { log.note("expired \($0.number)") })
    let ticket = try pool.submit(0, key: 1, rows: 1, from: .host(rows: 8))
    #expect(pool.cancel(ticket))
    pool.settle()
    _ = try pool.submit(1, key: 1, rows: 1, deadline: MonotonicClock.now(), from: .host(rows: 8))
    _ = try pool.submit(2, key: 1, rows: 1, from: .host(rows: 8))
    pool.settle()
    #expect(log.all == ["expired 1", "1[2] here"])
    Self.drain(pool)
  }

  /// A pool that drains waits for what a host has brought, and for what it computes.
  @Test func drainingWaitsForTheHost() throws {
    let log = Log()
    let drained = DispatchSemaphore(value: 0)
    let pool = Pool(workers: 1, limits: Self.limits, execute: { batch, _, _ in log.note(batch) }, expire: { _ in })
    _ = try pool.submit(0, key: 1, rows: 1, from: .host(rows: 8))
    pool.drain {
      log.note("drained")
      drained.signal()
    }
    pool.settle()
    drained.wait()
    #expect(log.all == ["1[0] here", "drained"])
  }

  /// A host to whom entries come one at a time computes longer ones, until two are there together.
  @Test func whoeverIsAloneMayTakeLonger() throws {
    let log = Log()
    let limits = BatchLimits(maxBatchRows: 64, maxQueueRows: 1_000)
    let pool = Pool(workers: 2, limits: limits, execute: { batch, _, _ in log.note(batch) }, expire: { _ in })
    /// Whether the host has computed all entries of one turn: a turn that it leaves to a worker ends when that one
    /// rests.
    func isComputedHere(_ rows: [Int]) throws -> Bool {
      let before = log.all.count
      for count in rows { _ = try pool.submit(0, key: 1, rows: count, from: .host(rows: 8, alone: 12)) }
      pool.settle()
      while pool.load.busyWorkers > 0 || pool.load.queuedRows > 0 { sched_yield() }
      return log.all[before...].allSatisfy { $0.hasSuffix("here") }
    }
    for turn in 1...15 { #expect(try isComputedHere([turn % 8 + 1])) }
    #expect(try isComputedHere([12]), "the sixteenth in a row")
    #expect(try !isComputedHere([13]), "longer than anybody may")
    #expect(try isComputedHere([12]), "which came alone too")
    #expect(try !isComputedHere([6, 6]))
    for _ in 1...15 { #expect(try !isComputedHere([12])) }
    #expect(try isComputedHere([12]))
    // A job that came alone is one more of them, with what it brings.
    let done = DispatchSemaphore(value: 0)
    func run(jobs: Int) {
      for _ in 0..<jobs {
        pool.run {
          _ = try? pool.submit(0, key: 1, rows: 1, from: .worker)
          done.signal()
        }
      }
      for _ in 0..<jobs { done.wait() }
      while pool.load.busyWorkers > 0 || pool.load.queuedRows > 0 { sched_yield() }
    }
    #expect(pool.isAlone && pool.isAtRest)
    run(jobs: 1)
    #expect(pool.isAlone)
    #expect(try isComputedHere([12]))
    // Of two the second does not.
    let isHeld = DispatchSemaphore(value: 0)
    pool.run { isHeld.wait() }
    pool.run { isHeld.signal() }
    isHeld.signal()
    while pool.load.busyWorkers > 0 || pool.load.queuedJobs > 0 { sched_yield() }
    #expect(!pool.isAlone && pool.isAtRest)
    #expect(try !isComputedHere([12]))
    Self.drain(pool)
  }

  /// What comes while the host computes is for the workers.
  @Test func othersGoOnMeanwhile() throws {
    let log = Log()
    let second = DispatchSemaphore(value: 0)
    let pools = Mutex<Pool?>(nil)
    let pool = Pool(
      workers: 1, limits: Self.limits,
      execute: { batch, _, _ in
        log.note(batch)
        guard batch.entries[0].number == 0 else {
          second.signal()
          return
        }
        // As another I/O queue would.
        _ = try? pools.withLock { $0 }?.submit(1, key: 1, rows: 1, from: .host(rows: 8))
        second.wait()
      }, expire: { _ in })
    pools.withLock { $0 = pool }
    _ = try pool.submit(0, key: 1, rows: 1, from: .host(rows: 8))
    pool.settle()
    Self.drain(pool)
    pools.withLock { $0 = nil }
    #expect(log.all == ["1[0] here", "1[1]"])
  }

  /// What a job submits is computed by its own worker: nobody else is woken for it.
  @Test func aWorkerComputesWhatItsJobBrought() throws {
    let log = Log()
    let workers = Mutex<[pthread_t]>([])
    let done = DispatchSemaphore(value: 0)
    let pool = Pool(
      workers: 2, limits: Self.limits,
      execute: { batch, _, _ in
        log.note(batch)
        workers.withLock { $0.append(pthread_self()) }
        done.signal()
      }, expire: { _ in })
    pool.run {
      workers.withLock { $0.append(pthread_self()) }
      _ = try? pool.submit(0, key: 1, rows: 1, from: .worker)
    }
    done.wait()
    #expect(workers.withLock { pthread_equal($0[0], $0[1]) } != 0)
    Self.drain(pool)
    #expect(log.all == ["1[0]"])
  }

  /// Hosts, jobs and strangers at once: each entry ends exactly once.
  @Test func everyEntryEndsOnce() throws {
    let (threads, perThread) = (4, 3_000)
    let ends = (0..<threads * perThread).map { _ in Atomic<Int>.Box() }
    var limits = BatchLimits(maxBatchRows: 8, maxQueueRows: 1_000_000)
    limits.partialPasses = 1
    let atHost = Atomic<Int>.Box()
    let pool = Pool(
      workers: 3, limits: limits,
      execute: { batch, seat, _ in
        if seat == Pool.seats(workers: 3) - 1 { #expect(atHost.add(1) == 1, "one host at a time") }
        for entry in batch.entries { ends[entry.number].add(1) }
        if seat == Pool.seats(workers: 3) - 1 { atHost.add(-1) }
      }, expire: { entry in ends[entry.number].add(1) })
    DispatchQueue.concurrentPerform(iterations: threads) { thread in
      for index in 0..<perThread {
        let payload = thread * perThread + index
        let deadline = payload % 17 == 0 ? MonotonicClock.now() : nil
        if payload % 5 == 0 {
          pool.run { _ = try? pool.submit(payload, key: payload % 3, rows: 1, from: .worker) }
        } else if thread < 2 {
          _ = try? pool.submit(payload, key: payload % 3, rows: 1, deadline: deadline, from: .host(rows: 4))
          if payload % 2 == 0 || index == perThread - 1 { pool.settle() }
        } else {
          _ = try? pool.submit(payload, key: payload % 3, rows: 1, deadline: deadline)
        }
      }
      pool.settle()
    }
    // Jobs submit as they run; what a draining pool refused would be missing below.
    while pool.load.queuedJobs > 0 || pool.load.busyWorkers > 0 { sched_yield() }
    Self.drain(pool)
    #expect(ends.allSatisfy { $0.value == 1 })
  }
}

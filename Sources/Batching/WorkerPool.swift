import Dispatch
import Synchronization

/// What a pool holds at a moment, for metrics.
package struct PoolLoad: Sendable, Equatable {
  package var queuedRows: Int
  package var queuedEntries: Int
  package var queuedJobs: Int
  package var busyWorkers: Int
  /// Rows per second while there is work; nil until something was measured.
  package var rowsPerSecond: Double?
}

/// Who gives a pool something to do, and so who looks at its line next.
package enum Caller: Sendable {
  /// Any thread: a worker is woken where one is wanted.
  case anybody
  /// A job or an execution of this pool's: when it returns, its worker looks at the line.
  case worker
  /// A thread that calls ``WorkerPool/settle()`` before it waits for anything. Where all that waits is one batch of up
  /// to so many rows and every worker rests, the thread computes it itself then, which spares two hand-overs. Of an
  /// entry that came alone, as those before it did, it may have `alone` rows.
  case host(rows: Int, alone: Int = 0)
}

/// How workers stand beside other threads of the process: who reads requests and writes answers goes before who
/// computes, else a busy pool keeps the next batch's requests in their sockets.
package enum WorkerPriority {
  /// On Linux a quality of service is a nice value and nothing else: this one is ``niceness``.
  static let qualityOfService = DispatchQoS.background
  /// Of a worker's thread, for those who help it.
  package static let niceness: Int32 = 10
}

/// A fixed number of worker queues that work off one `BatchQueue` and a line of plain jobs.
///
/// Each worker is a serial dispatch queue: whatever belongs to its index is used by one thread at a time. A worker
/// that has been woken goes on until nothing is due, then rests; a resting pool uses no processor time. An entry that
/// comes wakes one worker if there is more to do than workers on their way to it, and none otherwise: what joins a
/// batch that already has its worker costs a lock and nothing else. A worker that finds more than it takes wakes the
/// next one.
///
/// One lock guards a value of pure state; neither `execute` nor a job nor `expire` runs under it.
///
/// **Turns.** Where both wait, batches and jobs have the same share of the workers' time, so that neither holds up the
/// other (``TimeShares``).
///
/// **Passing.** A batch that takes long is executed in slices, and between two of them a short batch of another key may
/// pass, so that a small request waits for a slice of a large one and not for all of it. What passes is executed where
/// the worker stands, at a second seat; nothing passes it in turn.
///
/// **Hosts.** What a ``Caller/host(rows:)`` has brought stays with it until the end of its turn, unless more comes than
/// it may compute: then a worker is woken at once. One host computes at a time, at a seat of its own. It may compute
/// more where each of the last ``PoolState/solitude`` entries has found an empty line and everybody at rest: then
/// nobody is there who would wait for it.
///
/// **Expiry.** Entries past their deadline are given to `expire` at once, by a timer if all workers compute.
package final class WorkerPool: Sendable {
  package typealias Job = @Sendable () -> Void

  /// Computes a batch.
  ///
  /// - Parameters:
  ///   - seat: 0 ..< ``seats(workers:)``; whatever belongs to it is used by one batch at a time.
  ///   - pause: to be called between the slices of a long batch: computes what may pass, and returns the nanoseconds
  ///     that it took.
  package typealias Execution =
    @Sendable (
      _ batch: Batch, _ seat: Int, _ pause: () -> UInt64
    ) -> Void

  /// One for each worker, one for what passes there, and one for the host that computes.
  package static func seats(workers: Int) -> Int { 2 * workers + 1 }

  private let queues: [DispatchQueue]
  /// Where the timer and the completions of `drain` run: never behind a computation.
  private let alarmQueue: DispatchQueue
  private let limits: BatchLimits
  private let occupancy = Occupancy()
  private let state: Mutex<PoolState>
  private let execute: Execution
  private let expire: @Sendable (BatchEntry) -> Void

  /// - Parameters:
  ///   - workers: at least 1.
  ///   - expire: tells one entry that its time is over. Must not block.
  package init(
    workers: Int, limits: BatchLimits,
    execute: @escaping Execution,
    expire: @escaping @Sendable (BatchEntry) -> Void
  ) {
    precondition(workers > 0, "a pool has workers")
    queues = (0..<workers).map { DispatchQueue(label: "sluice.worker.\($0)", qos: WorkerPriority.qualityOfService) }
    alarmQueue = DispatchQueue(label: "sluice.alarm")
    self.limits = limits
    self.execute = execute
    self.expire = expire
    let alarm = DispatchSource.makeTimerSource(queue: alarmQueue)
    state = Mutex(PoolState(workers: workers, limits: limits, occupancy: occupancy, alarm: alarm))
    state.withLock { state in
      state.alarm.setEventHandler { [weak self] in self?.alarmRang() }
      state.alarm.activate()
    }
  }

  deinit {
    state.withLock { $0.alarm.cancel() }
  }

  package var workers: Int { queues.count }

  /// Puts an entry in the line.
  ///
  /// - Parameters:
  ///   - rows: at least 1.
  ///   - deadline: of `MonotonicClock`.
  package func submit(
    _ payload: any BatchPayload, key: BatchKey, rows: Int, priority: Priority = .default, deadline: UInt64? = nil,
    from caller: Caller = .anybody
  ) throws(AdmissionError) -> Ticket {
    let now = MonotonicClock.now()
    let (ticket, woken) = try state.withLock { state throws(AdmissionError) in
      try state.admit(rows: nil)
      let ticket = try state.queue.enqueue(
        payload, key: key, rows: rows, priority: priority, deadline: deadline, now: now)
      state.noteArrival(from: caller)
      return (ticket, state.claimWorker(for: caller))
    }
    if let woken { wake(woken) }
    return ticket
  }

  /// Takes an entry out of the line.
  ///
  /// - Returns: whether it still waited; it is then neither executed nor expired.
  @discardableResult
  package func cancel(_ ticket: Ticket) -> Bool {
    let (payload, done) = state.withLock { ($0.queue.cancel(ticket), $0.drained()) }
    report(done)
    return payload != nil
  }

  /// Runs a job that is not a batch on some worker, in its turn. Jobs start in the order in which they came.
  ///
  /// They are not bounded here and are taken while draining: a job is part of a request that was admitted before.
  package func run(from caller: Caller = .anybody, _ job: @escaping Job) {
    let woken = state.withLock { state in
      state.jobs.append(job)
      state.noteArrival(from: caller)
      return state.claimWorker(for: caller)
    }
    if let woken { wake(woken) }
  }

  /// Ends a host's turn: computes here what stayed with it.
  package func settle() {
    let started = MonotonicClock.now()
    let turn = state.withLock { $0.takeKept(now: started) }
    if let woken = turn.woken { wake(woken) }
    turn.expired.forEach(expire)
    report(turn.done)
    guard let batch = turn.batch else { return }
    execute(batch, Self.seats(workers: workers) - 1) { 0 }
    let now = MonotonicClock.now()
    let finished = FinishedWork(
      key: batch.key, rows: batch.rows, entries: batch.entries.count, nanoseconds: now - started)
    let (woken, done) = state.withLock { $0.hostFinished(finished, now: now) }
    if let woken { wake(woken) }
    report(done)
  }

  /// Throws what `submit` would throw now for an entry of so many rows. Nothing is reserved; where there is room, no
  /// lock is taken either.
  package func admissible(rows: Int) throws(AdmissionError) {
    guard occupancy.refuses(rows: rows, limits: limits) else { return }
    try state.withLock { state throws(AdmissionError) in try state.admit(rows: rows) }
  }

  /// Whether nothing waits, and no worker works but the one that asks.
  package var isQuiet: Bool { state.withLock { $0.isQuiet } }

  /// Whether nothing waits and nobody works: for a thread that is no worker.
  package var isAtRest: Bool { state.withLock { $0.isAtRest } }

  /// Whether nothing waits, and nothing waited or was worked at when each of the last ``PoolState/solitude`` entries
  /// and jobs came: one client is there, which waits for each answer before it asks again.
  package var isAlone: Bool { state.withLock { $0.isAlone } }

  package var load: PoolLoad {
    state.withLock { $0.load }
  }

  /// Takes no entry any more and calls `completion`, on a queue of the pool's own, when all that was taken is done.
  ///
  /// Whoever has requests under way that will still submit waits for those first, or they are refused.
  package func drain(_ completion: @escaping @Sendable () -> Void) {
    let done = state.withLock { state in
      state.drainers.append(completion)
      state.isDraining = true
      return state.drained()
    }
    report(done)
  }

  private func wake(_ worker: Int) {
    queues[worker].async { self.work(worker) }
  }

  /// A worker from being woken to having nothing to do.
  private func work(_ worker: Int) {
    var now = MonotonicClock.now()
    var finished: FinishedWork?
    var arrives = true
    while true {
      let (turn, woken) = state.withLock {
        $0.turn(of: worker, arrives: arrives, finished: finished, now: now)
      }
      arrives = false
      finished = nil
      if let woken { wake(woken) }
      let started = now
      switch turn {
      case .batch(let batch):
        var rows = batch.rows
        execute(batch, worker) { letPass(batch.key, worker, &rows) }
        now = MonotonicClock.now()
        finished = FinishedWork(
          key: batch.key, rows: rows, entries: batch.entries.count, nanoseconds: now - started)
      case .job(let job):
        job()
        now = MonotonicClock.now()
        finished = FinishedWork(key: nil, rows: 0, entries: 0, nanoseconds: now - started)
      case .expired(let entries):
        entries.forEach(expire)
        now = MonotonicClock.now()
      case .rest(let done):
        report(done)
        return
      }
    }
  }

  /// Executes what may go before the rest of a batch of `key`.
  ///
  /// - Parameter rows: grows by what was executed.
  /// - Returns: nanoseconds that it took.
  private func letPass(_ key: BatchKey, _ worker: Int, _ rows: inout Int) -> UInt64 {
    guard occupancy.isAnythingQueued else { return 0 }
    let started = MonotonicClock.now()
    let (expired, batch) = state.withLock { $0.passing(key, now: started) }
    expired.forEach(expire)
    if let batch {
      execute(batch, workers + worker) { 0 }
      rows += batch.rows
      let now = MonotonicClock.now()
      if let woken = state.withLock({ $0.passed(batch, nanoseconds: now - started, now: now) }) { wake(woken) }
    }
    return MonotonicClock.now() - started
  }

  private func alarmRang() {
    let now = MonotonicClock.now()
    let (expired, woken, done) = state.withLock { $0.alarmRang(now: now) }
    if let woken { wake(woken) }
    expired.forEach(expire)
    report(done)
  }

  private func report(_ completions: [@Sendable () -> Void]) {
    for completion in completions { alarmQueue.async(execute: completion) }
  }
}

import Dispatch
import Synchronization

/// What has just been done, for the drain rate and for what waits behind it.
struct FinishedWork {
  /// The batch's; nil of a job.
  var key: BatchKey?
  var rows: Int
  /// Of the batch.
  var entries: Int
  var nanoseconds: UInt64
}

/// What stands under a pool's lock. Its methods decide; the pool acts on what they return, outside of the lock.
struct PoolState: ~Copyable {
  enum Turn {
    case expired([BatchEntry])
    case batch(Batch)
    case job(WorkerPool.Job)
    /// Nothing is due; with what is to be called if that was the last thing a draining pool had to do.
    case rest([@Sendable () -> Void])
  }

  /// What a host does at the end of its turn.
  struct KeptTurn {
    var expired: [BatchEntry] = []
    var batch: Batch?
    var woken: Int?
    var done: [@Sendable () -> Void] = []
  }

  let workers: Int
  var queue: BatchQueue
  var jobs = JobLine()
  /// Rings at the queue's next event; only ever touched under the lock, so that times are set in the order of
  /// decisions.
  let alarm: any DispatchSourceTimer
  /// What everybody may read without the lock.
  private let occupancy: Occupancy
  var isDraining = false
  var drainers: [@Sendable () -> Void] = []
  /// Workers that were woken and have not looked at the queue yet: each will take one batch or job.
  private var arrivals = 0
  /// Resting workers. The one that rested last is woken first: its caches are the warmest.
  private var idle: [Int]
  /// Rows up to which a host computes what it has brought at the end of its turn; 0 where it has brought nothing.
  private var keptRows = 0
  private var isHostComputing = false
  /// Entries in a row that found an empty line and everybody at rest, counted up to ``solitude``.
  private var solitary = 0

  /// So many of them, and the next one is taken for as lonely.
  static let solitude = 16
  private var alarmTime: UInt64?
  private var shares = TimeShares()

  init(workers: Int, limits: BatchLimits, occupancy: Occupancy, alarm: any DispatchSourceTimer) {
    self.occupancy = occupancy
    self.workers = workers
    queue = BatchQueue(limits: limits, workers: workers)
    self.alarm = alarm
    idle = Array((0..<workers).reversed())
  }

  var load: PoolLoad {
    PoolLoad(
      queuedRows: queue.queuedRows, queuedEntries: queue.queuedEntries, queuedJobs: jobs.count,
      busyWorkers: min(workers, workers - idle.count + (isHostComputing ? 1 : 0)), rowsPerSecond: queue.rowsPerSecond)
  }

  var isQuiet: Bool { isRested(but: 1) }
  var isAtRest: Bool { isRested(but: 0) }
  var isAlone: Bool { solitary == Self.solitude && queue.isEmpty && jobs.count == 0 }

  /// Whether nothing waits, and nobody works but so many workers at most.
  private func isRested(but busy: Int) -> Bool {
    queue.isEmpty && jobs.count == 0 && idle.count >= workers - busy && !isHostComputing
  }

  /// - Parameter rows: nil asks only whether anything is taken at all.
  func admit(rows: Int?) throws(AdmissionError) {
    if isDraining { throw .draining(retryAfterSeconds: queue.retryAfterSeconds) }
    if let rows { try queue.admit(rows: rows) }
  }

  /// Counts what has just come among those that came alone, or ends their row. What a worker brings is part of what
  /// came before.
  mutating func noteArrival(from caller: Caller) {
    if case .worker = caller { return }
    let isAlone = queue.queuedEntries + jobs.count == 1 && idle.count == workers && !isHostComputing
    solitary = isAlone ? min(solitary + 1, Self.solitude) : 0
  }

  /// The worker to be woken for what has just come, if there is more to do than workers on their way, and one rests.
  ///
  /// Otherwise nobody may look at the queue for a while, so the alarm is set for what has its own time.
  mutating func claimWorker(for caller: Caller = .anybody) -> Int? {
    occupancy.set(queuedRows: queue.queuedRows, isDraining: isDraining)
    var onTheirWay = arrivals
    switch caller {
    case .anybody: break
    case .worker: onTheirWay += 1
    case .host(let rows, let alone):
      let limit = solitary == Self.solitude ? max(rows, alone) : rows
      if mayStay(rows: limit) {
        keptRows = limit
        return nil
      }
    }
    if onTheirWay < queue.dueBatches + jobs.count, let worker = idle.popLast() {
      arrivals += 1
      return worker
    }
    if arrivals == 0 { setAlarm() }
    return nil
  }

  /// What `worker` does next, and which other worker is to be woken for what it leaves.
  ///
  /// - Parameter arrives: whether this is the worker's first look since it was woken.
  mutating func turn(of worker: Int, arrives: Bool, finished: FinishedWork?, now: UInt64) -> (Turn, woken: Int?) {
    if arrives { arrivals -= 1 }
    if let finished { observe(finished, now: now) }
    let turn = takeTurn(now: now)
    if case .rest = turn {
      idle.append(worker)
      setAlarm()
      return (.rest(drained()), nil)
    }
    return (turn, claimWorker())
  }

  /// What may go before the rest of a batch of `key`, after those whose time is over.
  mutating func passing(
    _ key: BatchKey, now: UInt64
  ) -> (expired: [BatchEntry], batch: Batch?) {
    let expired = queue.expire(now: now)
    let batch = queue.takePassing(key, rows: queue.limits.maxPassingRows, now: now)
    occupancy.set(queuedRows: queue.queuedRows, isDraining: isDraining)
    return (expired, batch)
  }

  /// What passed is completed; the worker to be woken for what waited behind it.
  mutating func passed(_ batch: Batch, nanoseconds: UInt64, now: UInt64) -> Int? {
    queue.complete(batch.key, entries: batch.entries.count, nanoseconds: nanoseconds, now: now)
    return claimWorker()
  }

  /// What a host computes before it waits: what it has brought, if that is still all there is.
  mutating func takeKept(now: UInt64) -> KeptTurn {
    var turn = KeptTurn()
    let rows = keptRows
    guard rows > 0 else { return turn }
    keptRows = 0
    turn.expired = queue.expire(now: now)
    if !queue.isEmpty, mayStay(rows: rows), case .batch(let batch) = queue.next(now: now) {
      isHostComputing = true
      turn.batch = batch
    } else {
      turn.woken = claimWorker()
    }
    turn.done = drained()
    return turn
  }

  /// The worker to be woken for what came meanwhile.
  mutating func hostFinished(_ finished: FinishedWork, now: UInt64) -> (woken: Int?, done: [@Sendable () -> Void]) {
    isHostComputing = false
    observe(finished, now: now)
    return (claimWorker(), drained())
  }

  mutating func alarmRang(now: UInt64) -> (expired: [BatchEntry], woken: Int?, done: [@Sendable () -> Void]) {
    alarmTime = nil
    let expired = queue.expire(now: now)
    queue.advance(now: now)
    return (expired, claimWorker(), drained())
  }

  /// The completions to be called, once, when nothing is left.
  mutating func drained() -> [@Sendable () -> Void] {
    occupancy.set(queuedRows: queue.queuedRows, isDraining: isDraining)
    guard isDraining, queue.isEmpty, jobs.count == 0, idle.count == workers, !isHostComputing else { return [] }
    defer { drainers = [] }
    return drainers
  }

  /// Whether all that waits is one batch of up to so many rows, and nobody computes or is on the way to it.
  private func mayStay(rows: Int) -> Bool {
    queue.queuedRows <= rows && queue.dueBatches == 1 && jobs.count == 0 && idle.count == workers && !isHostComputing
  }

  private mutating func observe(_ finished: FinishedWork, now: UInt64) {
    queue.observe(rows: finished.rows, nanoseconds: finished.nanoseconds)
    guard let key = finished.key else { return shares.jobTook(finished.nanoseconds) }
    shares.batchTook(finished.nanoseconds)
    queue.complete(key, entries: finished.entries, nanoseconds: finished.nanoseconds, now: now)
  }

  private mutating func takeTurn(now: UInt64) -> Turn {
    if shares.isJobsTurn, let job = jobs.popFirst() { return .job(job) }
    switch queue.next(now: now) {
    case .expired(let entries):
      return .expired(entries)
    case .batch(let batch):
      return .batch(batch)
    case .wait, .idle:
      if let job = jobs.popFirst() { return .job(job) }
      return .rest([])
    }
  }

  private mutating func setAlarm() {
    guard let event = queue.nextEvent, event < alarmTime ?? .max else { return }
    alarmTime = event
    alarm.schedule(deadline: DispatchTime(uptimeNanoseconds: event), leeway: .nanoseconds(0))
  }
}

/// How full the line is, as of the last time somebody had the lock.
///
/// Asking on every request's head whether there is room would otherwise take the lock once more a request.
final class Occupancy: Sendable {
  /// Rows that wait; `Int.max` while nothing is taken.
  private let rows = Atomic<Int>(0)

  func set(queuedRows: Int, isDraining: Bool) {
    rows.store(isDraining ? .max : queuedRows, ordering: .relaxed)
  }

  var isAnythingQueued: Bool { rows.load(ordering: .relaxed) > 0 }

  /// Whether so many rows more would be refused.
  func refuses(rows more: Int, limits: BatchLimits) -> Bool {
    let queued = rows.load(ordering: .relaxed)
    return queued > 0 && more > limits.maxQueueRows - min(queued, limits.maxQueueRows)
  }
}

/// Jobs in the order in which they came.
struct JobLine {
  private var jobs = Slab<@Sendable () -> Void>()
  private var line = Slab<@Sendable () -> Void>.Chain()

  var count: Int { jobs.count }

  mutating func append(_ job: @escaping @Sendable () -> Void) {
    jobs.append(jobs.insert(job), to: &line)
  }

  mutating func popFirst() -> (@Sendable () -> Void)? {
    guard !line.isEmpty else { return nil }
    let first = line.head
    jobs.unlink(first, from: &line)
    return jobs.remove(first)
  }
}

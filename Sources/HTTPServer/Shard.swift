internal import Dispatch
internal import Synchronization

/// A shard's loop on a serial Dispatch queue.
///
/// One source watches the loop's epoll set, whatever the number of connections: a source for each costs two
/// `epoll_ctl`, two futex calls and an ioctl a request. The actor's executor is that queue, so the compiler holds the
/// loop to it, and the source's handler steps in without a suspension.
actor Shard {
  nonisolated let mailbox: Mailbox
  private nonisolated let executor: QueueExecutor
  private let loop: ShardLoop
  private var source: (any DispatchSourceRead)?
  private var finished: (@Sendable () -> Void)?

  /// After its work a turn waits this long for more before the queue goes back to Dispatch. Under load the next request
  /// comes sooner, and the way through Dispatch (four syscalls and a thread switch) is saved. It is well beyond the
  /// kernel's tick, so that no wait has the hardware's timer set: at one connection a wait of 1 ms costs 5 µs a
  /// request.
  private static let waitMilliseconds: Int32 = 50

  init(
    name: String, configuration: ServerConfiguration, handler: RequestHandler, ledger: ConnectionLedger,
    bodies: BodyLedger, listeners: [Listener], shards: [Mailbox], mailbox: Mailbox
  ) throws(Errno) {
    self.mailbox = mailbox
    executor = QueueExecutor(label: name)
    loop = try ShardLoop(
      configuration: configuration, handler: handler, ledger: ledger, bodies: bodies, listeners: listeners,
      shards: shards, mailbox: mailbox)
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  /// Begins to serve; `finished` is called on the shard's queue when it has drained.
  nonisolated func start(finished: @escaping @Sendable () -> Void) {
    executor.queue.async { self.assumeIsolated { $0.begin(finished) } }
  }

  private func begin(_ finished: @escaping @Sendable () -> Void) {
    self.finished = finished
    let source = DispatchSource.makeReadSource(fileDescriptor: loop.descriptor, queue: executor.queue)
    // Both handlers keep the shard, and with it the descriptor, until the cancellation is through: a descriptor closed
    // earlier would leave the next source on the same number deaf.
    source.setEventHandler { self.assumeIsolated { $0.serve() } }
    source.setCancelHandler { self.assumeIsolated { $0.end() } }
    self.source = source
    source.activate()
  }

  private func serve() {
    while loop.turn(waitingMilliseconds: Self.waitMilliseconds) {}
    loop.rest()
    if loop.isFinished { source?.cancel() }
  }

  private func end() {
    source = nil
    finished?()
    finished = nil
  }
}

/// A serial queue as an actor's executor.
final class QueueExecutor: SerialExecutor {
  let queue: DispatchQueue

  init(label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }

  func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}

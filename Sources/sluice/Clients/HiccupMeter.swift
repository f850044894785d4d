import Batching
import Glibc
import HTTPServer
import Synchronization

/// What keeps threads from running, whoever's fault it is: a thread for each processor, bound to it, is due every
/// millisecond and notes how late it came.
///
/// The idea is jHiccup's (Tene, 2012), by processor: nobody's answer is sooner than a thread runs that asks for nothing
/// else. What was due while a thread was kept counts as well, each time with its own lateness, or a stall of a second
/// would count as little as one of a millisecond.
// Unsafe: the meters are handed to their threads retained, and read only when those have been joined.
final class HiccupMeter {
  private var threads: [pthread_t] = []
  private var processors: [ProcessorMeter] = []

  /// Begins to measure, on every processor that this process may use.
  ///
  /// - Throws: `.system` where there is no descriptor or no thread for it.
  init() throws(ClientError) {
    do throws(Errno) {
      for processor in 0..<Int32(clamping: sysconf(Int32(_SC_NPROCESSORS_CONF))) {
        processors.append(try ProcessorMeter(processor))
      }
    } catch {
      throw .system(operation: "epoll", code: error.code)
    }
    for meter in processors {
      var thread = pthread_t()
      let retained = Unmanaged.passRetained(meter)
      let status = pthread_create(
        &thread, nil,
        { meter in
          Unmanaged<ProcessorMeter>.fromOpaque(meter!).takeRetainedValue().run()
          return nil
        }, retained.toOpaque())
      guard status == 0 else {
        retained.release()
        _ = end()
        throw .system(operation: "pthread_create", code: status)
      }
      threads.append(thread)
    }
  }

  /// Ends the threads; how late they were, in nanoseconds.
  func end() -> DurationCounts {
    for meter in processors { meter.isOver.store(true, ordering: .relaxed) }
    for thread in threads { pthread_join(thread, nil) }
    threads = []
    return processors.reduce(into: DurationCounts()) { $0.add($1.lateness) }
  }
}

/// The thread of one processor.
// @unchecked Sendable: all but the atomic belongs to the thread until it has been joined.
private final class ProcessorMeter: @unchecked Sendable {
  let isOver = Atomic<Bool>(false)
  private(set) var lateness = DurationCounts()
  private var pollSet: PollSet
  private let processor: Int32

  private static let period: UInt64 = 1_000_000

  init(_ processor: Int32) throws(Errno) {
    self.processor = processor
    pollSet = try PollSet(wakeup: try Wakeup())
  }

  func run() {
    do { try ProcessorBinding.bindThread(to: processor) } catch { return }  // not one of this process's
    var due = MonotonicClock.now() + Self.period
    while !isOver.load(ordering: .relaxed) {
      // Not a sleep, to which the kernel adds some slack.
      pollSet.setTimer(due)
      _ = pollSet.wait(milliseconds: -1)
      let now = MonotonicClock.now()
      while due <= now {
        lateness.add(now - due)
        due += Self.period
      }
    }
  }
}

import Dispatch
import Glibc
import HTTPServer
import InferenceAPI
import Logging

/// SIGTERM and SIGINT, as somebody who stops a service means them: the first asks it to finish, the second to end.
final class StopSignals {
  private let sources: [any DispatchSourceSignal]

  /// Returns once both signals are watched.
  ///
  /// - Parameters:
  ///   - queue: serial; where both closures run.
  ///   - first: begins to finish.
  ///   - second: ends the process; gets the signal's number.
  init(
    queue: DispatchQueue, first: @escaping @Sendable () -> Void, second: @escaping @Sendable (Int32) -> Void
  ) {
    let received = ReceivedSignals()
    let registered = DispatchSemaphore(value: 0)
    // The default action stays until Dispatch has taken over, and is right until then: nothing is in flight. A signal
    // that were ignored meanwhile would be lost.
    sources = [SIGTERM, SIGINT].map { number in
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { received.isFirst ? first() : second(number) }
      source.setRegistrationHandler { registered.signal() }
      source.activate()
      return source
    }
    for _ in sources { registered.wait() }
  }

  /// On the first signal `/readyz` says 503; after the delay accepting ends, what is in flight is finished, and the
  /// process exits with 0. On the second it exits at once, with 128 and the signal's number.
  ///
  /// - Parameter delay: for load balancers to see that the server is not ready.
  convenience init(
    stopping server: HTTPServer, _ admin: HTTPServer?, _ api: InferenceAPI, after delay: Duration, _ sink: LogSink,
    _ logger: Logger
  ) {
    let queue = DispatchQueue(label: "sluice.signals")
    self.init(
      queue: queue,
      first: {
        logger.info("stopping")
        api.announceDraining()
        queue.asyncAfter(deadline: .now() + delay.dispatchInterval) {
          server.shutdown {
            api.drain {
              // To the end somebody may ask how far it has come.
              admin?.shutdown {}
              logger.info("stopped")
              sink.flush()
              exit(0)
            }
          }
        }
      },
      second: { number in
        logger.warning("ended by a second signal", metadata: ["signal": .stringConvertible(Int(number))])
        sink.flush()
        _exit(128 + number)
      })
  }

  // @unchecked Sendable: only used on the sources' serial queue.
  private final class ReceivedSignals: @unchecked Sendable {
    private var hasCome = false

    /// Whether it is asked for the first time.
    var isFirst: Bool {
      defer { hasCome = true }
      return !hasCome
    }
  }
}

extension Duration {
  fileprivate var dispatchInterval: DispatchTimeInterval {
    let (seconds, attoseconds) = components
    return .nanoseconds(Int(clamping: seconds) &* 1_000_000_000 &+ Int(attoseconds / 1_000_000_000))
  }
}

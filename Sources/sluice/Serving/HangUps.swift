import Dispatch
import Glibc

/// SIGHUP, as somebody means it who has put new files in place: read them again.
final class HangUps {
  private let source: any DispatchSourceSignal

  /// Returns once the signal is watched, and no longer ends the process.
  ///
  /// - Parameter reload: runs on a queue of its own, once for each signal that is noticed.
  init(_ reload: @escaping @Sendable () -> Void) {
    let registered = DispatchSemaphore(value: 0)
    source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "sluice.reload"))
    source.setEventHandler { reload() }
    source.setRegistrationHandler { registered.signal() }
    source.activate()
    registered.wait()
  }
}

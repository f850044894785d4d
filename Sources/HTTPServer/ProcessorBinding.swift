internal import CSystem

/// Where a thread runs.
package enum ProcessorBinding {
  /// Has the calling thread run on one processor only.
  ///
  /// - Throws: EINVAL where this process may not use it.
  package static func bindThread(to processor: Int32) throws(Errno) {
    try retryingInterrupts { csystem_bind_thread(processor) }
  }
}

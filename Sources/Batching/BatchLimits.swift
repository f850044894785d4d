/// What bounds the waiting line: how much is joined, how long it is held back for company, how much may wait.
package struct BatchLimits: Sendable, Equatable {
  /// Rows that one batch joins at most. An entry with more goes alone, whole.
  package var maxBatchRows: Int

  /// Rows that may wait in all. An entry that would exceed it is refused, unless nothing waits at all: what is larger
  /// than the whole line could otherwise never be served, and a client told to retry would do so for ever.
  package var maxQueueRows: Int

  /// How long the first entry of a batch that is not full waits for company. Zero joins what waits and waits for
  /// nobody.
  package var batchDelay: Duration

  /// Rows of a batch that may pass between the slices of a longer one. What passes makes that one wait, so it is small.
  package var maxPassingRows = 8

  /// Passes of one key at the same time beyond which only a full batch begins another. What comes meanwhile is joined
  /// when one of them ends: several passes of few rows read the same weights several times, and where threads help one
  /// another, a pass that is left alone is sooner done.
  package var partialPasses = Int.max

  /// Whether batches whose passes take milliseconds wait for those whose answers their key has just given.
  package var gathers = false

  package init(maxBatchRows: Int, maxQueueRows: Int, batchDelay: Duration = .zero) {
    precondition(maxBatchRows > 0 && maxQueueRows > 0 && batchDelay >= .zero, "limits are positive")
    self.maxBatchRows = maxBatchRows
    self.maxQueueRows = maxQueueRows
    self.batchDelay = batchDelay
  }

  /// `batchDelay` in the clock's unit; a delay beyond its range is no delay that anybody waits for.
  var batchDelayNanoseconds: UInt64 {
    let (seconds, attoseconds) = batchDelay.components
    return UInt64(clamping: seconds).clampedMultiplied(by: 1_000_000_000)
      .clampedAdded(UInt64(clamping: attoseconds / 1_000_000_000))
  }
}

/// Why an entry may not wait: both are a 503 with `Retry-After`.
package enum AdmissionError: Error, Sendable, Equatable {
  /// The line is at its bound. The seconds are the time in which what waits is worked off at the measured rate.
  case queueFull(retryAfterSeconds: Int)
  /// The pool is being drained and takes nothing new.
  case draining(retryAfterSeconds: Int)

  /// Whole seconds for `Retry-After` (RFC 9110, section 10.2.3), at least 1.
  package var retryAfterSeconds: Int {
    switch self {
    case .queueFull(let seconds), .draining(let seconds): seconds
    }
  }
}

extension UInt64 {
  func clampedAdded(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  func clampedMultiplied(by other: UInt64) -> UInt64 {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}

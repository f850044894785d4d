/// Names one entry of a queue, for as long as the process lives: sequence numbers are never used again, so a ticket
/// that outlived its entry names nothing.
package struct Ticket: Sendable, Hashable {
  let slot: Int
  let sequence: UInt64
}

/// What may share a batch: entries whose keys are equal. What the words stand for is the affair of whoever makes them.
package struct BatchKey: Sendable, Hashable {
  package let kind: UInt64
  package let high: UInt64
  package let low: UInt64

  package init(kind: UInt64, high: UInt64 = 0, low: UInt64) {
    (self.kind, self.high, self.low) = (kind, high, low)
  }
}

/// What an entry is about. The line hands out what it was given and looks at nothing of it; it is no generic parameter,
/// since the code of a line for a type of another module would look up that type at every step.
package typealias BatchPayload = AnyObject & Sendable

/// One request's place in the line, as it comes out again.
package struct BatchEntry: Sendable {
  package let ticket: Ticket
  package let payload: any BatchPayload
  package let rows: Int
  /// Monotonic nanoseconds.
  package let enqueuedAt: UInt64
  /// Monotonic nanoseconds; from then on the entry is not computed any more.
  package let deadline: UInt64?
}

/// Entries of one key, in the order in which they came, to be computed in one go.
package struct Batch: Sendable {
  package let key: BatchKey
  /// Never empty.
  package let entries: [BatchEntry]
  /// The sum of the entries' rows: at most `maxBatchRows`, unless it is a single entry's.
  package let rows: Int
}

/// Names one entry of a queue, for as long as the process lives: sequence numbers are never used again, so a ticket
/// that outlived its entry names nothing.
package struct Ticket: Sendable, Hashable {
  let slot: Int
  let sequence: UInt64
}

/// One request's place in the line, as it comes out again.
package struct BatchEntry<Payload: Sendable>: Sendable {
  package let ticket: Ticket
  package let payload: Payload
  package let rows: Int
  /// Monotonic nanoseconds.
  package let enqueuedAt: UInt64
  /// Monotonic nanoseconds; from then on the entry is not computed any more.
  package let deadline: UInt64?
}

/// Entries of one key, in the order in which they came, to be computed in one go.
package struct Batch<Key: Hashable & Sendable, Payload: Sendable>: Sendable {
  package let key: Key
  /// Never empty.
  package let entries: [BatchEntry<Payload>]
  /// The sum of the entries' rows: at most `maxBatchRows`, unless it is a single entry's.
  package let rows: Int
}

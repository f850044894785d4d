internal import CSystem
internal import Glibc

/// An epoll set with a wake-up and a timer in it: all that a shard waits for is behind one descriptor.
///
/// Whoever drives the shard watches that descriptor, or blocks in `wait`. Connections are watched by edges for both
/// directions at once, so a connection costs one `epoll_ctl` in its life however often it changes its mind about
/// reading and writing; listeners are watched by level, since a turn may leave some of their queue for the next.
package struct PollSet: ~Copyable {
  /// What an event is about.
  package enum Source {
    case wakeup
    case timer
    case listener(Int)
    case connection(ConnectionID)
  }

  /// Which way the source became ready.
  package struct Readiness {
    let bits: UInt32

    package var isReadable: Bool {
      bits & (csystem_epoll_in | csystem_epoll_rdhup | csystem_epoll_hup | csystem_epoll_err) != 0
    }
    var isWritable: Bool { bits & csystem_epoll_out != 0 }
    /// The peer has sent all that it will; it may still read.
    var isPeerFinished: Bool { bits & csystem_epoll_rdhup != 0 }
    /// Both directions are gone, by reset or by a peer that closed.
    var isHungUp: Bool { bits & (csystem_epoll_hup | csystem_epoll_err) != 0 }
  }

  let descriptor: Descriptor
  private let wakeup: Wakeup
  private let timer: Descriptor
  private var events: [epoll_event]

  /// Reserved tokens: a connection's slot never reaches these numbers.
  private static let wakeupToken = UInt64.max
  private static let timerToken = UInt64.max - 1
  private static let listenerTokens = (UInt64.max - 4096)...(UInt64.max - 2)

  package init(wakeup: Wakeup, eventsPerWait: Int = 256) throws(Errno) {
    let descriptor = Descriptor(owning: try retryingInterrupts { csystem_epoll_create() })
    let timer = Descriptor(owning: try retryingInterrupts { csystem_timer_create() })
    // By edges, neither the counter nor the timer has ever to be read: one syscall less a wake-up.
    let interest = csystem_epoll_in | csystem_epoll_edge
    try Self.watch(descriptor.number, wakeup.number, interest, Self.wakeupToken)
    try Self.watch(descriptor.number, timer.number, interest, Self.timerToken)
    self.descriptor = descriptor
    self.timer = timer
    self.wakeup = wakeup
    events = Array(repeating: epoll_event(), count: eventsPerWait)
  }

  package func add(_ connection: Int32, _ id: ConnectionID) throws(Errno) {
    let interest = csystem_epoll_in | csystem_epoll_out | csystem_epoll_rdhup | csystem_epoll_edge
    try Self.watch(descriptor.number, connection, interest, id.token)
  }

  func add(listener: Int32, index: Int) throws(Errno) {
    try Self.watch(descriptor.number, listener, csystem_epoll_in, Self.listenerTokens.upperBound - UInt64(index))
  }

  /// Stops and resumes hearing of connections that wait at a listener.
  func set(listener: Int32, index: Int, isWatched: Bool) {
    let interest = isWatched ? csystem_epoll_in : 0
    let token = Self.listenerTokens.upperBound - UInt64(index)
    _ = try? retryingInterrupts { csystem_epoll_modify(descriptor.number, listener, interest, token) }
  }

  /// Lets `wait` return a `.timer` at this time of the monotonic clock; nil for never.
  package func setTimer(_ nanoseconds: UInt64?) {
    _ = try? retryingInterrupts { csystem_timer_set(timer.number, nanoseconds ?? 0) }
  }

  /// Waits up to `milliseconds` (0: not at all; -1: for ever).
  ///
  /// - Returns: how many events there are.
  package mutating func wait(milliseconds: Int32) -> Int {
    let count = try? retryingInterrupts {
      epoll_wait(descriptor.number, &events, Int32(events.count), milliseconds)
    }
    return Int(count ?? 0)
  }

  /// An event of the last `wait`.
  package func event(_ index: Int) -> (source: Source, readiness: Readiness) {
    let event = events[index]
    let source: Source =
      switch event.data.u64 {
      case Self.wakeupToken: .wakeup
      case Self.timerToken: .timer
      case let token where Self.listenerTokens.contains(token): .listener(Int(Self.listenerTokens.upperBound - token))
      case let token: .connection(ConnectionID(token: token))
      }
    return (source, Readiness(bits: event.events))
  }

  private static func watch(_ set: Int32, _ number: Int32, _ interest: UInt32, _ token: UInt64) throws(Errno) {
    try retryingInterrupts { csystem_epoll_add(set, number, interest, token) }
  }
}

/// Wakes a poll set from any thread.
package final class Wakeup: Sendable {
  private let descriptor: Descriptor

  package init() throws(Errno) { descriptor = Descriptor(owning: try retryingInterrupts { csystem_event_create() }) }

  var number: Int32 { descriptor.number }

  func signal() { _ = try? retryingInterrupts { csystem_event_signal(descriptor.number) } }
}

/// A place in a shard's table, and which of its successive tenants: an event or an answer for one that has left finds
/// nobody.
package struct ConnectionID: Hashable, Sendable {
  package let slot: UInt32
  let generation: UInt32

  package init(slot: UInt32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }

  init(token: UInt64) { self.init(slot: UInt32(truncatingIfNeeded: token), generation: UInt32(token >> 32)) }

  var token: UInt64 { UInt64(generation) << 32 | UInt64(slot) }
}

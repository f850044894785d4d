import Batching
import HTTPServer

/// Sends requests on one thread and notes what becomes of each: in an open loop when they are due, in a closed one
/// when a connection has its answer.
struct LoadGenerator: ~Copyable {
  private let message: [UInt8]
  private let address: ServerAddress
  private let most: Int
  private let keepsAlive: Bool
  private let nanoseconds: UInt64
  /// Nil in a closed loop.
  private var schedule: Schedule?

  private var pollSet: PollSet
  /// What its timer is set to.
  private var alarm: UInt64 = 0
  /// When the last wait ended.
  private var wokenAt: UInt64 = 0
  /// When the next request is due.
  private var due = Double.infinity
  /// When no more are sent.
  private var end: UInt64 = 0
  /// Until when a closed loop asks for nothing, since a connection has failed.
  private var resumption: UInt64 = 0
  /// By the slots of their ids.
  private var connections: [LoadConnection?] = []
  private var freeSlots: [UInt32] = []
  private var idle: [LoadConnection] = []
  private var underWay = 0
  private var connectionsMade: UInt32 = 0
  private var buffer = [UInt8](repeating: 0, count: 1 << 18)
  private var report: LoadReport

  /// - Parameters:
  ///   - most: connections at the same time.
  ///   - nanoseconds: for which requests are sent.
  ///   - schedule: of an open loop; without one, all connections ask again and again.
  init(
    message: [UInt8], address: ServerAddress, most: Int, keepsAlive: Bool, nanoseconds: UInt64, schedule: Schedule?
  ) throws(ClientError) {
    (self.message, self.address, self.most, self.keepsAlive) = (message, address, most, keepsAlive)
    (self.nanoseconds, self.schedule) = (nanoseconds, schedule)
    report = LoadReport(offered: schedule?.rate, secondsDue: Double(nanoseconds) / 1e9)
    do throws(Errno) { pollSet = try PollSet(wakeup: try Wakeup()) } catch {
      throw .system(operation: "epoll", code: error.code)
    }
  }

  /// Sends all that there is to send, and waits for the last answers.
  consuming func run() -> LoadReport {
    let begin = MonotonicClock.now()
    end = begin + nanoseconds
    if let gap = schedule?.gap() { due = Double(begin) + gap }
    while true {
      let now = MonotonicClock.now()
      ask(at: now)
      let isSending = schedule == nil ? now < end : due < Double(end)
      if !isSending, underWay == 0 || now > end + Self.patience { break }
      let count = wait(until: isSending ? timeToAsk : end + Self.patience)
      // What has come due meanwhile goes before the answers that have come: it finds their connections busy.
      ask(at: wokenAt)
      for index in 0..<count { goOn(after: pollSet.event(index)) }
    }
    report.unanswered = underWay
    report.secondsTaken = Double(MonotonicClock.now() - begin) / 1e9
    return report
  }

  private mutating func ask(at now: UInt64) {
    guard schedule != nil else { return askAgain(at: now) }
    while due <= Double(now), due < Double(end), let gap = schedule?.gap() {
      send(due: UInt64(due))
      due += gap
    }
  }

  /// In a closed loop, on every connection that has nothing under way.
  private mutating func askAgain(at now: UInt64) {
    guard now < end, now >= resumption else { return }
    for _ in underWay..<most {
      guard let connection = idleConnection() ?? another() else { return }
      begin(on: connection, due: MonotonicClock.now())
    }
  }

  private mutating func send(due: UInt64) {
    guard underWay < most else {
      report.unsent += 1
      return
    }
    guard let connection = idleConnection() ?? another() else { return }
    report.lateness.append(MonotonicClock.now() - due)
    begin(on: connection, due: due)
  }

  private mutating func begin(on connection: LoadConnection, due: UInt64) {
    underWay += 1
    take(connection.begin(message, due: due), from: connection)
  }

  /// How long to wait for answers at most before the next request.
  ///
  /// To be woken by the timer costs as much as the request itself. With n requests under way, n gaps between them are
  /// what each takes (Little's law), so that up to a sixteenth of that, those which come due together go together.
  private var timeToAsk: UInt64 {
    guard let schedule else { return underWay < most ? resumption : end + Self.patience }
    // When the next answer has come is soon enough to count what could not be sent.
    guard underWay < most else { return end + Self.patience }
    let share = UInt64(Double(underWay) * schedule.meanGap / 16)
    return max(UInt64(due), wokenAt + min(share, Self.longestShare))
  }

  /// The one that was used last, of those that the server has not ended.
  private mutating func idleConnection() -> LoadConnection? {
    while let connection = idle.popLast() {
      if connection.isReusable { return connection }
      forget(connection)
    }
    return nil
  }

  private mutating func another() -> LoadConnection? {
    let slot = freeSlots.popLast() ?? UInt32(connections.count)
    if slot == connections.count { connections.append(nil) }
    connectionsMade &+= 1
    do {
      let connection = try LoadConnection(ConnectionID(slot: slot, generation: connectionsMade), to: address)
      try pollSet.add(connection.descriptor, connection.id)
      connections[Int(slot)] = connection
      return connection
    } catch {
      freeSlots.append(slot)
      report.refused += 1
      rest()
      return nil
    }
  }

  /// Has a closed loop wait a little, or a server that has gone would be asked as fast as it can be.
  private mutating func rest() { resumption = MonotonicClock.now() + Self.pause }

  private mutating func forget(_ connection: LoadConnection) {
    connections[Int(connection.id.slot)] = nil
    freeSlots.append(connection.id.slot)
  }

  /// Notes what became of a request, if it has ended.
  private mutating func take(_ progress: LoadConnection.Progress, from connection: LoadConnection) {
    if case .waiting = progress { return }
    underWay -= 1
    switch progress {
    case .waiting: break
    case .refused:
      report.refused += 1
      rest()
    case .broken:
      report.broken += 1
      rest()
    case .stale: if let other = another() { begin(on: other, due: connection.due) }
    case .answered(let status):
      report.statuses[status, default: 0] += 1
      if status == 200 { report.latencies.append(MonotonicClock.now() - connection.due) }
      if keepsAlive, connection.isReusable { return idle.append(connection) }
    }
    forget(connection)
  }

  /// Waits for something to go on with, for no longer than until then.
  ///
  /// - Returns: how many events there are.
  private mutating func wait(until time: UInt64) -> Int {
    // Setting it has the hardware's timer set, which costs as much as sending.
    if time != alarm {
      alarm = time
      pollSet.setTimer(time)
    }
    let count = pollSet.wait(milliseconds: -1)
    wokenAt = MonotonicClock.now()
    return count
  }

  /// Goes on with what has become possible.
  private mutating func goOn(after event: (source: PollSet.Source, readiness: PollSet.Readiness)) {
    guard case .connection(let id) = event.source, let connection = connections[Int(id.slot)], connection.id == id
    else { return }
    if connection.isUnderWay {
      take(connection.advance(message, receivingThrough: &buffer), from: connection)
    } else if event.readiness.isReadable {
      connection.endIdle()
    }
  }

  /// Nanoseconds to wait for answers after the last request was due.
  private static let patience: UInt64 = 10_000_000_000
  /// Nanoseconds after which a closed loop tries again what has failed.
  private static let pause: UInt64 = 1_000_000
  /// Nanoseconds for which a request waits for others at most.
  private static let longestShare: UInt64 = 500_000
}

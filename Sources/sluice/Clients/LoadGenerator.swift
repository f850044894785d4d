import Batching
import HTTPServer

/// Sends requests when they are due, on one thread, and notes what becomes of each.
struct LoadGenerator: ~Copyable {
  private let message: [UInt8]
  private let address: ServerAddress
  private let most: Int
  private let keepsAlive: Bool
  private var schedule: Schedule

  private var pollSet: PollSet
  /// What its timer is set to.
  private var alarm: UInt64 = 0
  /// By the slots of their ids.
  private var connections: [LoadConnection?] = []
  private var freeSlots: [UInt32] = []
  private var idle: [LoadConnection] = []
  private var underWay = 0
  private var connectionsMade: UInt32 = 0
  private var buffer = [UInt8](repeating: 0, count: 1 << 18)
  private var report: LoadReport

  /// - Parameter most: connections at the same time.
  init(
    message: [UInt8], address: ServerAddress, most: Int, keepsAlive: Bool, schedule: Schedule
  ) throws(ClientError) {
    (self.message, self.address, self.most, self.keepsAlive) = (message, address, most, keepsAlive)
    self.schedule = schedule
    report = LoadReport(offered: schedule.rate, secondsDue: Double(schedule.nanoseconds) / 1e9)
    do throws(Errno) { pollSet = try PollSet(wakeup: try Wakeup()) } catch {
      throw .system(operation: "epoll", code: error.code)
    }
  }

  /// Sends all that is due, and waits for the last answers.
  consuming func run() -> LoadReport {
    let begin = MonotonicClock.now()
    let end = begin + schedule.nanoseconds
    var due = Double(begin) + schedule.gap()
    while true {
      let now = MonotonicClock.now()
      while due <= Double(now), due < Double(end) {
        send(due: UInt64(due))
        due += schedule.gap()
      }
      let isSending = due < Double(end)
      if !isSending, underWay == 0 || now > end + Self.patience { break }
      wait(until: isSending ? UInt64(due) : end + Self.patience)
    }
    report.unanswered = underWay
    report.secondsTaken = Double(MonotonicClock.now() - begin) / 1e9
    return report
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
      return nil
    }
  }

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
    case .refused: report.refused += 1
    case .broken: report.broken += 1
    case .stale: if let other = another() { begin(on: other, due: connection.due) }
    case .answered(let status):
      report.statuses[status, default: 0] += 1
      if status == 200 { report.latencies.append(MonotonicClock.now() - connection.due) }
      if keepsAlive, connection.isReusable { return idle.append(connection) }
    }
    forget(connection)
  }

  /// Goes on with what is under way as it becomes possible, for no longer than until then.
  private mutating func wait(until time: UInt64) {
    // Setting it has the hardware's timer set, which costs as much as sending.
    if time != alarm {
      alarm = time
      pollSet.setTimer(time)
    }
    for index in 0..<pollSet.wait(milliseconds: -1) {
      let event = pollSet.event(index)
      guard case .connection(let id) = event.source, let connection = connections[Int(id.slot)], connection.id == id
      else { continue }
      if connection.isUnderWay {
        take(connection.advance(message, receivingThrough: &buffer), from: connection)
      } else if event.readiness.isReadable {
        connection.endIdle()
      }
    }
  }

  /// Nanoseconds to wait for answers after the last request was due.
  private static let patience: UInt64 = 10_000_000_000
}

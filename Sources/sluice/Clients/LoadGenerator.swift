import Batching
import Glibc
import HTTPServer

/// Sends requests when they are due, on one thread, and notes what becomes of each.
struct LoadGenerator {
  private let message: [UInt8]
  private let address: ServerAddress
  private let most: Int
  private let keepsAlive: Bool
  private var schedule: Schedule

  private var idle: [LoadConnection] = []
  private var underWay: [LoadConnection] = []
  private var buffer = [UInt8](repeating: 0, count: 1 << 18)
  private var report: LoadReport

  /// - Parameter most: connections at the same time.
  init(message: [UInt8], address: ServerAddress, most: Int, keepsAlive: Bool, schedule: Schedule) {
    (self.message, self.address, self.most, self.keepsAlive) = (message, address, most, keepsAlive)
    self.schedule = schedule
    report = LoadReport(offered: schedule.rate, secondsDue: Double(schedule.nanoseconds) / 1e9)
  }

  /// Sends all that is due, and waits for the last answers.
  mutating func run() throws(ClientError) -> LoadReport {
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
      if !isSending, underWay.isEmpty || now > end + Self.patience { break }
      try wait(until: isSending ? UInt64(due) : end + Self.patience)
    }
    report.unanswered = underWay.count
    report.secondsTaken = Double(MonotonicClock.now() - begin) / 1e9
    return report
  }

  private mutating func send(due: UInt64) {
    guard underWay.count < most else {
      report.unsent += 1
      return
    }
    guard let connection = idle.popLast() ?? another() else { return }
    report.lateness.append(MonotonicClock.now() - due)
    begin(on: connection, due: due)
  }

  private mutating func begin(on connection: LoadConnection, due: UInt64) {
    connection.begin(due: due)
    if !advance(connection) { underWay.append(connection) }
  }

  private mutating func another() -> LoadConnection? {
    do {
      return try LoadConnection(to: address)
    } catch {
      report.refused += 1
      return nil
    }
  }

  /// - Returns: whether the request has ended.
  private mutating func advance(_ connection: LoadConnection) -> Bool {
    switch connection.advance(message, receivingThrough: &buffer) {
    case .waiting: return false
    case .refused: report.refused += 1
    case .broken: report.broken += 1
    case .stale: if let other = another() { begin(on: other, due: connection.due) }
    case .answered(let status):
      report.statuses[status, default: 0] += 1
      if status == 200 { report.latencies.append(MonotonicClock.now() - connection.due) }
      if keepsAlive, connection.isReusable { idle.append(connection) }
    }
    return true
  }

  /// Goes on with what is under way as it becomes possible, once, for no longer than until then.
  private mutating func wait(until time: UInt64) throws(ClientError) {
    var entries = underWay.map { pollfd(fd: $0.descriptor, events: Int16($0.events), revents: 0) }
    let count: Int
    do throws(Errno) {
      count = try poll(&entries, nanoseconds: time - min(time, MonotonicClock.now()))
    } catch {
      throw .system(operation: "poll", code: error.code)
    }
    guard count > 0 else { return }
    // From the end, so that what takes an ended one's place has had its turn.
    for index in entries.indices.reversed() where entries[index].revents != 0 && advance(underWay[index]) {
      underWay.swapAt(index, underWay.count - 1)
      underWay.removeLast()
    }
  }

  /// Nanoseconds to wait for answers after the last request was due.
  private static let patience: UInt64 = 10_000_000_000
}

import Batching
import Testing

/// Random schedules against what must hold for each of them:
/// - every entry leaves exactly once, as computed, expired or cancelled;
/// - within a key, computed entries leave in the order in which they came;
/// - a batch has no more rows than the limit, unless it is one entry;
/// - what is past its deadline is never computed, and nothing expires before its deadline;
/// - nothing leaves before its delay unless its lane was full, and nothing that is due is left lying;
/// - the counts are those of a plain list of what waits.
@Suite struct BatchQueuePropertyTests {
  struct Pending {
    let payload: Int
    let key: Character
    let rows: Int
    let deadline: UInt64?
    let enqueuedAt: UInt64
    let ticket: Ticket
  }

  @Test(arguments: 0..<200)
  func randomSchedulesKeepTheInvariant(seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed))
    let limit = Int.random(in: 1...12, using: &random)
    let bound = Int.random(in: 5...60, using: &random)
    let delay: UInt64 = seed % 2 == 0 ? 0 : .random(in: 1...50, using: &random)
    let line = ScriptedLine(maxBatchRows: limit, maxQueueRows: bound, batchDelay: .nanoseconds(Int64(delay)))
    var pending: [Pending] = []
    var submitted = 0
    var left = Set<Int>()

    func leave(_ payload: Int) throws -> Pending {
      let place = try #require(pending.firstIndex { $0.payload == payload }, "left twice, or never came: \(payload)")
      #expect(left.insert(payload).inserted)
      return pending.remove(at: place)
    }

    func drain() throws {
      while true {
        switch line.next() {
        case .batch(let batch):
          #expect(batch.rows <= limit || batch.entries.count == 1)
          #expect(batch.rows == batch.entries.reduce(0) { $0 + $1.rows })
          let lane = pending.filter { $0.key == batch.key.letter }
          #expect(lane.prefix(batch.entries.count).map(\.payload) == batch.entries.map(\.number), "out of order")
          for entry in batch.entries {
            let one = try leave(entry.number)
            #expect(one.deadline ?? .max > line.now, "computed past its deadline")
            #expect(one.key == batch.key.letter && one.rows == entry.rows && one.ticket == entry.ticket)
          }
        case .expired(let entries):
          for entry in entries { #expect(try leave(entry.number).deadline ?? .max <= line.now, "expired too early") }
        case .wait(let until):
          #expect(until > line.now)
          #expect(!pending.contains { $0.deadline ?? .max <= line.now }, "expired, and still there")
          for lane in Dictionary(grouping: pending, by: \.key).values {
            #expect(lane[0].enqueuedAt + delay > line.now, "due, and left lying")
            #expect(lane.reduce(0) { $0 + $1.rows } < limit, "full, and left lying")
          }
          return
        case .idle:
          #expect(pending.isEmpty)
          return
        }
      }
    }

    for _ in 0..<400 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let key = "abcd".randomElement(using: &random)!
        let rows = Int.random(in: 1...(Bool.random(using: &random) ? 3 : 2 * limit), using: &random)
        let deadline = Bool.random(using: &random) ? line.now + .random(in: 0...80, using: &random) : nil
        let waiting = pending.reduce(0) { $0 + $1.rows }
        do {
          let ticket = try line.enqueue(submitted, key, rows: rows, deadline: deadline)
          #expect(waiting == 0 || waiting + rows <= bound)
          pending.append(
            Pending(
              payload: submitted, key: key, rows: rows, deadline: deadline, enqueuedAt: line.now, ticket: ticket))
          submitted += 1
        } catch AdmissionError.queueFull {
          #expect(waiting > 0 && waiting + rows > bound)
        }
      case 5..<7:
        guard let one = pending.randomElement(using: &random) else { continue }
        #expect(line.cancel(one.ticket) == one.payload)
        #expect(try leave(one.payload).ticket == one.ticket)
        #expect(line.cancel(one.ticket) == nil)
      case 7..<9:
        line.now += .random(in: 0...30, using: &random)
      default:
        try drain()
      }
      #expect(line.queuedRows == pending.reduce(0) { $0 + $1.rows })
      #expect(line.queuedEntries == pending.count)
    }
    line.now += 1_000
    try drain()
    #expect(left.count == submitted && line.isEmpty && line.dueBatches == 0 && line.nextEvent == nil)
  }
}

/// Deterministic numbers: a failing seed fails again.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

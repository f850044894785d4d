import Batching

/// What tests put in a line: numbers, under keys that are letters or numbers.
final class Number: Sendable {
  let value: Int

  init(_ value: Int) { self.value = value }
}

extension BatchKey {
  init(_ number: Int) { self.init(kind: 0, low: UInt64(number)) }

  init(_ letter: Character) { self.init(kind: 1, low: UInt64(letter.asciiValue!)) }

  var number: Int { Int(low) }
  var letter: Character { Character(Unicode.Scalar(UInt8(low))) }
}

extension BatchEntry {
  var number: Int { (payload as? Number)?.value ?? -1 }
}

extension WorkerPool {
  func submit(
    _ number: Int, key: Int, rows: Int, deadline: UInt64? = nil, from caller: Caller = .anybody
  ) throws(AdmissionError) -> Ticket {
    try submit(Number(number), key: BatchKey(key), rows: rows, deadline: deadline, from: caller)
  }
}

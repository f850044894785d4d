/// Bytes of a connection that were received and can't be interpreted yet: the beginning of a head, or requests beyond
/// those that may wait.
struct InputBuffer {
  private var bytes: [UInt8] = []
  private var start = 0

  var isEmpty: Bool { start == bytes.count }

  mutating func append(_ received: RawSpan) {
    if start > 0 {
      bytes.removeFirst(start)
      start = 0
    }
    bytes.append(copying: received)
  }

  /// Lends the bytes out whole, from an offset on; `giveBack` returns them.
  mutating func take() -> (bytes: [UInt8], start: Int) {
    defer { removeAll() }
    return (bytes, start)
  }

  /// Takes back what `take` lent, done with up to `start`.
  mutating func giveBack(_ lent: consuming [UInt8], from start: Int) {
    guard start < lent.count else { return }
    bytes = lent
    self.start = start
  }

  mutating func removeAll() {
    bytes = []
    start = 0
  }
}

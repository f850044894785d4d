/// Rows of numbers, the bulk of every request. Unsafe pointers: see `DecimalScanner`.
extension JSONReader {
  /// Reads the rest of an array of numbers, from its first element to behind its bracket, and returns their number.
  ///
  /// Throws a mismatch with the element's index where one is no number or not finite in float32.
  mutating func readNumberRow(into sink: inout FloatSink) throws(JSONError) -> Int {
    let before = sink.count
    do throws(JSONError) {
      repeat {
        try sink.makeRoom()
        if scanRun(into: &sink) == .beforeElement {
          let value = try readFloat()
          try sink.makeRoom()
          sink.append(value)
        }
      } while skip(UInt8(ascii: ","))
    } catch {
      throw error.nested(below: String(sink.count - before))
    }
    guard skip(UInt8(ascii: "]")) else { throw unexpected(.commaOrEndOfArray) }
    return sink.count - before
  }

  private enum RunEnd {
    /// The next element is not of the common shape, is near the text's end, or there is no room for it.
    case beforeElement
    /// What follows the last element is no comma.
    case afterElement
  }

  /// Scans numbers of the common shape and the commas between them as far as the sink has room.
  private mutating func scanRun(into sink: inout FloatSink) -> RunEnd {
    var p = position
    var next = sink.next
    let stop = next + sink.room
    let end = end
    defer {
      position = p
      sink.advance(to: next)
    }
    while next < stop, end - p >= DecimalScanner.reach, let behind = DecimalScanner.scan(p, into: next) {
      p = behind
      next += 1
      guard p.pointee == UInt8(ascii: ",") else { return .afterElement }
      p += 1
      if p.pointee == UInt8(ascii: " ") { p += 1 }
      if p.pointee <= UInt8(ascii: " ") {
        position = p
        skipWhitespace()
        p = position
      }
    }
    return .beforeElement
  }
}

/// Rows of numbers, the bulk of every request. Unsafe pointers: see `DecimalScanner`.
extension JSONReader {
  /// Reads the rest of an array of numbers, from its first element to behind its bracket, and returns their number.
  ///
  /// Throws a mismatch with the element's index where one is no number or not finite in float32.
  mutating func readNumberRow(into sink: inout FloatSink) throws(JSONError) -> Int {
    let before = sink.count
    var pace = EightsPace(from: before)
    do throws(JSONError) {
      repeat {
        try sink.makeRoom()
        if scanRun(into: &sink, &pace) == .beforeElement {
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
  private mutating func scanRun(into sink: inout FloatSink, _ pace: inout EightsPace) -> RunEnd {
    var p = position
    var next = sink.next
    let stop = next + sink.room
    let end = end
    var eightsFrom = next + max(pace.from - sink.count, 0)
    defer {
      position = p
      pace.from = sink.count + (eightsFrom - sink.next)
      sink.advance(to: next)
    }
    while next < stop, end - p >= DecimalScanner.reach {
      if next >= eightsFrom {
        let eights = DecimalScanner.scanEights(p, of: start..<end, into: next, room: stop - next)
        next += eights.count
        eightsFrom = next + pace.pause(after: eights.count)
        if eights.count > 0 {
          position = eights.behind
          guard skipComma() else {
            p = position
            return .afterElement
          }
          p = position
        }
      }
      let pause = min(stop, eightsFrom)
      while next < pause, end - p >= DecimalScanner.reach {
        guard let behind = DecimalScanner.scan(p, into: next) else { return .beforeElement }
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
    }
    return .beforeElement
  }

  /// Moves behind the comma that stands at the cursor, and white space behind that.
  private mutating func skipComma() -> Bool {
    guard position.pointee == UInt8(ascii: ",") else { return false }
    position += 1
    skipWhitespace()
    return true
  }
}

/// When numbers are scanned eight at a time: from the first on, and where that ends again after some that are scanned
/// one by one, of which there are more and more as long as it gets nowhere.
private struct EightsPace {
  /// The element before which eight are not tried.
  var from: Int
  private var pause = EightsPace.least

  private static let least = 8
  private static let longest = 512

  init(from: Int) { self.from = from }

  /// Elements to go on with one by one, where so many were scanned.
  mutating func pause(after count: Int) -> Int {
    pause = count > 0 ? EightsPace.least : min(2 * pause, EightsPace.longest)
    return pause
  }
}

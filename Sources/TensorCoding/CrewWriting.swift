/// Long tensors, printed by several threads: each prints a part into bytes of its own, which are put together
/// afterwards.
extension [UInt8] {
  /// Appends what `print` makes of each part, with commas between them.
  mutating func append(parts: [Range<Int>], by crew: Crew, _ print: @Sendable (Range<Int>, inout [UInt8]) -> Void) {
    var texts = [[UInt8]](repeating: [], count: parts.count)
    texts.withUnsafeMutableBufferPointer { texts in
      // nonisolated(unsafe): each part writes the one text that is its own, and all end before this returns.
      nonisolated(unsafe) let texts = texts
      crew.each(parts.count) { part in
        var text: [UInt8] = []
        print(parts[part], &text)
        texts[part] = text
      }
    }
    reserveCapacity(count + texts.reduce(texts.count + 64) { $0 + $1.count })
    for (place, text) in texts.enumerated() {
      if place > 0 { append(UInt8(ascii: ",")) }
      append(contentsOf: text)
    }
  }
}

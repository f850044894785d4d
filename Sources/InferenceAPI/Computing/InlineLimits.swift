/// Texts and tensors that an I/O queue reads and prints itself, in place of handing them to a worker: what may hold it
/// for some 200 µs, which is how long other connections wait meanwhile.
package struct InlineLimits: Sendable {
  /// Of a body, or of the JSON that a binary body begins with. Without AVX-512 a number takes 8 to 13 ns to scan, and
  /// 48 KiB hold 5,000 with nine characters each (70 µs) and 24,000 at most (160 to 200 µs).
  package var bodyBytes = 48 << 10

  /// Numbers that a reply prints: at 14 ns each, without AVX-512, 120 µs.
  package var replyNumbers = 8_500

  /// Bytes of tensors in binary, in a body or a reply: 512 KiB of them fault in fresh pages and move in 100 µs.
  package var binaryBytes = 512 << 10

  package init() {}

  /// The same where requests come one at a time: nobody is there who would wait, and what is long is shared with the
  /// cores that rest.
  var alone: InlineLimits {
    func more(_ limit: Int) -> Int { limit > .max / Self.timesAlone ? .max : Self.timesAlone * limit }
    var limits = self
    limits.bodyBytes = more(bodyBytes)
    limits.replyNumbers = more(replyNumbers)
    limits.binaryBytes = more(binaryBytes)
    return limits
  }

  /// How many times as much that is.
  private static let timesAlone = 4
}

/// How long a body is to whoever decodes it.
struct BodySize {
  /// Of its JSON.
  let text: Int
  /// Of all.
  let total: Int

  /// A body that is one JSON text.
  init(text: Int) { (self.text, total) = (text, text) }

  init(text: Int, total: Int) { (self.text, self.total) = (text, total) }

  func fits(_ limits: InlineLimits) -> Bool {
    // Tensors in binary are copied, or widened to twice their size: far less work than numbers in text.
    text <= limits.bodyBytes && (total == text || total <= limits.binaryBytes)
  }
}

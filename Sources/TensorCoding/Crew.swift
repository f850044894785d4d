/// Threads that share the work on one long text: its numbers are most of what it costs to read or to print.
///
/// Bytes and errors are the same with a crew as without one.
package struct Crew: Sendable {
  /// Texts from here on are worth waking a thread for: some 60 µs of work.
  static let leastNumbers = 4096
  /// As many bytes as so many numbers take at least.
  package static let leastBytes = 8 * leastNumbers

  /// Calls the closure for every number below the first argument, on whichever threads are free, and returns when all
  /// calls have.
  package let each: @Sendable (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void

  package init(each: @escaping @Sendable (_ count: Int, _ body: @Sendable (Int) -> Void) -> Void) {
    self.each = each
  }

  /// Cuts `0..<count` evenly into parts, a few for each thread that there may be: who comes late finds less to do.
  static func parts(of count: Int) -> [Range<Int>] {
    let parts = min(count, 16)
    return (0..<parts).map { count * $0 / parts..<count * ($0 + 1) / parts }
  }
}

import Batching

/// A line on a terminal that says how far something has come, and goes when it is done. Elsewhere it says nothing.
struct ProgressBar {
  private let isShown = StandardError.isTerminal
  private var nextDrawing: UInt64 = 0

  /// Replaces the terminal's current line, ten times a second at most.
  ///
  /// - Parameters:
  ///   - fraction: 0 … 1
  ///   - secondsLeft: as far as can be told.
  mutating func show(_ text: String, fraction: Double, secondsLeft: Double) {
    let now = MonotonicClock.now()
    guard isShown, now >= nextDrawing else { return }
    nextDrawing = now + 100_000_000
    let filled = Int(Double(Self.width) * min(1, max(0, fraction)))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: Self.width - filled)
    draw("\(bar) \(min(1, fraction).percent) \(text), \(BenchmarkReport.duration(max(0, secondsLeft))) left")
  }

  /// Clears the line, so that something else can be written there.
  mutating func clear() {
    if isShown { draw("") }
    nextDrawing = 0
  }

  private func draw(_ text: String) { StandardError.print("\r\u{1B}[K\(text)") }

  private static let width = 24
}

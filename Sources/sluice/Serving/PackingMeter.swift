import InferenceAPI

/// A line on a terminal that says how far packing has come, and goes when it is done.
struct PackingMeter {
  private let sink: LogSink
  private let isShown: Bool
  private var lastPercent = -1

  /// What takes no time needs no progress: about a tenth of a second's packing.
  private static let bytesWorthShowing = 256 << 20

  init(sink: LogSink) {
    self.sink = sink
    isShown = StandardError.isTerminal && sink.format == .text
  }

  mutating func show(_ progress: PackingProgress) {
    guard isShown, progress.bytes >= Self.bytesWorthShowing else { return }
    let percent = progress.packedBytes * 100 / progress.bytes
    guard percent > lastPercent else { return }
    lastPercent = percent
    let filled = String(repeating: "█", count: percent / 5)
    let empty = String(repeating: "░", count: 20 - percent / 5)
    draw(
      """
      packing \(progress.model) \(filled)\(empty) \(percent)% \
      (layer \(progress.packedLayers) of \(progress.layers), \(progress.bytes >> 20) MiB)
      """)
  }

  mutating func end() {
    if lastPercent >= 0 { draw("") }
    lastPercent = -1
  }

  /// Replaces the terminal's current line.
  private func draw(_ text: String) {
    sink.append(Array("\r\u{1B}[K\(text)".utf8))
  }
}

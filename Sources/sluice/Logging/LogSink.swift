import Dispatch
import Logging
import Synchronization

/// Where all lines go: to standard error, in the order in which they came, many in one write where many came.
///
/// Whoever writes a line only appends it to memory: a reader that does not keep up delays nobody. Past 1 MiB unread,
/// lines are dropped and counted.
final class LogSink: Sendable {
  private struct Pending {
    var bytes: [UInt8] = []
    var dropped = 0
    var isFlushing = false
  }

  private static let bytesLimit = 1 << 20

  let format: LogFormat
  private let pending = Mutex(Pending())
  private let queue = DispatchQueue(label: "sluice.log")

  init(format: LogFormat) {
    self.format = format
  }

  /// - Parameter fields: adds the line's fields.
  func write(_ level: Logger.Level, _ message: String, _ fields: (inout LogLine) -> Void = { _ in }) {
    var line = LogLine(format, level, message)
    fields(&line)
    append(line.finish())
  }

  /// Appends bytes that are no line, such as a terminal's progress.
  func append(_ bytes: [UInt8]) {
    let isFirst = pending.withLock { pending in
      if pending.bytes.count + bytes.count > Self.bytesLimit {
        pending.dropped += 1
      } else {
        pending.bytes += bytes
      }
      defer { pending.isFlushing = true }
      return !pending.isFlushing
    }
    if isFirst { queue.async { self.writePending() } }
  }

  /// Returns when everything that was appended before is written, or when nobody has read it for a second: a process
  /// that is told to end does so whatever becomes of its log.
  func flush() {
    let written = DispatchSemaphore(value: 0)
    queue.async {
      self.writePending()
      written.signal()
    }
    _ = written.wait(timeout: .now() + .seconds(1))
  }

  private func writePending() {
    while true {
      let (bytes, dropped) = pending.withLock { pending in
        defer {
          pending.isFlushing = !pending.bytes.isEmpty
          pending.bytes = []
          pending.dropped = 0
        }
        return (pending.bytes, pending.dropped)
      }
      if bytes.isEmpty { return }
      StandardError.print(bytes)
      if dropped > 0 {
        var line = LogLine(format, .warning, "log lines dropped")
        line.field("lines", dropped)
        StandardError.print(line.finish())
      }
    }
  }
}

/// swift-log's way to the sink.
struct SinkLogHandler: LogHandler {
  let sink: LogSink
  var logLevel: Logger.Level
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(sink: LogSink, level: Logger.Level) {
    self.sink = sink
    logLevel = level
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Fields stand in the order of their names: metadata has none of its own.
  func log(event: LogEvent) {
    var fields = metadata
    if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
    if let own = event.metadata { fields.merge(own) { $1 } }
    sink.write(event.level, event.message.description) { line in
      for (name, value) in LogValue.members(of: fields) { line.field(name, value) }
    }
  }
}

extension LogValue {
  fileprivate static func members(of metadata: Logger.Metadata) -> [(name: String, value: LogValue)] {
    metadata.sorted { $0.key < $1.key }.map { (name: $0.key, value: LogValue($0.value)) }
  }

  private init(_ value: Logger.Metadata.Value) {
    switch value {
    case .string(let text): self = .string(text)
    case .stringConvertible(let number as Int): self = .integer(number)
    case .stringConvertible(let value): self = .string(value.description)
    case .array(let values): self = .list(values.map { LogValue($0) })
    case .dictionary(let members): self = .object(Self.members(of: members))
    }
  }
}

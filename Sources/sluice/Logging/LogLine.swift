import Logging
import TensorCoding

/// How lines look.
enum LogFormat: String, CaseIterable {
  /// `2026-01-02T03:04:05.678Z info ready address=127.0.0.1:8080`, for people.
  case text
  /// `{"time":"…","level":"info","message":"ready","address":"127.0.0.1:8080"}`, for programs.
  case json
}

/// What can be asked for; access lines are `info`.
enum LogLevel: String, CaseIterable {
  case debug, info, warning, error

  var level: Logger.Level {
    switch self {
    case .debug: .debug
    case .info: .info
    case .warning: .warning
    case .error: .error
    }
  }
}

/// A value of a field; in JSON numbers stay numbers.
enum LogValue {
  case string(String)
  case integer(Int)
  case list([LogValue])
  case object([(name: String, value: LogValue)])
}

/// What one line says.
struct LogLine {
  let time: Timestamp
  let level: Logger.Level
  let message: String
  let fields: [(name: String, value: LogValue)]

  /// The line with its line feed.
  func bytes(_ format: LogFormat) -> [UInt8] {
    switch format {
    case .text:
      var text = "\(time) \(level) \(Self.withoutControls(message))"
      for (name, value) in fields { text += " \(name)=\(Self.text(of: value))" }
      return Array((text + "\n").utf8)
    case .json:
      var writer = JSONWriter(reserving: 512)
      writer.object { writer in
        writer.member("time")
        writer.string(time.description)
        writer.member("level")
        writer.string(level.rawValue)
        writer.member("message")
        writer.string(message)
        for (name, value) in fields {
          writer.member(name)
          Self.write(value, to: &writer)
        }
      }
      return writer.text + [UInt8(ascii: "\n")]
    }
  }

  private static func write(_ value: LogValue, to writer: inout JSONWriter) {
    switch value {
    case .string(let text): writer.string(text)
    case .integer(let number): writer.integer(number)
    case .list(let values): writer.array { writer in for value in values { write(value, to: &writer) } }
    case .object(let members):
      writer.object { writer in
        for (name, value) in members {
          writer.member(name)
          write(value, to: &writer)
        }
      }
    }
  }

  private static func text(of value: LogValue) -> String {
    switch value {
    case .string(let text): quoted(text)
    case .integer(let number): String(number)
    case .list(let values): "[\(values.map { Self.text(of: $0) }.joined(separator: ", "))]"
    case .object(let members):
      "{\(members.map { "\($0.name)=\(Self.text(of: $0.value))" }.joined(separator: " "))}"
    }
  }

  /// In quotation marks where a reader could not tell where it ends.
  private static func quoted(_ text: String) -> String {
    let text = withoutControls(text)
    let isPlain = !text.isEmpty && !text.utf8.contains { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\"") }
    return isPlain
      ? text : "\"\(text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\\\""))\""
  }

  /// Nothing in a line ends it, or speaks to a terminal.
  private static func withoutControls(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
    var clean = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      clean.append(scalar.properties.generalCategory == .control ? "\u{FFFD}" : scalar)
    }
    return String(clean)
  }
}

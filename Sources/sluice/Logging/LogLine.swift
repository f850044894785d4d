import Logging
import TensorCoding

/// How lines look.
enum LogFormat: String, CaseIterable {
  /// `2026-01-02T03:04:05.678Z info ready workers=2`, for people.
  case text
  /// `{"time":"2026-01-02T03:04:05.678Z","level":"info","message":"ready","workers":2}`, for programs.
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

/// A value with structure; in JSON numbers stay numbers.
enum LogValue {
  case string(String)
  case integer(Int)
  case list([LogValue])
  case object([(name: String, value: LogValue)])
}

/// A line while it is being written: each field goes straight into its bytes.
struct LogLine {
  private let format: LogFormat
  private var bytes: [UInt8] = []

  init(_ format: LogFormat, at time: Timestamp = .now(), _ level: Logger.Level, _ message: String) {
    self.format = format
    bytes.reserveCapacity(512)
    switch format {
    case .text:
      time.append(to: &bytes)
      bytes.append(UInt8(ascii: " "))
      bytes.append(contentsOf: level.rawValue.utf8)
      bytes.append(UInt8(ascii: " "))
      appendWithoutControls(message, escapingQuotes: false)
    case .json:
      bytes.appendLiteral(#"{"time":""#)
      time.append(to: &bytes)
      bytes.appendLiteral(#"","level":"#)
      bytes.appendString(level.rawValue)
      bytes.appendLiteral(#","message":"#)
      bytes.appendString(message)
    }
  }

  mutating func field(_ name: String, _ text: String) {
    begin(name)
    append(text)
  }

  mutating func field(_ name: String, _ number: Int) {
    begin(name)
    bytes.appendInteger(number)
  }

  mutating func field(_ name: String, _ value: LogValue) {
    begin(name)
    append(value)
  }

  /// The line with its line feed.
  consuming func finish() -> [UInt8] {
    if format == .json { bytes.append(UInt8(ascii: "}")) }
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  private mutating func begin(_ name: String) {
    switch format {
    case .text:
      bytes.append(UInt8(ascii: " "))
      bytes.append(contentsOf: name.utf8)
      bytes.append(UInt8(ascii: "="))
    case .json:
      bytes.append(UInt8(ascii: ","))
      bytes.appendString(name)
      bytes.append(UInt8(ascii: ":"))
    }
  }

  private mutating func append(_ value: LogValue) {
    switch value {
    case .string(let text): append(text)
    case .integer(let number): bytes.appendInteger(number)
    case .list(let values):
      bytes.append(UInt8(ascii: "["))
      for (index, value) in values.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(value)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        append(member.name)
        bytes.append(format == .json ? UInt8(ascii: ":") : UInt8(ascii: "="))
        append(member.value)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  /// In a text line, in quotation marks where a reader could not tell where it ends.
  private mutating func append(_ text: String) {
    guard format == .text else { return bytes.appendString(text) }
    let isPlain = !text.isEmpty && !text.utf8.contains { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\"") }
    if isPlain { return appendWithoutControls(text, escapingQuotes: false) }
    bytes.append(UInt8(ascii: "\""))
    appendWithoutControls(text, escapingQuotes: true)
    bytes.append(UInt8(ascii: "\""))
  }

  /// Nothing in a line ends it, or speaks to a terminal: control characters, U+0080 … U+009F among them, become U+FFFD.
  private mutating func appendWithoutControls(_ text: String, escapingQuotes: Bool) {
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0..<0x20, 0x7F..<0xA0: bytes.append(contentsOf: "\u{FFFD}".utf8)
      case 0x22 where escapingQuotes: bytes.appendLiteral(#"\""#)
      default: bytes.append(contentsOf: UTF8.encode(scalar)!)
      }
    }
  }
}

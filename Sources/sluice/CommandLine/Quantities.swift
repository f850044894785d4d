import ArgumentParser

/// A time on the command line: `250ms`, `10s`, `2m`; a bare number is seconds.
struct TimeSpan: ExpressibleByArgument, CustomStringConvertible {
  let duration: Duration

  static func seconds(_ seconds: Int) -> TimeSpan { TimeSpan(duration: .seconds(seconds)) }

  init(duration: Duration) {
    self.duration = duration
  }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int32(digits) else { return nil }
    switch argument.dropFirst(digits.count) {
    case "us": duration = .microseconds(number)
    case "ms": duration = .milliseconds(number)
    case "", "s": duration = .seconds(number)
    case "m": duration = .seconds(60 * Int64(number))
    case "h": duration = .seconds(3600 * Int64(number))
    default: return nil
    }
    guard duration <= Self.longest else { return nil }
  }

  /// Some 31 years: beyond any sense, and its nanoseconds far from an overflow.
  private static let longest = Duration.seconds(1_000_000_000)

  var description: String {
    let (seconds, attoseconds) = duration.components
    if attoseconds == 0 { return "\(seconds)s" }
    let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
    return microseconds.isMultiple(of: 1000) ? "\(microseconds / 1000)ms" : "\(microseconds)us"
  }

  var defaultValueDescription: String { description }

  var nanoseconds: UInt64 {
    let (seconds, attoseconds) = duration.components
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }
}

/// A length on the command line: `65536`, `64K`, `64M`; the units are powers of 1024, `KiB` and `MiB` mean the same.
struct ByteCount: ExpressibleByArgument, CustomStringConvertible {
  let bytes: Int

  init(_ bytes: Int) {
    self.bytes = bytes
  }

  init?(argument: String) {
    let digits = argument.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits), number > 0 else { return nil }
    let unit: Int
    switch argument.dropFirst(digits.count) {
    case "": unit = 1
    case "K", "KiB": unit = 1 << 10
    case "M", "MiB": unit = 1 << 20
    case "G", "GiB": unit = 1 << 30
    default: return nil
    }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    bytes = product
  }

  var description: String {
    if bytes.isMultiple(of: 1 << 20) { return "\(bytes >> 20)M" }
    return bytes.isMultiple(of: 1 << 10) ? "\(bytes >> 10)K" : "\(bytes)"
  }

  var defaultValueDescription: String { description }
}

/// A number of things on the command line: at least 1.
struct Count: ExpressibleByArgument, CustomStringConvertible {
  let value: Int

  init(_ value: Int) {
    self.value = value
  }

  init?(argument: String) {
    guard let number = Int(argument), number > 0 else { return nil }
    value = number
  }

  var description: String { "\(value)" }
  var defaultValueDescription: String { description }
}

/// Help texts with a word for the flag's value.
extension ArgumentHelp {
  static func time(_ text: String) -> ArgumentHelp { ArgumentHelp("\(text)", valueName: "time") }
  static func octets(_ text: String) -> ArgumentHelp { ArgumentHelp("\(text)", valueName: "octets") }
  static func number(_ text: String) -> ArgumentHelp { ArgumentHelp("\(text)", valueName: "n") }
  static func address(_ text: String) -> ArgumentHelp { ArgumentHelp("\(text)", valueName: "address") }
  static func path(_ text: String) -> ArgumentHelp { ArgumentHelp("\(text)", valueName: "path") }
}

import HTTP1
import InferenceAPI

/// Why a file of keys is not used; each names the file, and none says what stands in it.
enum KeyFileError: Error, Equatable, CustomStringConvertible {
  case unreadable(path: String, reason: String)
  case line(path: String, number: Int, reason: String)
  case empty(path: String)

  var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): \(reason)"
    case .line(let path, let number, let reason): "\(path), line \(number): \(reason)"
    case .empty(let path): "\(path): there is no key in it, and nobody would be let in"
    }
  }
}

/// The file that `--api-keys` names: a key a line, in the words that `sluice key` prints.
///
/// ```
/// # name  SHA-256 of the token      what it may
/// alice   sha256:9f86d081884c7d65…  rate=100 burst=200 concurrency=8
/// ```
/// Empty lines and what stands behind `#` at the beginning of a line count for nothing.
struct KeyFile {
  let rules: [KeyRule]

  /// - Throws: `.unreadable`, `.line` with the first line that is wrong, `.empty`.
  init(path: String) throws(KeyFileError) {
    let text: String
    do { text = try SmallFile.read(path) } catch { throw .unreadable(path: path, reason: error.description) }
    try self.init(text: text, path: path)
  }

  init(text: String, path: String) throws(KeyFileError) {
    var rules: [KeyRule] = []
    var names: Set<String> = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      let rule: KeyRule
      do throws(KeyLineFlaw) { rule = try KeyRule(words: words) } catch {
        throw .line(path: path, number: index + 1, reason: error.reason)
      }
      guard names.insert(rule.name).inserted else {
        throw .line(path: path, number: index + 1, reason: "the name \(rule.name) stands twice")
      }
      rules.append(rule)
    }
    if rules.isEmpty { throw .empty(path: path) }
    self.rules = rules
  }
}

/// What is wrong with one line.
struct KeyLineFlaw: Error {
  let reason: String
}

extension KeyRule {
  /// Whether a key can have the name, which labels its metrics and stands in the log.
  static func isName(_ name: some StringProtocol) -> Bool {
    1...64 ~= name.utf8.count
      && name.utf8.allSatisfy { octet in
        switch octet {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  fileprivate init(words: [Substring]) throws(KeyLineFlaw) {
    guard Self.isName(words[0]) else {
      throw KeyLineFlaw(reason: "a name has 1 to 64 letters, digits and any of - _ .")
    }
    guard words.count > 1, words[1].hasPrefix("sha256:"),
      let octets = Hexadecimal.octets(words[1].dropFirst("sha256:".count)), let digest = TokenDigest(octets)
    else { throw KeyLineFlaw(reason: "the name is followed by sha256: and 64 hexadecimal digits") }
    var rate: Double?
    var burst: Double?
    var concurrency: Int?
    for word in words.dropFirst(2) {
      let parts = word.split(separator: "=", maxSplits: 1)
      switch (parts.first, parts.last.flatMap { Double($0) }) {
      case ("rate", let value?) where value > 0 && value <= 1e9 && rate == nil: rate = value
      case ("burst", let value?) where value >= 1 && value <= 1e9 && burst == nil: burst = value
      case ("concurrency", let value?)
      where value >= 1 && value <= 1e9 && value == value.rounded() && concurrency == nil:
        concurrency = Int(value)
      case ("rate", _): throw KeyLineFlaw(reason: "\(word): a rate stands once, above 0 and at most 1e9 a second")
      case ("burst", _): throw KeyLineFlaw(reason: "\(word): a burst stands once, from 1 to 1e9")
      case ("concurrency", _):
        throw KeyLineFlaw(reason: "\(word): a concurrency stands once, a whole number from 1 to 1e9")
      default: throw KeyLineFlaw(reason: "\(word) is none of rate=…, burst=… and concurrency=…")
      }
    }
    if burst != nil, rate == nil { throw KeyLineFlaw(reason: "a burst goes with a rate") }
    self.init(
      name: String(words[0]), digest: digest, rate: rate, burst: burst ?? Swift.max(1, rate ?? 1),
      concurrency: concurrency)
  }
}

/// Two digits an octet.
enum Hexadecimal {
  static func text(_ octets: [UInt8]) -> String {
    octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  static func octets(_ digits: some StringProtocol) -> [UInt8]? {
    let digits = Array(digits.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var octets: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
      guard let high = digits[place].hexadecimalDigit, let low = digits[place + 1].hexadecimalDigit else { return nil }
      octets.append(UInt8(high << 4 | low))
    }
    return octets
  }
}

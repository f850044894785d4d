/// Finds where an answer of HTTP/1.1 ends, and its status; what it says otherwise is passed over.
///
/// The end is known by Content-Length, or by a status that has no content (RFC 9112 §6.3). Interim answers (1xx) are
/// passed over.
struct ReplyReader {
  enum Progress {
    case incomplete
    case complete
    /// Not HTTP/1, a head beyond its limit, or an end that only closing would tell.
    case unreadable
  }

  /// Of a complete answer.
  private(set) var status = 0
  /// Whether the server closes the connection after it.
  private(set) var closesConnection = false
  /// A head that came in pieces, as far as it is here.
  private var head: [UInt8] = []
  /// Octets of content to come; nil while the head does.
  private var remaining: Int?

  /// Takes what came next; octets beyond the answer's end are not looked at.
  mutating func take(_ octets: ArraySlice<UInt8>) -> Progress {
    var octets = octets
    while remaining == nil {
      if !head.isEmpty {
        head += octets
        octets = head[...]
      }
      guard let end = Self.endOfHead(octets) else {
        if head.isEmpty { head = Array(octets) }
        return head.count > Self.headLimit ? .unreadable : .incomplete
      }
      guard parse(octets[..<end]) else { return .unreadable }
      octets = octets[end...]
      head = []
    }
    remaining! -= octets.count
    return remaining! <= 0 ? .complete : .incomplete
  }

  /// The index after the empty line.
  private static func endOfHead(_ octets: ArraySlice<UInt8>) -> Int? {
    var offset = octets.startIndex
    while let feed = octets[offset...].firstIndex(of: UInt8(ascii: "\n")) {
      offset = feed + 1
      guard offset + 1 < octets.endIndex else { return nil }
      if octets[offset] == UInt8(ascii: "\r"), octets[offset + 1] == UInt8(ascii: "\n") { return offset + 2 }
    }
    return nil
  }

  private mutating func parse(_ head: ArraySlice<UInt8>) -> Bool {
    var lines = head.split(separator: UInt8(ascii: "\n"))[...]
    guard let words = lines.popFirst()?.split(separator: UInt8(ascii: " "), maxSplits: 2), words.count >= 2,
      words[0].starts(with: "HTTP/1.".utf8), let status = Self.number(words[1])
    else { return false }
    if (100..<200).contains(status) { return true }
    self.status = status
    var length = status == 204 || status == 304 ? 0 : nil
    for line in lines {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let value = line[(colon + 1)...].drop { $0 == UInt8(ascii: " ") }
      if Self.equals(line[..<colon], "content-length") { length = length ?? Self.number(value) }
      if Self.equals(line[..<colon], "connection"), Self.equals(value, "close") { closesConnection = true }
    }
    remaining = length
    return length != nil
  }

  /// Decimal digits, up to the line's end.
  private static func number(_ octets: ArraySlice<UInt8>) -> Int? {
    Int(String(decoding: octets.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self))
  }

  /// - Parameter lowercase: letters and hyphens.
  private static func equals(_ octets: ArraySlice<UInt8>, _ lowercase: StaticString) -> Bool {
    let octets = octets.last == UInt8(ascii: "\r") ? octets.dropLast() : octets
    guard octets.count == lowercase.utf8CodeUnitCount else { return false }
    return lowercase.withUTF8Buffer { zip(octets, $0).allSatisfy { $0 | 0x20 == $1 } }
  }

  private static let headLimit = 1 << 16
}

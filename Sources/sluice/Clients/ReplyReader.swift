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
  private var head: [UInt8] = []
  /// Octets of content to come; nil while the head does.
  private var remaining: Int?

  /// Takes what came next; octets beyond the answer's end are not looked at.
  mutating func take(_ octets: ArraySlice<UInt8>) -> Progress {
    var octets = octets
    while remaining == nil {
      let searched = max(0, head.count - 3)
      head += octets
      guard let end = Self.endOfHead(head, from: searched) else {
        return head.count > Self.headLimit ? .unreadable : .incomplete
      }
      octets = head[end...]
      guard parse(String(decoding: head[..<end], as: UTF8.self)) else { return .unreadable }
      head = []
    }
    remaining! -= octets.count
    return remaining! <= 0 ? .complete : .incomplete
  }

  /// The index after the empty line.
  private static func endOfHead(_ octets: [UInt8], from start: Int) -> Int? {
    var offset = start
    while offset + 4 <= octets.count {
      if octets[offset] == 0x0d, octets[offset + 1] == 0x0a, octets[offset + 2] == 0x0d, octets[offset + 3] == 0x0a {
        return offset + 4
      }
      offset += 1
    }
    return nil
  }

  private mutating func parse(_ head: String) -> Bool {
    let lines = head.split(separator: "\r\n")
    let words = lines.first?.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false) ?? []
    guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return false }
    if (100..<200).contains(status) { return true }
    self.status = status
    var length = status == 204 || status == 304 ? 0 : nil
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { return false }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      switch line[..<colon].lowercased() {
      case "content-length": length = length ?? Int(value)
      case "connection": closesConnection = closesConnection || value.lowercased() == "close"
      default: break
      }
    }
    remaining = length
    return length != nil
  }

  private static let headLimit = 1 << 16
}

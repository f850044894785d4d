/// Finds where an answer of HTTP/1.1 ends, and its status; what it says otherwise is passed over.
///
/// The end is known by Content-Length, or by a status that has no content (RFC 9112 §6.3). Interim answers (1xx) are
/// passed over. A head that comes in one piece is read where it lies.
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
  mutating func take(_ octets: Span<UInt8>) -> Progress {
    if head.isEmpty { return interpret(octets) }
    keep(octets)
    var whole: [UInt8] = []
    swap(&whole, &head)
    return interpret(whole.span)
  }

  private mutating func interpret(_ octets: Span<UInt8>) -> Progress {
    var offset = 0
    while remaining == nil {
      let rest = octets.extracting(offset..<octets.count)
      guard let end = Self.endOfHead(rest) else {
        keep(rest)
        return head.count > Self.headLimit ? .unreadable : .incomplete
      }
      guard parse(rest.extracting(..<end)) else { return .unreadable }
      offset += end
    }
    remaining! -= octets.count - offset
    return remaining! <= 0 ? .complete : .incomplete
  }

  private mutating func keep(_ octets: Span<UInt8>) {
    for index in octets.indices { head.append(octets[index]) }
  }

  /// The index after the empty line.
  private static func endOfHead(_ octets: Span<UInt8>) -> Int? {
    var index = 3
    while index < octets.count {
      switch octets[index] {
      case UInt8(ascii: "\n"):
        if octets[index - 1] == UInt8(ascii: "\r"), octets[index - 2] == UInt8(ascii: "\n"),
          octets[index - 3] == UInt8(ascii: "\r")
        {
          return index + 1
        }
        index += 2
      case UInt8(ascii: "\r"): index += 1
      // It is none of the four octets CR LF CR LF, so they end beyond the next three.
      default: index += 4
      }
    }
    return nil
  }

  /// - Parameter head: with the empty line at its end.
  private mutating func parse(_ head: Span<UInt8>) -> Bool {
    let statusLine = head.extracting(..<Self.endOfLine(head, from: 0))
    guard let status = Self.status(statusLine) else { return false }
    if (100..<200).contains(status) { return true }
    self.status = status
    var length = status == 204 || status == 304 ? 0 : nil
    var start = statusLine.count + 2
    while start < head.count {
      let end = Self.endOfLine(head, from: start)
      let line = head.extracting(start..<end)
      if length == nil, let value = Self.valueIndex(line, of: Self.contentLength) {
        length = Self.number(line.extracting(value..<line.count))
      }
      if let value = Self.valueIndex(line, of: Self.connection) {
        let isClose = Self.begins(line.extracting(value..<line.count), with: Self.close)
        if isClose, line.count == value + Self.close.count { closesConnection = true }
      }
      start = end + 2
    }
    remaining = length
    return length != nil
  }

  /// The index of the CR LF that ends a line; that of the end where none does.
  private static func endOfLine(_ octets: Span<UInt8>, from start: Int) -> Int {
    var index = start
    while index < octets.count, octets[index] != UInt8(ascii: "\r") { index += 1 }
    return index
  }

  /// status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112 §4)
  private static func status(_ line: Span<UInt8>) -> Int? {
    guard begins(line, with: version), line.count >= version.count + 5, line[version.count + 1] == UInt8(ascii: " ")
    else { return nil }
    let code = line.extracting((version.count + 2)..<line.count)
    if code.count > 3, code[3] != UInt8(ascii: " ") { return nil }
    return number(code.extracting(..<3))
  }

  /// Where the value of a field of this name begins; nil of another one.
  private static func valueIndex(_ line: Span<UInt8>, of name: [UInt8]) -> Int? {
    guard line.count > name.count, line[name.count] == UInt8(ascii: ":"), begins(line, with: name) else { return nil }
    var index = name.count + 1
    while index < line.count, line[index] == UInt8(ascii: " ") { index += 1 }
    return index
  }

  /// Decimal digits and nothing else.
  private static func number(_ octets: Span<UInt8>) -> Int? {
    guard !octets.isEmpty, octets.count <= 18 else { return nil }
    var number = 0
    for index in octets.indices {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(octets[index]) else { return nil }
      number = 10 * number + Int(octets[index] & 0xf)
    }
    return number
  }

  /// - Parameter lowercase: letters, and octets whose sixth bit is set.
  private static func begins(_ octets: Span<UInt8>, with lowercase: [UInt8]) -> Bool {
    guard octets.count >= lowercase.count else { return false }
    for index in lowercase.indices where octets[index] | 0x20 != lowercase[index] { return false }
    return true
  }

  private static let version = Array("http/1.".utf8)
  private static let contentLength = Array("content-length".utf8)
  private static let connection = Array("connection".utf8)
  private static let close = Array("close".utf8)
  private static let headLimit = 1 << 16
}

/// Reads a head whose end has been found.
enum HeadParser {
  /// - Parameters:
  ///   - input: holds the head at `start..<start + length`.
  ///   - scan: the scanner that found its end, so that every LF in it follows a CR and it ends with an empty line.
  static func parse(
    _ input: RawSpan, from start: Int, length: Int, scan: HeadScanner
  ) throws(ProtocolError) -> RequestHead {
    let head = input.extracting(start..<start + length)
    let method = method(head, scan)
    let parts = try TargetParts(head, scan.methodEnd + 1..<scan.targetEnd, method: method)

    var positions: [Fields.Position] = []
    positions.reserveCapacity(scan.fieldCount)
    var control = ControlFields()
    var offset = scan.requestLineEnd
    while head.octet(offset) != .carriageReturn {
      let (name, value) = try fieldLine(head, &offset)
      positions.append(Fields.Position(name: name, value: value))
      control.note(head, name: name, value: value)
    }
    // A CR that opens a line opens the empty one at the end, or it is a CR without its LF.
    guard offset + 2 == length else { throw .bareCarriageReturn }

    let host = try control.checkedHost(head, scan.version)
    let framing = try control.framing.framing(scan.version)
    // Unsafe: the pointer lives as long as the copy that is made of it.
    let octets = head.withUnsafeBytes { [UInt8]($0) }
    return RequestHead(
      method: method, version: scan.version, fields: Fields(octets: octets, positions: positions), framing: framing,
      expectsContinue: try control.expectsContinue(scan.version) && framing.hasContent,
      isPersistent: control.isPersistent(scan.version), parts: parts, host: host)
  }

  /// The method of a head whose request line has been scanned that far.
  static func method(_ head: RawSpan, _ scan: HeadScanner) -> Method { Method(head.text(0..<scan.methodEnd)) }

  /// Reads `field-name ":" OWS field-value OWS CRLF` at `offset` and moves it behind (RFC 9112 §5).
  ///
  /// - Returns: where name and value are, the value without whitespace at its ends.
  private static func fieldLine(
    _ head: RawSpan, _ offset: inout Int
  ) throws(ProtocolError) -> (name: Range<Int>, value: Range<Int>) {
    let start = offset
    while OctetSet.token.contains(head.octet(offset)) { offset += 1 }
    let name = start..<offset
    let octet = head.octet(offset)
    guard octet == .colon, !name.isEmpty else {
      if octet.isWhitespace { throw name.isEmpty ? .lineFolded : .whitespaceBeforeColon }
      throw octet == .carriageReturn ? .colonMissing : .fieldNameMalformed
    }
    let value = try fieldValue(head, from: offset + 1)
    offset = value.upperBound + 2
    return (name, head.trimmingWhitespace(value))
  }

  /// Finds the CR LF that ends the value at `start`: HTAB, SP, VCHAR and obs-text, and no other octet (RFC 9110 §5.5).
  private static func fieldValue(_ head: RawSpan, from start: Int) throws(ProtocolError) -> Range<Int> {
    var end = head.firstControl(from: start, to: head.byteCount)
    while head.octet(end) == .horizontalTab { end = head.firstControl(from: end + 1, to: head.byteCount) }
    guard head.octet(end) == .carriageReturn else { throw .fieldValueMalformed }
    guard head.octet(end + 1) == .lineFeed else { throw .bareCarriageReturn }
    return start..<end
  }
}

/// The fields that decide how a request is read, found among the others by the length of their names.
private struct ControlFields {
  var framing = FramingFields()
  private var hosts = 0
  private var host: Range<Int>?
  private var closes = false
  private var keepsAlive = false
  private var expectsContinue = false
  private var expectsMore = false

  mutating func note(_ head: RawSpan, name: Range<Int>, value: Range<Int>) {
    switch name.count {
    case 4 where head.matches(name, "host"):
      hosts += 1
      host = value
    case 6 where head.matches(name, "expect"):
      var found = (self.expectsContinue, self.expectsMore)
      head.forEachListElement(in: value) { element in
        if head.matches(element, "100-continue") { found.0 = true } else if !element.isEmpty { found.1 = true }
      }
      (expectsContinue, expectsMore) = found
    case 10 where head.matches(name, "connection"):
      var found = (closes, keepsAlive)
      head.forEachListElement(in: value) { option in
        if head.matches(option, "close") { found.0 = true }
        if head.matches(option, "keep-alive") { found.1 = true }
      }
      (closes, keepsAlive) = found
    case 14 where head.matches(name, "content-length"): framing.noteContentLength(head, value)
    case 17 where head.matches(name, "transfer-encoding"): framing.noteTransferEncoding(head, value)
    default: break
    }
  }

  /// Exactly one valid Host, or none with HTTP/1.0 (RFC 9112 §3.2).
  func checkedHost(_ head: RawSpan, _ version: HTTPVersion) throws(ProtocolError) -> Range<Int>? {
    guard hosts <= 1 else { throw .hostRepeated }
    guard let host else {
      if version == .http11 { throw .hostMissing }
      return nil
    }
    guard Authority.isValid(head, host) else { throw .hostMalformed }
    return host
  }

  /// HTTP/1.0 knows no expectations: whatever it says there is ignored (RFC 9110 §10.1.1).
  func expectsContinue(_ version: HTTPVersion) throws(ProtocolError) -> Bool {
    guard version == .http11 else { return false }
    if expectsMore { throw .expectationUnsupported }
    return expectsContinue
  }

  /// `close` wins; HTTP/1.1 persists unless told otherwise, HTTP/1.0 only where told so (RFC 9112 §9.3).
  func isPersistent(_ version: HTTPVersion) -> Bool { !closes && (version == .http11 || keepsAlive) }
}

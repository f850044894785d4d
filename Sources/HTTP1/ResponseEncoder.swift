/// Writes responses as octets of HTTP/1.1 (RFC 9112 §4, §6).
///
/// It alone writes what frames a message: Content-Length (always, but with 1xx, 204 and 304), Connection, Date. Such
/// fields of the response itself, and Transfer-Encoding, are left out. A control octet in a value is written as a space
/// (RFC 9110 §5.5), so that no value can end its line and split the response.
package enum ResponseEncoder {
  /// What the request and the connection make of a response; `ConnectionState` decides it.
  package struct Framing: Hashable, Sendable {
    package enum Connection: Hashable, Sendable {
      /// HTTP/1.1, and more may follow: nothing is said.
      case persistent
      /// HTTP/1.0, and more may follow: `Connection: keep-alive`.
      case keepAlive
      /// Nothing follows: `Connection: close`.
      case close
    }

    package var connection: Connection

    /// Whether the answer ends with its head, since the request was HEAD.
    package var omitsContent: Bool

    package init(connection: Connection, omitsContent: Bool) {
      self.connection = connection
      self.omitsContent = omitsContent
    }
  }

  /// `HTTP/1.1 100 Continue` and an empty line.
  package static func appendContinue(to output: inout [UInt8]) {
    output.append(contentsOf: "HTTP/1.1 100 Continue\r\n\r\n".utf8)
  }

  /// Appends the head and, where one is sent, the content: one buffer, one write.
  ///
  /// - Parameter date: the value of Date, as `HTTPDate` writes it; may be empty where the server has no clock.
  package static func append(_ response: Response, _ framing: Framing, date: [UInt8], to output: inout [UInt8]) {
    appendHead(response, framing, date: date, to: &output)
    if sendsContent(response, framing) { output.append(contentsOf: response.body) }
  }

  /// Appends the head alone, for a caller that writes a large content from where it is.
  ///
  /// - Returns: whether the response's body follows.
  @discardableResult
  package static func appendHead(
    _ response: Response, _ framing: Framing, date: [UInt8], to output: inout [UInt8]
  ) -> Bool {
    let size = output.count + 256 + 64 * response.fields.count
    // At least doubled, so that the answers to many pipelined requests are not moved once for each.
    if output.capacity < size { output.reserveCapacity(max(size, 2 * output.capacity)) }
    output.append(contentsOf: "HTTP/1.1 ".utf8)
    appendDecimal(response.status.code, to: &output)
    output.append(.space)
    output.append(contentsOf: response.status.reason.utf8)
    appendLineEnd(to: &output)

    for (name, value) in response.fields where !isOwn(name) {
      output.append(contentsOf: name.text.utf8)
      output.append(.colon)
      output.append(.space)
      appendValue(value, to: &output)
      appendLineEnd(to: &output)
    }
    if !response.status.forbidsContent {
      output.append(contentsOf: "Content-Length: ".utf8)
      appendDecimal(response.status == .resetContent ? 0 : response.body.count, to: &output)
      appendLineEnd(to: &output)
    }
    if !date.isEmpty {
      output.append(contentsOf: "Date: ".utf8)
      output.append(contentsOf: date)
      appendLineEnd(to: &output)
    }
    switch framing.connection {
    case .persistent: break
    case .keepAlive: output.append(contentsOf: "Connection: keep-alive\r\n".utf8)
    case .close: output.append(contentsOf: "Connection: close\r\n".utf8)
    }
    appendLineEnd(to: &output)
    return sendsContent(response, framing)
  }

  /// 205 has no content (RFC 9110 §15.3.6), the statuses of RFC 9112 §6.3 neither, nor an answer to HEAD.
  private static func sendsContent(_ response: Response, _ framing: Framing) -> Bool {
    !framing.omitsContent && !response.status.forbidsContent && response.status != .resetContent
  }

  private static func isOwn(_ name: FieldName) -> Bool {
    switch name.text.utf8.count {
    case 4: name == .date
    case 10: name == .connection
    case 14: name == .contentLength
    case 17: name == .transferEncoding
    default: false
    }
  }

  private static func appendLineEnd(to output: inout [UInt8]) {
    output.append(.carriageReturn)
    output.append(.lineFeed)
  }

  private static func appendValue(_ value: String, to output: inout [UInt8]) {
    var checked = output.count
    output.append(contentsOf: value.utf8)
    while true {
      checked = output.span.bytes.firstControl(from: checked, to: output.count)
      if checked == output.count { return }
      if output[checked].isForbiddenInValue { output[checked] = .space }
      checked += 1
    }
  }

  /// - Precondition: `value` is not negative.
  private static func appendDecimal(_ value: Int, to output: inout [UInt8]) {
    var power = 1
    while value / power >= 10 { power *= 10 }
    while power > 0 {
      output.append(0x30 + UInt8(truncatingIfNeeded: value / power % 10))
      power /= 10
    }
  }
}

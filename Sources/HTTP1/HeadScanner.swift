/// Finds the end of a head while its octets arrive, each looked at once, and refuses what no request can begin with.
///
/// The request line is judged octet by octet: a TLS ClientHello fails at its first one. Of the fields only the line
/// endings are looked at here; `HeadParser` reads them once they are all there. A verdict depends on the octets before
/// it alone, never on how they were split.
struct HeadScanner: Sendable {
  private enum Part: Sendable {
    case method, target, version, fields
  }

  private var part = Part.method

  /// How many octets of the head have been looked at.
  private(set) var scanned = 0

  /// Where the method, the target and the request line (after its CRLF) end, from the beginning of the head.
  private(set) var methodEnd = 0
  private(set) var targetEnd = 0
  private(set) var requestLineEnd = 0
  private(set) var version = HTTPVersion.http11

  private(set) var fieldCount = 0
  private var lineStart = 0
  private var major: UInt8 = 0

  /// Whether the method is known.
  var hasMethod: Bool { part != .method }

  /// Looks at the octets of `input` from `start`, the head's first one, that it has not seen yet.
  ///
  /// - Returns: the length of the head, its empty line included, once that is there.
  mutating func scan(_ input: RawSpan, from start: Int, _ limits: Limits) throws(ProtocolError) -> Int? {
    let count = input.byteCount - start
    while part != .fields {
      guard scanned < count else { return nil }
      try scanRequestLine(input.octet(start + scanned), limits)
      scanned += 1
    }
    let end = min(count, limits.headBytes)
    while let lineFeed = input.firstLineFeed(from: start + scanned, to: max(start + end, start + scanned)) {
      let offset = lineFeed - start
      guard input.octet(lineFeed - 1) == .carriageReturn else { throw .bareLineFeed }
      scanned = offset + 1
      if offset == lineStart + 1 { return scanned }
      fieldCount += 1
      guard fieldCount <= limits.fieldCount else { throw .tooManyFields }
      lineStart = scanned
    }
    guard count < limits.headBytes else { throw .headTooLarge }
    scanned = count
    return nil
  }

  private mutating func scanRequestLine(_ octet: UInt8, _ limits: Limits) throws(ProtocolError) {
    switch part {
    case .method:
      if octet == .space, scanned > 0 {
        methodEnd = scanned
        part = .target
      } else {
        guard OctetSet.token.contains(octet) else { throw octet == .lineFeed ? .bareLineFeed : .methodMalformed }
        guard scanned < limits.methodBytes else { throw .methodTooLong }
      }
    case .target:
      let length = scanned - methodEnd - 1
      if octet == .space, length > 0 {
        targetEnd = scanned
        part = .version
      } else {
        guard octet > .space, octet < 0x7F else {
          throw octet == .carriageReturn ? .versionMalformed : octet == .lineFeed ? .bareLineFeed : .targetMalformed
        }
        guard length < limits.targetBytes else { throw .targetTooLong }
      }
    case .version: try scanVersion(octet, at: scanned - targetEnd - 1)
    case .fields: break
    }
  }

  /// `HTTP/`, a digit, a period, a digit and CRLF, in this case and without anything more (RFC 9112 §2.3).
  private mutating func scanVersion(_ octet: UInt8, at index: Int) throws(ProtocolError) {
    switch index {
    case 0..<5: guard octet == ("HTTP/" as StaticString).utf8Start[index] else { throw .versionMalformed }
    case 5:
      guard octet.decimalDigit != nil else { throw .versionMalformed }
      major = octet
    case 6: guard octet == .period else { throw .versionMalformed }
    case 7:
      guard let minor = octet.decimalDigit else { throw .versionMalformed }
      version = minor == 0 ? .http10 : .http11
    case 8: guard octet == .carriageReturn else { throw octet == .lineFeed ? .bareLineFeed : .versionMalformed }
    default:
      guard octet == .lineFeed else { throw .bareCarriageReturn }
      guard major == 0x31 else { throw .versionUnsupported }
      part = .fields
      requestLineEnd = scanned + 1
      lineStart = requestLineEnd
    }
  }
}

/// Reads content in the chunked coding (RFC 9112 §7.1) in place, octet by octet outside the data.
///
/// ```
/// chunk        = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
/// chunk-size   = 1*HEXDIG
/// chunk-ext    = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
/// last-chunk   = 1*("0") [ chunk-ext ] CRLF trailer-section CRLF
/// ```
/// Extensions and trailer fields are checked against their grammar, counted against their limits and dropped: no
/// trailer can change what its request means (RFC 9110 §6.5.1).
struct ChunkedDecoder: Sendable {
  enum Step {
    case needsMoreInput
    /// Octets of content at these positions of the input.
    case content(Range<Int>)
    case end
  }

  private enum Part: Sendable {
    case size
    case `extension`(ChunkExtension)
    case sizeLineFeed
    case data
    case dataCarriageReturn
    case dataLineFeed
    case trailers(TrailerSection)
  }

  private var part = Part.size
  private var size = 0
  private var digits = 0
  private var lineBytes = 0
  private var extensionBytes = 0
  private var contentBytes = 0

  /// Octets of the present chunk's data that have not come yet.
  var dataRemaining: Int {
    if case .data = part { size } else { 0 }
  }

  /// Notes that the next `count` octets of data went past this decoder.
  mutating func passOver(_ count: Int) {
    precondition(count >= 0 && count <= dataRemaining)
    size -= count
    if size == 0 { part = .dataCarriageReturn }
  }

  /// Reads on from `offset` and moves it behind what was read.
  ///
  /// - Parameter contentLimit: octets of content in all.
  mutating func next(
    _ input: RawSpan, offset: inout Int, contentLimit: Int, _ limits: Limits
  ) throws(ProtocolError) -> Step {
    while offset < input.byteCount {
      if case .data = part {
        let range = offset..<offset + min(size, input.byteCount - offset)
        passOver(range.count)
        offset = range.upperBound
        return .content(range)
      }
      let octet = input.octet(offset)
      offset += 1
      if try read(octet, contentLimit, limits) { return .end }
    }
    return .needsMoreInput
  }

  /// Reads one octet of framing.
  ///
  /// - Returns: whether it was the last one of the content.
  private mutating func read(_ octet: UInt8, _ contentLimit: Int, _ limits: Limits) throws(ProtocolError) -> Bool {
    switch part {
    case .size:
      try countLine(limits)
      try readSize(octet, limits)
    case .extension(var syntax):
      try countLine(limits)
      if try syntax.read(octet) {
        part = .sizeLineFeed
      } else {
        try countExtension(limits)
        part = .extension(syntax)
      }
    case .sizeLineFeed:
      guard octet == .lineFeed else { throw .bareCarriageReturn }
      guard size <= contentLimit - contentBytes else { throw .contentTooLarge }
      contentBytes += size
      part = size == 0 ? .trailers(TrailerSection()) : .data
      digits = 0
      lineBytes = 0
    case .data: break
    case .dataCarriageReturn:
      guard octet == .carriageReturn else { throw octet == .lineFeed ? .bareLineFeed : .chunkUnterminated }
      part = .dataLineFeed
    case .dataLineFeed:
      guard octet == .lineFeed else { throw .bareCarriageReturn }
      part = .size
    case .trailers(var section):
      if try section.read(octet, limits) { return true }
      part = .trailers(section)
    }
    return false
  }

  private mutating func countLine(_ limits: Limits) throws(ProtocolError) {
    lineBytes += 1
    guard lineBytes < limits.chunkLineBytes else { throw .chunkLineTooLong }
  }

  private mutating func countExtension(_ limits: Limits) throws(ProtocolError) {
    extensionBytes += 1
    guard extensionBytes <= limits.chunkExtensionBytes else { throw .chunkExtensionsTooLarge }
  }

  private mutating func readSize(_ octet: UInt8, _ limits: Limits) throws(ProtocolError) {
    if let digit = octet.hexadecimalDigit {
      // Sixteen digits say every size; more are zeros that only make the line longer.
      guard digits < 16, size <= Int.max >> 4 else { throw .chunkSizeOverflow }
      size = size << 4 | digit
      digits += 1
      return
    }
    guard digits > 0 else { throw .chunkSizeMalformed }
    switch octet {
    case .carriageReturn: return part = .sizeLineFeed
    case .semicolon: part = .extension(ChunkExtension(state: .beforeName))
    case .space, .horizontalTab: part = .extension(ChunkExtension(state: .beforeSemicolon))
    case .lineFeed: throw .bareLineFeed
    default: throw .chunkSizeMalformed
    }
    try countExtension(limits)
  }
}

/// The grammar of a chunk's extensions (RFC 9112 §7.1.1), whose meaning nobody here reads.
private struct ChunkExtension: Sendable {
  enum State: Sendable {
    /// Whitespace after the size or after a complete extension: only `;` may follow.
    case beforeSemicolon
    case beforeName, name, afterName
    case beforeValue, value
    case quoted, quotedPair, afterQuoted
  }

  var state: State

  /// - Returns: whether `octet` was the CR of the line's end.
  mutating func read(_ octet: UInt8) throws(ProtocolError) -> Bool {
    if octet == .lineFeed { throw .bareLineFeed }
    switch state {
    case .beforeSemicolon: try readSeparator(octet)
    case .beforeName: try readFirst(octet, of: .name)
    case .name:
      if OctetSet.token.contains(octet) { return false }
      if octet == .equals { state = .beforeValue } else { return try readEnd(octet, whitespace: .afterName) }
    case .afterName:
      if octet == .equals { state = .beforeValue } else if !octet.isWhitespace { try readSeparator(octet) }
    case .beforeValue:
      if octet == .doubleQuote { state = .quoted } else { try readFirst(octet, of: .value) }
    case .value:
      if OctetSet.token.contains(octet) { return false }
      return try readEnd(octet, whitespace: .beforeSemicolon)
    case .quoted:
      switch octet {
      case .doubleQuote: state = .afterQuoted
      case .backslash: state = .quotedPair
      case _ where octet.isForbiddenInValue: throw .chunkExtensionMalformed
      default: break
      }
    case .quotedPair:
      guard !octet.isForbiddenInValue else { throw .chunkExtensionMalformed }
      state = .quoted
    case .afterQuoted: return try readEnd(octet, whitespace: .beforeSemicolon)
    }
    return false
  }

  private mutating func readFirst(_ octet: UInt8, of part: State) throws(ProtocolError) {
    if octet.isWhitespace { return }
    guard OctetSet.token.contains(octet) else { throw .chunkExtensionMalformed }
    state = part
  }

  private mutating func readSeparator(_ octet: UInt8) throws(ProtocolError) {
    if octet.isWhitespace { return }
    guard octet == .semicolon else { throw .chunkExtensionMalformed }
    state = .beforeName
  }

  /// What follows a complete name or value: CR, `;`, or whitespace.
  private mutating func readEnd(_ octet: UInt8, whitespace: State) throws(ProtocolError) -> Bool {
    switch octet {
    case .carriageReturn: return true
    case .semicolon: state = .beforeName
    case .space, .horizontalTab: state = whitespace
    default: throw .chunkExtensionMalformed
    }
    return false
  }
}

/// The grammar of the trailer section (RFC 9112 §7.1.2): field lines as in a head, then an empty line.
private struct TrailerSection: Sendable {
  private enum State: Sendable {
    case lineStart, name, value, lineFeed, lastLineFeed
  }

  private var state = State.lineStart
  private var bytes = 0
  private var fields = 0

  /// - Returns: whether `octet` was the last one of the section.
  mutating func read(_ octet: UInt8, _ limits: Limits) throws(ProtocolError) -> Bool {
    bytes += 1
    guard bytes <= limits.trailerBytes else { throw .trailersTooLarge }
    if octet == .lineFeed, state != .lineFeed, state != .lastLineFeed { throw .bareLineFeed }
    switch state {
    case .lineStart:
      if octet == .carriageReturn {
        state = .lastLineFeed
      } else {
        if octet.isWhitespace { throw .lineFolded }
        guard OctetSet.token.contains(octet) else { throw .fieldNameMalformed }
        fields += 1
        guard fields <= limits.fieldCount else { throw .tooManyFields }
        state = .name
      }
    case .name:
      if OctetSet.token.contains(octet) { break }
      guard octet == .colon else {
        if octet.isWhitespace { throw .whitespaceBeforeColon }
        throw octet == .carriageReturn ? .colonMissing : .fieldNameMalformed
      }
      state = .value
    case .value:
      if octet == .carriageReturn {
        state = .lineFeed
      } else if octet.isForbiddenInValue {
        throw .fieldValueMalformed
      }
    case .lineFeed:
      guard octet == .lineFeed else { throw .bareCarriageReturn }
      state = .lineStart
    case .lastLineFeed:
      guard octet == .lineFeed else { throw .bareCarriageReturn }
      return true
    }
    return false
  }
}

/// Every way in which what a client sent is not an HTTP/1.1 request that this server reads.
///
/// Whichever it is, the framing of what follows is in doubt or the content stays unread: after the answer the
/// connection closes, and nothing that follows on it is ever interpreted (RFC 9112 §2.2, §6.3, §9.6).
package enum ProtocolError: Error, Hashable, Sendable, CaseIterable {
  // The request line (RFC 9112 §3).
  case methodMalformed, methodTooLong
  case targetMalformed, targetTooLong, targetFormMismatch
  case versionMalformed, versionUnsupported

  // Line endings (RFC 9112 §2.2).
  case bareLineFeed, bareCarriageReturn

  // Fields, of the head or the trailer section (RFC 9110 §5, RFC 9112 §5).
  case fieldNameMalformed, colonMissing, whitespaceBeforeColon, lineFolded, fieldValueMalformed
  case headTooLarge, tooManyFields

  // Host (RFC 9112 §3.2).
  case hostMissing, hostRepeated, hostMalformed

  // The framing of content (RFC 9112 §6).
  case contentLengthMalformed, contentLengthRepeated, contentLengthWithTransferEncoding
  case transferEncodingMalformed, transferEncodingInHTTP10, transferCodingUnsupported, chunkedNotLast

  // The chunked coding (RFC 9112 §7.1).
  case chunkSizeMalformed, chunkSizeOverflow, chunkExtensionMalformed, chunkLineTooLong, chunkExtensionsTooLarge
  case chunkUnterminated, trailersTooLarge

  // Content and expectations (RFC 9110 §15.5.14, §10.1.1).
  case contentTooLarge, expectationUnsupported
}

extension ProtocolError {
  /// The status of the answer.
  package var status: Status {
    switch self {
    case .methodTooLong, .transferCodingUnsupported: .notImplemented
    case .targetTooLong: .uriTooLong
    case .versionUnsupported: .httpVersionNotSupported
    case .headTooLarge, .tooManyFields, .trailersTooLarge: .requestHeaderFieldsTooLarge
    case .contentTooLarge: .contentTooLarge
    case .expectationUnsupported: .expectationFailed
    case .methodMalformed, .targetMalformed, .targetFormMismatch, .versionMalformed, .bareLineFeed,
      .bareCarriageReturn, .fieldNameMalformed, .colonMissing, .whitespaceBeforeColon, .lineFolded,
      .fieldValueMalformed, .hostMissing, .hostRepeated, .hostMalformed, .contentLengthMalformed,
      .contentLengthRepeated, .contentLengthWithTransferEncoding, .transferEncodingMalformed,
      .transferEncodingInHTTP10, .chunkedNotLast, .chunkSizeMalformed, .chunkSizeOverflow,
      .chunkExtensionMalformed, .chunkLineTooLong, .chunkExtensionsTooLarge, .chunkUnterminated:
      .badRequest
    }
  }

  /// What is wrong, in words for the client's programmer.
  package var explanation: String {
    switch self {
    case .methodMalformed: "The request does not begin with a method."
    case .methodTooLong: "The method is longer than any that this server knows."
    case .targetMalformed: "The request target is not a valid URI."
    case .targetTooLong: "The request target is too long."
    case .targetFormMismatch: "The form of the request target does not belong to this method."
    case .versionMalformed: "The request line does not end with HTTP/1.1."
    case .versionUnsupported: "The major version of HTTP is not 1."
    case .bareLineFeed: "A line ends with LF alone; HTTP/1.1 lines end with CR LF."
    case .bareCarriageReturn: "There is a CR that no LF follows."
    case .fieldNameMalformed: "A field name is empty or has a character that no token has."
    case .colonMissing: "A field line has no colon."
    case .whitespaceBeforeColon: "There is whitespace between a field name and its colon."
    case .lineFolded: "A field line begins with whitespace; folded lines are obsolete."
    case .fieldValueMalformed: "A field value has a control character."
    case .headTooLarge: "The request line and fields are too large."
    case .tooManyFields: "The request has too many fields."
    case .hostMissing: "An HTTP/1.1 request needs a Host field."
    case .hostRepeated: "The request has more than one Host field."
    case .hostMalformed: "The host is not a valid host with an optional port."
    case .contentLengthMalformed: "Content-Length is not a decimal number in range."
    case .contentLengthRepeated: "The request has more than one Content-Length."
    case .contentLengthWithTransferEncoding: "The request has both Content-Length and Transfer-Encoding."
    case .transferEncodingMalformed: "Transfer-Encoding is not a list of codings."
    case .transferEncodingInHTTP10: "HTTP/1.0 has no Transfer-Encoding."
    case .transferCodingUnsupported: "The only transfer coding that this server decodes is chunked."
    case .chunkedNotLast: "chunked is not the last transfer coding, or not the only chunked."
    case .chunkSizeMalformed: "A chunk size is not a hexadecimal number followed by CR LF or an extension."
    case .chunkSizeOverflow: "A chunk size is out of range."
    case .chunkExtensionMalformed: "A chunk extension is malformed."
    case .chunkLineTooLong: "A chunk's size line is too long."
    case .chunkExtensionsTooLarge: "The request's chunk extensions are too large."
    case .chunkUnterminated: "A chunk's data is not followed by CR LF."
    case .trailersTooLarge: "The trailer section is too large."
    case .contentTooLarge: "The content is too large."
    case .expectationUnsupported: "The only expectation that this server meets is 100-continue."
    }
  }
}

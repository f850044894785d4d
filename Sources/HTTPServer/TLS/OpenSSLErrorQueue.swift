internal import COpenSSL

/// What OpenSSL has to say about a call that failed: a queue which belongs to the thread, cleared before a call and
/// read right after it.
enum OpenSSLErrorQueue {
  /// Takes the entries, up to the first by libssl: its `SSL_R_…`. libcrypto's own, such as a cipher's, may stand
  /// before.
  static func takeSSLReason() -> Int32? {
    while case let code = ERR_get_error(), code != 0 {
      if ERR_GET_LIB(code) == ERR_LIB_SSL { return ERR_GET_REASON(code) }
    }
    return nil
  }

  /// Whether a PEM reader has failed only in that it found no further object of its kind.
  static var saysEndOfPEM: Bool {
    let code = ERR_peek_last_error()
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE
  }

  /// OpenSSL's own words on where it began to go wrong, for the operator.
  static var text: String {
    ERR_reason_error_string(ERR_peek_error()).map { String(cString: $0) } ?? "refused by OpenSSL"
  }
}

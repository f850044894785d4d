internal import COpenSSL

/// Why a TLS connection cannot go on. None of them has a status: no HTTP can be spoken any more, or not yet.
package enum TLSSessionError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The peer speaks HTTP without TLS. A client understands an answer in kind, a 400 in plain text.
  case plainHTTP
  /// The first bytes belong to no TLS record.
  case notTLS
  /// The peer has TLS 1.1 or older only.
  case unsupportedVersion
  /// No cipher, group or signature algorithm in common.
  case noSharedCipher
  /// ALPN without `http/1.1`.
  case noSharedProtocol
  case clientCertificateMissing
  /// `X509_V_ERR_…`, why the client's certificate isn't trusted.
  case clientCertificateRefused(code: Int)
  /// `X509_V_ERR_…`, why the server's certificate isn't trusted.
  case serverCertificateRefused(code: Int)
  /// The peer gave up with this alert (RFC 8446, 6): 48, `unknown_ca`, is a client that doesn't trust the server.
  case peerAlert(UInt8)
  /// A record's authentication failed: it was changed on the way.
  case badRecord
  /// Anything else that breaks the protocol.
  case protocolViolation
  /// `send` before the handshake is complete or after `close`: the caller's error. The session itself goes on.
  case notEstablished

  package var description: String {
    switch self {
    case .plainHTTP: "plain HTTP without TLS"
    case .notTLS: "not TLS"
    case .unsupportedVersion: "TLS 1.1 or older"
    case .noSharedCipher: "no cipher in common"
    case .noSharedProtocol: "ALPN without http/1.1"
    case .clientCertificateMissing: "no client certificate"
    case .clientCertificateRefused(let code): "client certificate refused: \(Self.reason(code))"
    case .serverCertificateRefused(let code): "server certificate refused: \(Self.reason(code))"
    case .peerAlert(let code): "alert \(code) from the peer"
    case .badRecord: "record authentication failed"
    case .protocolViolation: "TLS protocol violation"
    case .notEstablished: "no TLS session to send on"
    }
  }

  private static func reason(_ code: Int) -> String { String(cString: X509_verify_cert_error_string(code)) }

  /// What a call on `ssl` that answered `status`, just now and on this thread, means; nil where it only wants more
  /// bytes or the peer has closed in good order.
  init?(_ ssl: OpaquePointer, status: Int32) {
    switch SSL_get_error(ssl, status) {
    case SSL_ERROR_NONE, SSL_ERROR_WANT_READ, SSL_ERROR_ZERO_RETURN: return nil
    case SSL_ERROR_SSL: self.init(reason: OpenSSLErrorQueue.takeSSLReason() ?? 0, ssl)
    default: self = .protocolViolation
    }
  }

  private init(reason: Int32, _ ssl: OpaquePointer) {
    self =
      switch reason {
      case SSL_R_HTTP_REQUEST: .plainHTTP
      case SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNKNOWN_PROTOCOL, SSL_R_BAD_RECORD_TYPE: .notTLS
      case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_INAPPROPRIATE_FALLBACK: .unsupportedVersion
      case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_SUITABLE_GROUPS,
        SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
        .noSharedCipher
      case SSL_R_NO_APPLICATION_PROTOCOL: .noSharedProtocol
      case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: .clientCertificateMissing
      case SSL_R_CERTIFICATE_VERIFY_FAILED:
        SSL_is_server(ssl) == 1
          ? .clientCertificateRefused(code: SSL_get_verify_result(ssl))
          : .serverCertificateRefused(code: SSL_get_verify_result(ssl))
      case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: .badRecord
      // OpenSSL reports the peer's alert n as reason 1000 + n.
      case 1000...1255: .peerAlert(UInt8(reason - 1000))
      default: .protocolViolation
      }
  }
}

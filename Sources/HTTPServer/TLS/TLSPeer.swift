internal import COpenSSL

/// What a handshake has settled, for logs and for the handlers of requests.
package struct TLSPeer: Sendable, Equatable {
  package enum Version: String, Sendable {
    case tls12 = "TLSv1.2"
    case tls13 = "TLSv1.3"
  }

  package let version: Version
  /// By its name in IANA's registry: `TLS_AES_128_GCM_SHA256`.
  package let cipher: String
  /// Subject of the client's certificate, which has been verified, as in RFC 2253: `CN=client,O=Example`. Nil where the
  /// server doesn't ask for one, and in a client.
  package let clientSubject: String?
  /// Whether the session goes on from an earlier one by a ticket.
  package let isResumed: Bool

  /// - Precondition: the handshake on `ssl` is complete.
  init(_ ssl: OpaquePointer) {
    version = SSL_version(ssl) == TLS1_3_VERSION ? .tls13 : .tls12
    cipher = String(cString: SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl)))
    clientSubject =
      SSL_is_server(ssl) == 1 ? SSL_get1_peer_certificate(ssl).map { Certificate(owning: $0).subject } : nil
    isResumed = SSL_session_reused(ssl) == 1
  }
}

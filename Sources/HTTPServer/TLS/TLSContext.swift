internal import COpenSSL

/// All that the TLS connections of a server have in common: its identity, whom it trusts, what it offers. (A client's,
/// ``init(askingServer:certifiedBy:)``, offers the same and has no identity.)
///
/// - TLS 1.2 and 1.3 (RFC 5246, 8446), nothing older (RFC 8996).
/// - Forward secrecy and AEAD ciphers only, in the server's order, but ChaCha20 for a client that puts it first, as
///   those without AES instructions do. Groups are X25519, P-256 and P-384: the finite-field ones cost the server a
///   hundred times more than they cost the client.
/// - ALPN: `http/1.1` is chosen where the client offers it; an offer without it is refused with
///   `no_application_protocol` (RFC 7301, 3.2), and a client without ALPN gets HTTP/1.1 too.
/// - Neither compression nor renegotiation nor early data.
/// - Session tickets, sealed by keys that never leave the process and live as long as the context. There is no cache in
///   the server. A resumed session keeps the client certificate it was made with, under the same context only.
///
/// To reload, make a new context of the same configuration and give it to the connections to come. Each session holds a
/// reference to its own, so no connection is dropped, and a file that is wrong leaves the running context in use.
///
/// Unsafe: owner of one reference to an `SSL_CTX`, released once.
// @unchecked Sendable: the SSL_CTX is not changed once it is made, and any number of threads may call SSL_new on it.
package final class TLSContext: @unchecked Sendable {
  /// Borrowed by `TLSSession`, which takes a reference of its own.
  let handle: OpaquePointer

  /// What the operator should be told about the certificates.
  package let warnings: [TLSWarning]
  /// Whom a client's sessions ask; nil in a server's context.
  let server: String?

  package init(_ configuration: TLSConfiguration) throws(TLSConfigurationError) {
    guard let handle = SSL_CTX_new(TLS_server_method()) else {
      preconditionFailure("no memory for a TLS context")
    }
    do throws(TLSConfigurationError) {
      Self.limit(handle)
      Self.limitServer(handle)
      var warnings = try Self.setIdentity(
        handle, chain: configuration.certificateChainFile, key: configuration.privateKeyFile)
      if let file = configuration.clientCAFile {
        warnings += try Self.requireClientCertificates(handle, by: file)
      }
      self.warnings = warnings
      self.handle = handle
      server = nil
    } catch {
      SSL_CTX_free(handle)
      throw error
    }
  }

  /// A client's context.
  ///
  /// - Parameters:
  ///   - server: the host's name or address, as the server's certificate has to have it.
  ///   - caFile: PEM: those by one of whom the server's certificate has to be certified, or itself. Without it any
  ///     certificate will do, for a server that is known by its address, as one's own is.
  package init(askingServer server: String, certifiedBy caFile: String? = nil) throws(TLSConfigurationError) {
    guard let handle = SSL_CTX_new(TLS_client_method()) else {
      preconditionFailure("no memory for a TLS context")
    }
    do throws(TLSConfigurationError) {
      Self.limit(handle)
      let offer = [UInt8(Self.http11.utf8.count)] + Array(Self.http11.utf8)
      precondition(SSL_CTX_set_alpn_protos(handle, offer, UInt32(offer.count)) == 0, "no memory for ALPN")
      if let caFile {
        try Self.trust(handle, anchorsOf: caFile) { _ in true }
        let parameters = SSL_CTX_get0_param(handle)
        let isNamed =
          X509_VERIFY_PARAM_set1_ip_asc(parameters, server) == 1
          || X509_VERIFY_PARAM_set1_host(parameters, server, 0) == 1
        precondition(isNamed, "no memory for a name")
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nil)
      }
      self.handle = handle
      self.server = server
      warnings = []
    } catch {
      SSL_CTX_free(handle)
      throw error
    }
  }

  deinit { SSL_CTX_free(handle) }

  /// ALPN's name for the one protocol that is spoken (RFC 7301, 6).
  private static let http11 = "http/1.1"

  /// Everything that doesn't depend on the configuration.
  private static func limit(_ context: OpaquePointer) {
    SSL_CTX_set_security_level(context, 2)
    let isSet =
      sluice_ssl_ctx_set_versions(context, TLS1_2_VERSION, TLS1_3_VERSION) == 1
      && sluice_ssl_ctx_set_groups(context, "X25519:P-256:P-384") == 1
      && SSL_CTX_set_ciphersuites(
        context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1
      && SSL_CTX_set_cipher_list(context, "ECDHE+AES128+AESGCM:ECDHE+AES256+AESGCM:ECDHE+CHACHA20") == 1
    precondition(isSet, "this OpenSSL lacks the ciphers and groups of TLS 1.3")
  }

  /// What a server's context has beside it.
  private static func limitServer(_ context: OpaquePointer) {
    SSL_CTX_set_options(context, sluice_ssl_server_options)
    precondition(SSL_CTX_set_session_id_context(context, "sluice", 6) == 1, "six bytes are a session's context")
    // An idle connection keeps no record buffers (34 KiB).
    sluice_ssl_ctx_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS))
    sluice_ssl_ctx_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
    // TLS 1.3's second ticket is for a client that opens two connections at once, and a tenth of the handshake's cost.
    SSL_CTX_set_num_tickets(context, 1)
    SSL_CTX_set_alpn_select_cb(context, selectProtocol, nil)
  }

  /// Points into the client's own list, which outlives the callback, where `http/1.1` stands in it.
  private static let selectProtocol: SSL_CTX_alpn_select_cb_func = { _, chosen, chosenCount, offered, offeredCount, _ in
    let list = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    var at = 0
    while at < list.count {
      let name = list[(at + 1)...].prefix(Int(list[at]))
      if name.elementsEqual(http11.utf8) {
        chosen?.pointee = offered.map { $0 + name.startIndex }
        chosenCount?.pointee = UInt8(name.count)
        return SSL_TLSEXT_ERR_OK
      }
      at += 1 + Int(list[at])
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
  }

  private static func setIdentity(
    _ context: OpaquePointer, chain chainFile: String, key keyFile: String
  ) throws(TLSConfigurationError) -> [TLSWarning] {
    let chain = try PEMFile(path: chainFile).certificates()
    let key = try PEMFile(path: keyFile).privateKey()
    switch chain.firstIndex(where: { X509_check_private_key($0.handle, key.handle) == 1 }) {
    case 0: break
    case .some(let index): throw .certificateNotFirst(file: chainFile, number: index + 1)
    case nil: throw .keyMismatch(certificateFile: chainFile, keyFile: keyFile)
    }

    ERR_clear_error()
    guard SSL_CTX_use_certificate(context, chain[0].handle) == 1 else { throw refusal(of: chainFile) }
    for certificate in chain.dropFirst() {
      guard sluice_ssl_ctx_add_chain_certificate(context, certificate.handle) == 1 else {
        throw refusal(of: chainFile)
      }
    }
    guard SSL_CTX_use_PrivateKey(context, key.handle) == 1 else { throw refusal(of: keyFile) }

    var warnings = chain.compactMap { $0.validityWarning(file: chainFile) }
    if X509_check_purpose(chain[0].handle, X509_PURPOSE_SSL_SERVER, 0) != 1 {
      warnings.append(.notForServers(file: chainFile, subject: chain[0].subject))
    }
    return warnings
  }

  /// Trusts the certificates of `file` to certify clients, and tells clients their names.
  private static func requireClientCertificates(
    _ context: OpaquePointer, by file: String
  ) throws(TLSConfigurationError) -> [TLSWarning] {
    let anchors = try trust(context, anchorsOf: file) { SSL_CTX_add_client_CA(context, $0.handle) == 1 }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    return anchors.compactMap { $0.validityWarning(file: file) }
  }

  /// Makes each certificate of `file` an anchor of trust, intermediate ones too.
  ///
  /// - Parameter announce: what else is done with each; false where OpenSSL refuses it.
  @discardableResult
  private static func trust(
    _ context: OpaquePointer, anchorsOf file: String, announce: (Certificate) -> Bool
  ) throws(TLSConfigurationError) -> [Certificate] {
    let anchors = try PEMFile(path: file).certificates()
    let store = SSL_CTX_get_cert_store(context)
    X509_STORE_set_flags(store, UInt(X509_V_FLAG_PARTIAL_CHAIN))
    ERR_clear_error()
    for anchor in anchors {
      guard X509_STORE_add_cert(store, anchor.handle) == 1, announce(anchor) else { throw refusal(of: file) }
    }
    return anchors
  }

  private static func refusal(of file: String) -> TLSConfigurationError {
    let text = OpenSSLErrorQueue.text
    switch OpenSSLErrorQueue.takeSSLReason() {
    case SSL_R_EE_KEY_TOO_SMALL, SSL_R_CA_KEY_TOO_SMALL, SSL_R_CA_MD_TOO_WEAK: return .weakCertificate(file: file)
    default: return .refused(file: file, reason: text)
    }
  }
}

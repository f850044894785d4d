import COpenSSL
import HTTPServer

/// A TLS client of OpenSSL's between two of its memory BIOs.
final class TLSTestClient {
  struct Options {
    var versions: ClosedRange<Int32> = TLS1_2_VERSION...TLS1_3_VERSION
    var protocols: [String] = ["http/1.1"]
    var ciphers12: String?
    var groups: String?
    /// Names of files: certificate chain and key.
    var identity: (certificate: String, key: String)?
    /// A session of an earlier client, to be resumed.
    var session: OpaquePointer?
  }

  private let context: OpaquePointer
  let ssl: OpaquePointer
  private let inbound: OpaquePointer?
  private let outbound: OpaquePointer?

  init(_ options: Options = Options()) {
    context = SSL_CTX_new(TLS_client_method())
    // Level 0, so that a client can be as outdated as a test needs it.
    SSL_CTX_set_security_level(context, 0)
    precondition(sluice_ssl_ctx_set_versions(context, options.versions.lowerBound, options.versions.upperBound) == 1)
    if let ciphers = options.ciphers12 { precondition(SSL_CTX_set_cipher_list(context, ciphers) == 1) }
    if let groups = options.groups { precondition(sluice_ssl_ctx_set_groups(context, groups) == 1) }
    if let identity = options.identity {
      precondition(SSL_CTX_use_certificate_chain_file(context, identity.certificate) == 1)
      precondition(SSL_CTX_use_PrivateKey_file(context, identity.key, SSL_FILETYPE_PEM) == 1)
    }
    ssl = SSL_new(context)
    let protocols = options.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
    if !protocols.isEmpty { precondition(SSL_set_alpn_protos(ssl, protocols, UInt32(protocols.count)) == 0) }
    inbound = BIO_new(BIO_s_mem())
    outbound = BIO_new(BIO_s_mem())
    SSL_set_bio(ssl, inbound, outbound)
    SSL_set_connect_state(ssl)
    if let session = options.session { precondition(SSL_set_session(ssl, session) == 1) }
  }

  deinit {
    SSL_free(ssl)
    SSL_CTX_free(context)
  }

  /// Takes what the server has sent; the plaintext in it.
  func receive(_ records: [UInt8]) -> [UInt8] {
    if !records.isEmpty { precondition(BIO_write(inbound, records, Int32(records.count)) == Int32(records.count)) }
    ERR_clear_error()
    if SSL_is_init_finished(ssl) == 0 && SSL_do_handshake(ssl) != 1 { return [] }
    var plaintext: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while case let count = SSL_read(ssl, &buffer, Int32(buffer.count)), count > 0 {
      plaintext += buffer.prefix(Int(count))
    }
    return plaintext
  }

  /// What is to be sent to the server.
  func takeOutbound() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(outbound))
    if !bytes.isEmpty { BIO_read(outbound, &bytes, Int32(bytes.count)) }
    return bytes
  }

  func send(_ plaintext: [UInt8]) {
    ERR_clear_error()
    precondition(SSL_write(ssl, plaintext, Int32(plaintext.count)) == Int32(plaintext.count))
  }

  func close() { _ = SSL_shutdown(ssl) }

  var isEstablished: Bool { SSL_is_init_finished(ssl) == 1 }
  var hasReceivedCloseNotify: Bool { SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 }

  /// `SSL_R_…` of the last call, 1000 + n for an alert n from the server.
  var failure: Int32? {
    let code = ERR_peek_error()
    return code == 0 ? nil : ERR_GET_REASON(code)
  }

  var selectedProtocol: String? {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(ssl, &name, &count)
    return name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self) }
  }
}

/// A client and the session under test, with everything that goes between them.
final class TLSPair {
  let client: TLSTestClient
  private var server: TLSSession
  /// What the server got by the session, and the client.
  var serverInput: [UInt8] = []
  var clientInput: [UInt8] = []
  private(set) var failure: TLSSessionError?
  private var toClient: [UInt8] = []

  init(_ context: TLSContext, _ options: TLSTestClient.Options = .init()) {
    server = TLSSession(context)
    client = TLSTestClient(options)
  }

  /// What the session under test says of itself.
  var isEstablished: Bool { server.isEstablished }
  var peer: TLSPeer? { server.peer }
  var clientHasClosed: Bool { server.hasReceivedCloseNotify }

  /// Carries bytes both ways, to the server by slices of so many, until neither has more.
  ///
  /// - Parameter tamper: may change what the client sends.
  func exchange(slice: Int = .max, tamper: (inout [UInt8]) -> Void = { _ in }) {
    while true {
      clientInput += client.receive(toClient)
      toClient = []
      var records = client.takeOutbound()
      if records.isEmpty { return }
      tamper(&records)
      deliver(records, slice: slice)
    }
  }

  /// Gives `records` to the server's session.
  func deliver(_ records: [UInt8], slice: Int = .max) {
    var start = 0
    while start < records.count {
      let end = start + min(slice, records.count - start)
      do {
        try server.receive(
          records.span.bytes.extracting(start..<end), plaintext: &serverInput, outbound: &toClient)
      } catch {
        failure = error
      }
      start = end
    }
  }

  func send(_ plaintext: [UInt8]) throws(TLSSessionError) {
    try server.send(plaintext.span.bytes, outbound: &toClient)
  }

  func closeServer() { server.close(outbound: &toClient) }

  /// What the server has sent and the client has not got yet.
  var inFlight: [UInt8] { toClient }
}

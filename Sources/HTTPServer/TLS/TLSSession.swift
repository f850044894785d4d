internal import COpenSSL

/// The TLS of one connection: ciphertext in, plaintext out, and the other way round. It knows no descriptor and no
/// clock.
///
/// ```swift
/// var session = TLSSession(context)
/// try session.receive(bytes, plaintext: &input, outbound: &toSend)   // on each arrival; send `toSend`
/// try session.send(response, outbound: &toSend)                      // once `isEstablished`
/// session.close(outbound: &toSend)                                   // before the connection is shut
/// ```
///
/// A client's session speaks first: ``begin(outbound:)``.
///
/// Whatever is thrown, `outbound` may have got an alert that should still be sent before the connection is closed;
/// after an error every further call throws the same one.
///
/// Costs: a handshake is 0.2 ms with a key on P-256, twice that with RSA of 2048 bits, most of it in the call that
/// takes the client's hello; a small request and its response 1 µs each, 60 KB 15 µs; an idle session 14 KiB.
///
/// Sizes: `receive` appends less plaintext than it is given ciphertext plus one record (16 KiB), and keeps less than a
/// record. What it appends to `outbound` is about as much as it was given, or a handshake's flight (some KiB): a caller
/// that stops receiving while its peer doesn't take what is sent, bounds both.
///
/// Unsafe: owner of one `SSL`, which holds a reference to its context; released exactly once, when this owner is.
// @unchecked Sendable: sole owner of its SSL, tied to no thread; the thread's error queue is cleared before each use.
package struct TLSSession: ~Copyable, @unchecked Sendable {
  private enum Phase {
    case handshaking
    case established
    case failed(TLSSessionError)
  }

  private let ssl: OpaquePointer
  private let transport: UnsafeMutablePointer<TLSRecordTransport>
  private var phase = Phase.handshaking
  private var hasReceivedAnything = false
  private var hasSentCloseNotify = false

  /// What the handshake has settled; nil until it is complete.
  package private(set) var peer: TLSPeer?

  package init(_ context: TLSContext) {
    guard let ssl = SSL_new(context.handle) else { preconditionFailure("no memory for a TLS session") }
    self.ssl = ssl
    transport = .allocate(capacity: 1)
    transport.initialize(to: TLSRecordTransport())
    let bio = TLSRecordTransport.makeBIO(over: transport)
    SSL_set_bio(ssl, bio, bio)
    if let server = context.server {
      SSL_set_connect_state(ssl)
      sluice_ssl_set_server_name(ssl, server)
    } else {
      SSL_set_accept_state(ssl)
    }
  }

  deinit {
    SSL_free(ssl)
    transport.deallocate()
  }

  /// Whether the handshake is complete and nothing has gone wrong since.
  package var isEstablished: Bool {
    switch phase {
    case .established: true
    case .handshaking, .failed: false
    }
  }

  /// Whether the peer has said that it sends nothing more (`close_notify`). A connection that ends without it has been
  /// cut: by its client's negligence, or by somebody on the way (RFC 8446, 6.1). HTTP's own framing tells whether a
  /// request is missing something.
  package var hasReceivedCloseNotify: Bool { SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN != 0 }

  /// Appends a client's hello, with which the handshake begins.
  package mutating func begin(outbound: inout [UInt8]) throws(TLSSessionError) {
    let ssl = ssl
    let failure = TLSRecordTransport.connect(transport, from: RawSpan(), to: &outbound) { () -> TLSSessionError? in
      ERR_clear_error()
      return TLSSessionError(ssl, status: SSL_do_handshake(ssl))
    }
    if let failure { throw fail(failure) }
  }

  /// Takes all of `ciphertext`, as it came from the peer.
  ///
  /// - Parameters:
  ///   - plaintext: what the peer has sent gets appended.
  ///   - outbound: what has to be sent in turn (handshake, tickets, alerts) gets appended.
  package mutating func receive(
    _ ciphertext: RawSpan, plaintext: inout [UInt8], outbound: inout [UInt8]
  ) throws(TLSSessionError) {
    if case .failed(let error) = phase { throw error }
    if ciphertext.isEmpty { return }
    if !hasReceivedAnything {
      hasReceivedAnything = true
      // No TLS record begins with a letter, and all of HTTP does (RFC 9112, 2.1): known at the first byte.
      let first = ciphertext.unsafeLoad(fromByteOffset: 0, as: UInt8.self)
      if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first) { throw fail(.plainHTTP) }
    }
    let (ssl, wasEstablished) = (ssl, isEstablished)
    var isEstablished = wasEstablished
    let failure = TLSRecordTransport.connect(transport, from: ciphertext, to: &outbound) { () -> TLSSessionError? in
      ERR_clear_error()
      if !isEstablished {
        let status = SSL_do_handshake(ssl)
        if status != 1 { return TLSSessionError(ssl, status: status) }
        isEstablished = true
      }
      return Self.read(ssl, expecting: ciphertext.byteCount, into: &plaintext)
    }
    if isEstablished && !wasEstablished {
      phase = .established
      peer = TLSPeer(ssl)
    }
    if let failure { throw fail(failure) }
  }

  /// Encrypts all of `plaintext` and appends the records to `outbound`.
  ///
  /// - Throws: `.notEstablished` before the handshake is complete or after `close`.
  package mutating func send(_ plaintext: RawSpan, outbound: inout [UInt8]) throws(TLSSessionError) {
    switch phase {
    case .failed(let error): throw error
    case .handshaking: throw .notEstablished
    case .established where hasSentCloseNotify: throw .notEstablished
    case .established: break
    }
    if plaintext.isEmpty { return }
    // Header, content type, tag and, before 1.3, a nonce: 29 bytes a record at most.
    let records = (plaintext.byteCount + 16_383) / 16_384
    outbound.append(addingCapacity: plaintext.byteCount + 29 * records) { (_: inout OutputSpan<UInt8>) in }
    let ssl = ssl
    let failure = TLSRecordTransport.connect(transport, from: RawSpan(), to: &outbound) { () -> TLSSessionError? in
      ERR_clear_error()
      return plaintext.withUnsafeBytes { bytes in
        var written = 0
        let status = SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &written)
        return status == 1 && written == bytes.count ? nil : TLSSessionError(ssl, status: status) ?? .protocolViolation
      }
    }
    if let failure { throw fail(failure) }
  }

  /// Appends `close_notify`, once, if there is a session to be closed: nothing can be sent after it. What the peer
  /// still sends may be received, until it answers in kind.
  package mutating func close(outbound: inout [UInt8]) {
    guard isEstablished, !hasSentCloseNotify else { return }
    hasSentCloseNotify = true
    let ssl = ssl
    TLSRecordTransport.connect(transport, from: RawSpan(), to: &outbound) {
      ERR_clear_error()
      _ = SSL_shutdown(ssl)
    }
  }

  /// Appends plaintext until OpenSSL wants more records or the peer has closed; what went wrong, if anything.
  private static func read(
    _ ssl: OpaquePointer, expecting count: Int, into plaintext: inout [UInt8]
  ) -> TLSSessionError? {
    var room = count
    while true {
      var status: Int32 = 0
      plaintext.append(addingCapacity: room) { (span: inout OutputSpan<UInt8>) in
        span.withUnsafeMutableBufferPointer { free, initialized in
          var copied = 0
          status = SSL_read_ex(ssl, free.baseAddress, room, &copied)
          initialized += copied
        }
      }
      if status != 1 { return TLSSessionError(ssl, status: status) }
      // A record that began in an earlier call may be longer than all of this one's bytes.
      room = max(room, Int(SSL_pending(ssl)))
    }
  }

  private mutating func fail(_ error: TLSSessionError) -> TLSSessionError {
    phase = .failed(error)
    return error
  }
}

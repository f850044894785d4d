import COpenSSL
import HTTPServer
import Testing

private let versions: [ClosedRange<Int32>] = [
  TLS1_2_VERSION...TLS1_2_VERSION, TLS1_3_VERSION...TLS1_3_VERSION,
]

@Suite("What a TLS session refuses, and how it ends")
struct TLSRefusalTests {
  private let fixture: TLSFixture
  private let context: TLSContext

  init() throws {
    fixture = try TLSFixture.shared.get()
    context = try TLSContext(fixture.configuration())
  }

  /// What a session makes of `bytes` as the first of a connection.
  private func firstBytes(_ bytes: [UInt8], slice: Int = .max) -> (failure: TLSSessionError?, answer: [UInt8]) {
    let pair = TLSPair(context)
    pair.deliver(bytes, slice: slice)
    #expect(!pair.isEstablished && pair.serverInput.isEmpty)
    return (pair.failure, pair.inFlight)
  }

  @Test(
    "plain HTTP is known at its first byte and gets no bytes of TLS",
    arguments: ["GET / HTTP/1.1\r\n\r\n", "POST /v1/ffn HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "G", "X"], [1, .max])
  func plainHTTP(text: String, slice: Int) {
    let (failure, answer) = firstBytes(Array(text.utf8), slice: slice)
    #expect(failure == .plainHTTP && answer.isEmpty)
  }

  @Test(
    "bytes of no TLS record",
    arguments: [
      [0, 0, 0, 0, 0, 0, 0, 0], [0x0D, 0x0A, 0x0D, 0x0A, 0x0D, 0x0A], Array("get / http/1.1\r\n\r\n".utf8),
      [0x16, 0x47, 0x45, 0x54, 0x20, 0x2F], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
    ] as [[UInt8]], [1, .max])
  func notTLS(bytes: [UInt8], slice: Int) {
    let (failure, _) = firstBytes(bytes + [UInt8](repeating: 0, count: 64), slice: slice)
    #expect(failure == .notTLS || failure == .protocolViolation)
  }

  @Test("arbitrary and mutated bytes end a session by an error or leave it waiting, never established")
  func garbage() {
    var random = SplitMix64(seed: 29)
    for round in 0..<500 {
      var bytes = random.bytes(1 + round)
      if round % 2 == 0 { bytes = [0x16, 3, 1, UInt8(round >> 8), UInt8(round & 0xFF), 1] + bytes }
      _ = firstBytes(bytes, slice: 1 + round % 40)
    }
    let hello = TLSTestClient()
    _ = hello.receive([])
    let record = hello.takeOutbound()
    for _ in 0..<1000 {
      var mutated = record
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        mutated[Int.random(in: 0..<record.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      _ = firstBytes(mutated)
    }
  }

  @Test("every part of a hello leaves the session waiting", arguments: versions)
  func truncatedHandshake(version: ClosedRange<Int32>) {
    let client = TLSTestClient(.init(versions: version))
    _ = client.receive([])
    let record = client.takeOutbound()
    for count in 1..<record.count {
      let (failure, answer) = firstBytes(Array(record.prefix(count)))
      #expect(failure == nil && answer.isEmpty)
    }
  }

  @Test("TLS 1.0 and 1.1", arguments: [TLS1_VERSION, TLS1_1_VERSION])
  func outdated(version: Int32) {
    let pair = TLSPair(context, .init(versions: version...version, ciphers12: "ALL:@SECLEVEL=0"))
    pair.exchange()
    #expect(pair.failure == .unsupportedVersion)
    #expect(pair.client.failure == 1000 + SSL_AD_PROTOCOL_VERSION)
  }

  @Test(
    "ciphers without forward secrecy or authentication of records, and groups of finite fields",
    arguments: ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "AES128-SHA"])
  func ciphers(name: String) {
    let pair = TLSPair(context, .init(versions: TLS1_2_VERSION...TLS1_2_VERSION, ciphers12: name))
    pair.exchange()
    #expect(pair.failure == .noSharedCipher && pair.client.failure == 1000 + SSL_AD_HANDSHAKE_FAILURE)
    let slow = TLSPair(context, .init(versions: TLS1_3_VERSION...TLS1_3_VERSION, groups: "ffdhe2048"))
    slow.exchange()
    #expect(slow.failure == .noSharedCipher)
  }

  @Test("ALPN", arguments: versions)
  func applicationProtocols(version: ClosedRange<Int32>) {
    for (offered, selected) in [([], nil), (["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1")]
      as [([String], String?)]
    {
      let pair = TLSPair(context, .init(versions: version, protocols: offered))
      pair.exchange()
      #expect(pair.isEstablished && pair.client.selectedProtocol == selected)
    }
    for offered in [["h2"], ["http/1.0"], ["http/1.", "http/1.11", "H2"]] {
      let pair = TLSPair(context, .init(versions: version, protocols: offered))
      pair.exchange()
      #expect(pair.failure == .noSharedProtocol && pair.client.failure == 1000 + SSL_AD_NO_APPLICATION_PROTOCOL)
    }
  }

  @Test("renegotiation is declined")
  func renegotiation() throws {
    let pair = TLSPair(context, .init(versions: TLS1_2_VERSION...TLS1_2_VERSION))
    pair.exchange()
    #expect(SSL_renegotiate(pair.client.ssl) == 1)
    _ = SSL_do_handshake(pair.client.ssl)
    pair.deliver(pair.client.takeOutbound())
    #expect(pair.failure == nil && pair.isEstablished && !pair.inFlight.isEmpty)
    // OpenSSL's client, told no, gives up with handshake_failure; it need not (RFC 5246, 7.2.2).
    _ = pair.client.receive(pair.inFlight)
    #expect(pair.client.failure == SSL_R_NO_RENEGOTIATION)
    pair.deliver(pair.client.takeOutbound())
    #expect(pair.failure == .peerAlert(40))
  }

  @Test("compression is not chosen")
  func compression() {
    let pair = TLSPair(context, .init(versions: TLS1_2_VERSION...TLS1_2_VERSION))
    SSL_clear_options(pair.client.ssl, sluice_ssl_server_options)
    pair.exchange()
    #expect(pair.isEstablished && SSL_get_current_compression(pair.client.ssl) == nil)
  }

  @Test("a key update is followed, a flood of them answered within its size")
  func keyUpdates() {
    let pair = TLSPair(context, .init(versions: TLS1_3_VERSION...TLS1_3_VERSION))
    pair.exchange()
    for _ in 0..<50 {
      #expect(SSL_key_update(pair.client.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
      _ = SSL_do_handshake(pair.client.ssl)
      let records = pair.client.takeOutbound()
      let before = pair.inFlight.count
      pair.deliver(records)
      #expect(pair.inFlight.count - before <= records.count)
    }
    pair.client.send([1, 2, 3])
    pair.exchange()
    #expect(pair.failure == nil && pair.serverInput == [1, 2, 3])
  }

  @Test("a record changed on the way", arguments: versions)
  func tampering(version: ClosedRange<Int32>) {
    let pair = TLSPair(context, .init(versions: version))
    pair.exchange()
    pair.client.send(Array("POST /v1/ffn".utf8))
    pair.exchange { $0[$0.count - 3] ^= 1 }
    #expect(pair.failure == .badRecord && pair.serverInput.isEmpty)
    #expect(pair.client.failure == 1000 + SSL_AD_BAD_RECORD_MAC)
    // The error stays.
    #expect(throws: TLSSessionError.badRecord) { try pair.send([1]) }
    pair.deliver([23, 3, 3])
    #expect(pair.failure == .badRecord && !pair.isEstablished)
  }

  @Test("a client that doesn't trust the server says so")
  func distrust() {
    let pair = TLSPair(context)
    SSL_set_verify(pair.client.ssl, SSL_VERIFY_PEER, nil)
    pair.exchange()
    #expect(pair.failure == .peerAlert(48))
  }

  @Test("client certificates that are trusted", arguments: versions)
  func trustedClients(version: ClosedRange<Int32>) throws {
    for (name, authority, subject) in [
      ("client", "clients.pem", "CN=client 1,O=Exámple"), ("sensor", "device.pem", "CN=sensor"),
    ] {
      let context = try TLSContext(fixture.configuration(clientCA: authority))
      let identity = (fixture.path("\(name).pem"), fixture.path("\(name).key"))
      let pair = TLSPair(context, .init(versions: version, identity: identity))
      pair.exchange()
      #expect(pair.isEstablished && pair.peer?.clientSubject == subject)
    }
    // Nobody asks, nobody looks.
    let identity = (fixture.path("stranger.pem"), fixture.path("stranger.key"))
    let pair = TLSPair(context, .init(versions: version, identity: identity))
    pair.exchange()
    #expect(pair.isEstablished && pair.peer?.clientSubject == nil)
  }

  @Test("client certificates that are missing, foreign, expired, not for clients", arguments: versions)
  func refusedClients(version: ClosedRange<Int32>) throws {
    let context = try TLSContext(fixture.configuration(clientCA: "clients.pem"))
    let cases: [(String?, TLSSessionError)] = [
      (nil, .clientCertificateMissing),
      ("stranger", .clientCertificateRefused(code: Int(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY))),
      ("foreign", .clientCertificateRefused(code: Int(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT))),
      ("sensor", .clientCertificateRefused(code: Int(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY))),
      ("stale", .clientCertificateRefused(code: Int(X509_V_ERR_CERT_HAS_EXPIRED))),
    ]
    for (name, expected) in cases {
      let identity = name.map { (fixture.path("\($0).pem"), fixture.path("\($0).key")) }
      let pair = TLSPair(context, .init(versions: version, identity: identity))
      pair.exchange()
      #expect(pair.failure == expected, "\(name ?? "none")")
      #expect(!pair.isEstablished && pair.peer == nil && pair.serverInput.isEmpty)
      #expect(pair.client.failure.map { $0 > 1000 } == true, "the alert reaches the client")
    }
    // Its certificate is for servers only.
    let wrongUse = try TLSContext(fixture.configuration(clientCA: "root.pem"))
    let identity = (fixture.path("chain.pem"), fixture.path("server.key"))
    let pair = TLSPair(wrongUse, .init(versions: version, identity: identity))
    pair.exchange()
    #expect(pair.failure == .clientCertificateRefused(code: Int(X509_V_ERR_INVALID_PURPOSE)))
  }
}

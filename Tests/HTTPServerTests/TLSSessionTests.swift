import COpenSSL
import Dispatch
import HTTPServer
import Testing

private let request = Array("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
private let response = Array("HTTP/1.1 204 No Content\r\n\r\n".utf8)

private let versions: [ClosedRange<Int32>] = [
  TLS1_2_VERSION...TLS1_2_VERSION, TLS1_3_VERSION...TLS1_3_VERSION,
]

@Suite("TLS sessions in memory, against a client of OpenSSL's")
struct TLSSessionTests {
  private let fixture: TLSFixture
  private let context: TLSContext

  init() throws {
    fixture = try TLSFixture.shared.get()
    context = try TLSContext(fixture.configuration())
  }

  @Test("a request and its response, in any slices", arguments: versions, [1, 2, 5, 100, .max])
  func roundTrip(version: ClosedRange<Int32>, slice: Int) throws {
    let pair = TLSPair(context, .init(versions: version))
    #expect(!pair.isEstablished && pair.peer == nil)
    pair.exchange(slice: slice)
    #expect(pair.isEstablished && pair.client.isEstablished)
    #expect(pair.client.selectedProtocol == "http/1.1")
    let isNew = version.lowerBound == TLS1_3_VERSION
    let peer = try #require(pair.peer)
    #expect(peer.version == (isNew ? .tls13 : .tls12))
    #expect(peer.cipher == (isNew ? "TLS_AES_128_GCM_SHA256" : "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"))
    #expect(peer.clientSubject == nil && !peer.isResumed)

    for _ in 0..<3 {
      pair.client.send(request)
      pair.exchange(slice: slice)
      #expect(pair.serverInput == request)
      try pair.send(response)
      pair.exchange(slice: slice)
      #expect(pair.clientInput == response)
      pair.serverInput = []
      pair.clientInput = []
    }
    #expect(pair.failure == nil)
  }

  @Test("a request in the same flight as the end of the handshake", arguments: [1, 3, .max])
  func earlyRequest(slice: Int) {
    let pair = TLSPair(context)
    _ = pair.client.receive([])
    pair.deliver(pair.client.takeOutbound())
    _ = pair.client.receive(pair.inFlight)
    #expect(pair.client.isEstablished && !pair.isEstablished)
    pair.client.send(request)
    pair.deliver(pair.client.takeOutbound(), slice: slice)
    #expect(pair.isEstablished && pair.serverInput == request)
  }

  @Test("bodies of many records, both ways", arguments: versions, [1000, 4096, .max])
  func large(version: ClosedRange<Int32>, slice: Int) throws {
    var random = SplitMix64(seed: 23)
    let pair = TLSPair(context, .init(versions: version))
    pair.exchange()
    for count in [16_383, 16_384, 16_385, 300_000] {
      let body = random.bytes(count)
      pair.client.send(body)
      pair.exchange(slice: slice)
      #expect(pair.serverInput == body)
      try pair.send(body)
      #expect(pair.inFlight.count <= count + 29 * (count / 16_384 + 1))
      pair.exchange(slice: slice)
      #expect(pair.clientInput == body)
      pair.serverInput = []
      pair.clientInput = []
    }
    try pair.send([])
    #expect(pair.inFlight.isEmpty)
  }

  @Test("what comes is put behind what is there")
  func appends() throws {
    let pair = TLSPair(context)
    pair.exchange()
    pair.serverInput = [1, 2, 3]
    pair.client.send(request)
    pair.exchange()
    #expect(pair.serverInput == [1, 2, 3] + request)
    try pair.send(response)
    let one = pair.inFlight
    try pair.send(response)
    #expect(pair.inFlight.starts(with: one) && pair.inFlight.count == 2 * one.count)
    pair.exchange()
    #expect(pair.clientInput == response + response)
  }

  @Test("close_notify by the client, then by the server", arguments: versions)
  func clientCloses(version: ClosedRange<Int32>) throws {
    let pair = TLSPair(context, .init(versions: version))
    pair.exchange()
    pair.client.send(request)
    pair.client.close()
    // Records behind it, of whatever kind, are not for us (RFC 8446, 6.1).
    pair.exchange { $0 += [23, 3, 3, 0, 1, 0] }
    #expect(pair.clientHasClosed && pair.failure == nil && pair.serverInput == request)
    // Half-closed: what has been asked gets its answer.
    try pair.send(response)
    pair.closeServer()
    pair.exchange()
    #expect(pair.client.hasReceivedCloseNotify)
  }

  @Test("close_notify by the server, once, and nothing after it", arguments: versions)
  func serverCloses(version: ClosedRange<Int32>) throws {
    let pair = TLSPair(context, .init(versions: version))
    pair.closeServer()
    #expect(pair.inFlight.isEmpty, "no session yet")
    #expect(throws: TLSSessionError.notEstablished) { try pair.send(response) }
    pair.exchange()
    pair.closeServer()
    let alert = pair.inFlight
    #expect(!alert.isEmpty)
    pair.closeServer()
    #expect(pair.inFlight == alert)
    #expect(throws: TLSSessionError.notEstablished) { try pair.send(response) }
    // What is on its way still arrives.
    pair.client.send(request)
    pair.exchange()
    #expect(pair.serverInput == request && pair.client.hasReceivedCloseNotify)
    pair.client.close()
    pair.exchange()
    #expect(pair.clientHasClosed && pair.failure == nil)
  }

  @Test("sessions of a dropped context go on")
  func reload() throws {
    var old: TLSContext? = try TLSContext(fixture.configuration())
    let pair = TLSPair(try #require(old))
    pair.exchange()
    old = nil
    let half = TLSPair(try TLSContext(fixture.configuration()))
    for pair in [pair, half] {
      pair.exchange()
      pair.client.send(request)
      pair.exchange()
      #expect(pair.serverInput == request)
    }
  }

  @Test("one context serves sessions on several threads while others are made")
  func threads() {
    DispatchQueue.concurrentPerform(iterations: 16) { round in
      let own = try? TLSContext(fixture.configuration())
      for context in [context, own ?? context] {
        let pair = TLSPair(context, .init(versions: versions[round % 2]))
        pair.exchange()
        pair.client.send(request)
        pair.exchange()
        #expect(own != nil && pair.serverInput == request)
      }
    }
  }

  @Test("tickets resume a session, under the same context only", arguments: versions)
  func resumption(version: ClosedRange<Int32>) throws {
    let context = try TLSContext(fixture.configuration(clientCA: "clients.pem"))
    let identity = (fixture.path("client.pem"), fixture.path("client.key"))
    let first = TLSPair(context, .init(versions: version, identity: identity))
    first.exchange()
    try first.send(response)
    first.exchange()
    let session = try #require(SSL_get1_session(first.client.ssl))
    defer { SSL_SESSION_free(session) }

    let second = TLSPair(context, .init(versions: version, identity: identity, session: session))
    second.exchange()
    #expect(second.peer?.isResumed == true)
    #expect(second.peer?.clientSubject == "CN=client 1,O=Exámple")

    let reloaded = try TLSContext(fixture.configuration(clientCA: "clients.pem"))
    let third = TLSPair(reloaded, .init(versions: version, identity: identity, session: session))
    third.exchange()
    #expect(third.isEstablished && third.peer?.isResumed == false)
  }
}

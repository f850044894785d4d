/// A seeded generator (splitmix64), so that what fails once fails again.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Requests, good ones and bad ones, and what random changes make of them.
enum Mutations {
  static let seeds = [
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nHEAD http://b:80/x?y HTTP/1.1\r\nHost: a\r\nConnection: close, x\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\nAccept: */*\r\nX: \t \r\n\r\n",
    "CONNECT a:1 HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "POST /v1/ffn HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n{\"input\":1}",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b\\\"\"\r\nabc\r\na\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 3\r\n\r\nabc",
  ]

  private static let fragments = [
    "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", ":", ",", ";", "=", "\"", "\\", "\u{0}", "\u{7F}", "\u{80}", "\u{FF}",
    "0",
    "1", "f", "0\r\n\r\n", "Host: b\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
    "Expect: 100-continue\r\n",
    "Connection: close\r\n", "HTTP/1.1", "HTTP/1.0", "GET / ", "%2", "99999999999999999999", "ffffffffffffffff",
  ].map(octets)

  /// One to three seeds behind each other, changed in none to four places.
  static func next(_ random: inout SplitMix64) -> [UInt8] {
    var sent: [UInt8] = []
    for _ in 0..<Int.random(in: 1...3, using: &random) { sent += octets(seeds.randomElement(using: &random) ?? "") }
    for _ in 0..<Int.random(in: 0...4, using: &random) where !sent.isEmpty {
      let place = Int.random(in: 0..<sent.count, using: &random)
      let end = min(sent.count, place + Int.random(in: 1...9, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: sent[place] = UInt8.random(in: 0...255, using: &random)
      case 1: sent[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 2: sent.removeSubrange(place..<end)
      case 3: sent.insert(contentsOf: Array(sent[place..<end]), at: place)
      case 4: sent.removeSubrange(place...)
      default: sent.insert(contentsOf: fragments.randomElement(using: &random) ?? [], at: place)
      }
    }
    return sent
  }

  /// Sizes of pieces that add up to no more than `count`.
  static func pieces(of count: Int, _ random: inout SplitMix64) -> [Int] {
    var pieces: [Int] = []
    var rest = count
    while rest > 0 {
      pieces.append(Int.random(in: 1...max(1, min(rest, 60)), using: &random))
      rest -= pieces.last ?? rest
    }
    return pieces
  }
}

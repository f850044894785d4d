import HTTPServer
import Testing

@Suite("Content-Encoding and Accept-Encoding, RFC 9110 8.4 and 12.5.3")
struct ContentCodingNegotiationTests {
  @Test(
    "Content-Encoding names one coding or none",
    arguments: [
      ([], nil), ([""], nil), (["identity"], nil), ([" , ,\t"], nil), (["Identity", ""], nil),
      (["gzip"], .gzip), (["GZip"], .gzip), (["x-gzip"], .gzip), (["X-GZIP"], .gzip), (["\tgzip "], .gzip),
      ([", gzip ,"], .gzip), (["identity, gzip"], .gzip), (["", "gzip", "identity"], .gzip),
      (["deflate"], .deflate), (["DEFLATE"], .deflate),
    ] as [([String], ContentCoding?)])
  func known(fields: [String], coding: ContentCoding?) throws {
    #expect(try ContentCoding(contentEncoding: fields) == coding)
  }

  @Test(
    "any other Content-Encoding is unsupported: 415",
    arguments: [
      ["br"], ["zstd"], ["compress"], ["x-deflate"], ["gzip, gzip"], ["gzip", "deflate"], ["deflate, br"],
      ["gzip;q=1"], ["gz ip"], ["gzip gzip"], ["*"], ["gzi"], ["gzipp"], ["\u{B}gzip"], ["gzıp"], ["\"gzip\""],
    ])
  func unknown(fields: [String]) {
    #expect(throws: ContentCodingError.unsupported) { try ContentCoding(contentEncoding: fields) }
  }

  @Test("what a 415 offers instead")
  func accepted() {
    #expect(ContentCoding.accepted == "gzip, deflate")
  }

  @Test(
    "gzip only where the client asks for it",
    arguments: [
      // Absent, empty, or about other codings: identity.
      ([], false), ([""], false), ([","], false), (["identity"], false), (["deflate, br, zstd"], false),
      // The RFC's own examples (12.5.3).
      (["compress, gzip"], true), (["*"], true), (["compress;q=0.5, gzip;q=1.0"], true),
      (["gzip;q=1.0, identity; q=0.5, *;q=0"], true),
      // What browsers, curl and Python send.
      (["gzip, deflate, br, zstd"], true), (["deflate, gzip"], true), (["gzip"], true), (["br", "gzip"], true),
      (["X-Gzip"], true), (["GZIP;Q=0.3"], true), (["gzip \t;\t q=0.001"], true),
      // Weights.
      (["gzip;q=0"], false), (["gzip;q=0.000"], false), (["gzip;q=0.0"], false), (["gzip;q=1"], true),
      (["gzip;q=1.000"], true), (["gzip;q=0."], false), (["gzip;q=1."], true), (["gzip;q=0.5, identity"], false),
      (["gzip;q=0.5, identity;q=0.5"], true), (["gzip;q=0.499, identity;q=0.5"], false),
      (["gzip;q=0.001, identity;q=0"], true), (["identity;q=0"], false), (["identity;q=0, gzip;q=0"], false),
      // The asterisk stands for what is not named.
      (["*;q=0"], false), (["gzip, *;q=0"], true), (["gzip;q=0, *"], false), (["*;q=0.5, identity"], false),
      (["*;q=0.5, identity;q=0.4"], true), (["identity;q=0, *;q=0.1"], true), (["gzip;q=0.4, *;q=0.5"], false),
      // A refusal anywhere is a refusal.
      (["gzip, gzip;q=0"], false), (["gzip;q=0", "x-gzip"], false), (["gzip;q=0.2, gzip;q=0.7, identity;q=0.5"], false),
      // Elements that break the grammar don't count.
      (["gzip;q=1.001"], false), (["gzip;q=2"], false), (["gzip;q=0.5000"], false), (["gzip;q=-1"], false),
      (["gzip;q=a"], false), (["gzip;q="], false), (["gzip;q"], false), (["gzip;"], false), (["gzip;level=1"], false),
      (["gzip;q=1;x=2"], false), (["gzip;q = 1"], false), (["gzip;q=00"], false), (["gzip;q=.5"], false),
      (["gz ip"], false), ([";q=1"], false), (["gzip;q=x, *"], true), (["*x"], false), (["gzip;q=0.5\u{661}"], false),
    ] as [([String], Bool)])
  func negotiation(fields: [String], gzip: Bool) {
    #expect((AcceptEncoding.preferred(fields) == .gzip) == gzip)
  }

  @Test(
    arguments: [
      (["deflate"], .deflate), (["Deflate;q=0.1"], .deflate), (["deflate, gzip"], .gzip),
      (["gzip;q=0.5, deflate"], .deflate),
      (["gzip;q=0, deflate"], .deflate), (["deflate;q=0"], nil), (["deflate;q=0.3, identity"], nil),
      (["deflate;q=0.5, *;q=0.5"], .gzip), (["deflate, *;q=0.5"], .deflate), (["br"], nil),
    ] as [([String], ContentCoding?)])
  func codingOfTheGreatestWeightIsTaken(fields: [String], coding: ContentCoding?) {
    #expect(AcceptEncoding.preferred(fields) == coding)
  }
}

/// How much a client may make the server read, remember and interpret.
///
/// Each default has its precedent beside it, so that what gets through the proxies in front gets through here too.
package struct Limits: Sendable, Equatable {
  /// Octets of a method; more is answered 501 (RFC 9112 §3). The longest registered one has 17 (`UPDATEREDIRECTREF`).
  package var methodBytes: Int

  /// Octets of a request target; more is answered 414. RFC 9112 §3 asks for request lines of 8000; nginx and Apache
  /// take 8 KiB.
  package var targetBytes: Int

  /// Octets of a head, from the method to the empty line; more is answered 431. nginx takes four buffers of 8 KiB, Node
  /// 16 KiB, Go 1 MiB.
  package var headBytes: Int

  /// Fields of a head, and of a trailer section; more is answered 431. Apache, Kestrel and Envoy take 100.
  package var fieldCount: Int

  /// Octets of a chunk's size and extensions with their CRLF; more is answered 400. Go takes 4096, but for both.
  package var chunkLineBytes: Int

  /// Octets of all chunk extensions of one request; more is answered 400. hyper and Go take 16 KiB.
  package var chunkExtensionBytes: Int

  /// Octets of a trailer section; more is answered 431. It is dropped, so it need not be long. hyper takes 16 KiB.
  package var trailerBytes: Int

  /// Octets of content where the server's handler sets no other limit; more is answered 413. nginx takes 1 MiB, Kestrel
  /// 30 MB; a batch of 1024 rows of 4096 numbers in JSON is about 50 MB.
  package var contentBytes: Int

  /// Octets of content that are read and dropped to keep a connection whose request was answered before its content
  /// came; with more to come the connection closes. Go drops up to 256 KiB.
  package var discardedContentBytes: Int

  /// Requests of one connection that may be handled at a time; more stay unread. nginx and HAProxy handle one.
  package var pipelinedRequests: Int

  package init(
    methodBytes: Int = 32, targetBytes: Int = 8192, headBytes: Int = 32 << 10, fieldCount: Int = 100,
    chunkLineBytes: Int = 256, chunkExtensionBytes: Int = 16 << 10, trailerBytes: Int = 8 << 10,
    contentBytes: Int = 64 << 20, discardedContentBytes: Int = 64 << 10, pipelinedRequests: Int = 16
  ) {
    self.methodBytes = methodBytes
    self.targetBytes = targetBytes
    self.headBytes = headBytes
    self.fieldCount = fieldCount
    self.chunkLineBytes = chunkLineBytes
    self.chunkExtensionBytes = chunkExtensionBytes
    self.trailerBytes = trailerBytes
    self.contentBytes = contentBytes
    self.discardedContentBytes = discardedContentBytes
    self.pipelinedRequests = pipelinedRequests
  }
}

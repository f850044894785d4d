internal import Dispatch
internal import HTTP1
internal import Synchronization

/// Codes replies in gzip or deflate where the client asks for it and it pays.
///
/// At about 9 ns a byte that is no work for an I/O queue: a shard has one more queue for it. Replies that could be
/// coded say `Vary: Accept-Encoding` whether they are or not (RFC 9110, 12.5.5).
final class ReplyCoding: Sendable {
  private let queue = DispatchQueue(label: "sluice.gzip", qos: .userInitiated)
  private let gzip = Mutex<ContentEncoder?>(nil)
  private let deflate = Mutex<ContentEncoder?>(nil)
  private let bytesMinimum: Int

  init(bytesMinimum: Int) { self.bytesMinimum = bytesMinimum }

  /// Whether the response is large enough, and text: what gzip shrinks to a half or less. Tensors in binary it doesn't.
  func isWorthwhile(_ response: Response) -> Bool {
    guard response.body.count >= bytesMinimum, let type = response.fields.first(.contentType),
      response.fields.first(.contentEncoding) == nil
    else { return false }
    let media = type.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
    return media.starts(with: "text/".utf8)
      || ["json", "yaml", "-text"].contains { media.suffix($0.utf8.count).elementsEqual($0.utf8) }
  }

  /// A worthwhile response as the client who sent `fields` is to have it.
  ///
  /// - Returns: nil where it takes a while: then `handOn` gets it, on another thread.
  func code(
    _ response: Response, for fields: Fields, later handOn: @escaping @Sendable (Response) -> Void
  ) -> Response? {
    var response = response
    let vary = response.fields.first(.vary).map { "\($0), Accept-Encoding" }
    response.fields.set(.vary, vary ?? "Accept-Encoding")
    guard fields.contains(.acceptEncoding), let coding = AcceptEncoding.preferred(fields.all(.acceptEncoding)) else {
      return response
    }
    queue.async { [response] in handOn(self.coded(response, coding)) }
    return nil
  }

  private func coded(_ response: Response, _ coding: ContentCoding) -> Response {
    var response = response
    var body: [UInt8] = []
    func encode(by encoder: inout ContentEncoder?) {
      if encoder == nil { encoder = ContentEncoder(coding) }
      encoder?.encode(response.body.span.bytes, into: &body)
    }
    switch coding {
    case .gzip: gzip.withLock { encode(by: &$0) }
    case .deflate: deflate.withLock { encode(by: &$0) }
    }
    response.body = body
    response.fields.append(.contentEncoding, coding.rawValue)
    return response
  }
}

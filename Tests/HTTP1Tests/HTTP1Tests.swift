import HTTP1
import Testing

@Test func readsAPipelinedPair() {
  let input = Array(
    "POST /v1/ffn?x=1 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: b\r\n\r\n".utf8)
  var state = ConnectionState()
  var offset = 0
  var log: [String] = []
  loop: while true {
    switch state.receive(input.span.bytes, offset: &offset) {
    case .head(let head, let id):
      log.append("head \(id) \(head.method) \(head.path) \(head.query ?? "-") \(head.authority ?? "-")")
      state.admit(contentLimit: 10)
    case .content(let range, _): log.append("content \(range.count)")
    case .complete(let id):
      log.append("complete \(id)")
      state.respond(to: id, with: Response(.ok, [.contentType: "text/plain"], body: [0x68]))
    default: break loop
    }
  }
  var output: [UInt8] = []
  while case .response(let response, let framing, _) = state.nextOutput() {
    ResponseEncoder.append(response, framing, date: HTTPDate.octets(secondsSinceEpoch: 784_111_777), to: &output)
  }
  #expect(
    log == ["head 0 POST /v1/ffn x=1 a:80", "content 3", "complete 0", "head 1 GET / - b", "complete 1"])
  let one =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nh"
  #expect(String(decoding: output, as: UTF8.self) == one + one)
}

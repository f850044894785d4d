internal import HTTP1
internal import TensorCoding

extension JSONWriter {
  mutating func string(_ value: String, as name: StaticString) {
    member(name)
    string(value)
  }

  mutating func integer(_ value: Int, as name: StaticString) {
    member(name)
    integer(value)
  }

  mutating func integer(_ value: UInt64, as name: StaticString) {
    member(name)
    integer(value)
  }
}

extension Response {
  /// A JSON text, ended by a line feed for the sake of terminals.
  static func json(
    _ writer: consuming JSONWriter, _ status: Status = .ok, mediaType: String = "application/json"
  ) -> Response {
    // The writer's end leaves the text with one owner: it grows in place.
    var body = (consume writer).text
    body.append(UInt8(ascii: "\n"))
    return Response(status, [.contentType: mediaType], body: body)
  }

  static func text(_ text: String) -> Response {
    Response(.ok, [.contentType: "text/plain; charset=utf-8"], body: Array(text.utf8))
  }
}

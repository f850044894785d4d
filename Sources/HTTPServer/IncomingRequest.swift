internal import HTTP1

/// A request whose content is on its way, decoded as it comes.
struct IncomingRequest: ~Copyable {
  let id: ExchangeID
  let head: RequestHead
  let receivedAt: UInt64
  private var body: [UInt8] = []
  private var inflater: InflateStream?
  /// Coded bytes whose content was too much for one visit.
  private var coded: [UInt8] = []
  private var codedStart = 0

  /// Bytes that a body's buffer is given for a mere declaration; after that it doubles as bytes come.
  private static let declaredBytesTrusted = 256 << 10
  /// Content that one visit may inflate: about 200 µs of the queue's time.
  private static let inflatedBytesPerVisit = 64 << 10

  /// - Throws: `.unsupported` for a content coding that this server doesn't undo.
  init(
    id: ExchangeID, head: RequestHead, receivedAt: UInt64, contentLimit: Int
  ) throws(ContentCodingError) {
    self.id = id
    self.head = head
    self.receivedAt = receivedAt
    guard head.framing.hasContent, head.fields.contains(.contentEncoding) else { return }
    guard let coding = try ContentCoding(contentEncoding: head.fields.all(.contentEncoding)) else { return }
    inflater = try InflateStream(coding, outputLimit: contentLimit)
  }

  /// Whether content may be received straight into the body.
  var takesContentAsItIs: Bool { inflater == nil }

  /// Takes content as it came.
  ///
  /// - Returns: false where it makes more than one visit may decode: `inflate` goes on.
  mutating func take(_ content: UnsafeRawBufferPointer) throws(ContentCodingError) -> Bool {
    guard inflater != nil else {
      body.append(contentsOf: content)
      return true
    }
    var offset = 0
    if try inflate(content.bytes, &offset) { return true }
    coded = Array(content[offset...])
    codedStart = 0
    return false
  }

  /// Decodes more of what `take` left.
  ///
  /// - Returns: whether all of it is decoded.
  mutating func inflate() throws(ContentCodingError) -> Bool {
    let bytes = coded
    var offset = codedStart
    let isComplete = try inflate(bytes.span.bytes, &offset)
    codedStart = offset
    if isComplete { coded = [] }
    return isComplete
  }

  private mutating func inflate(_ content: RawSpan, _ offset: inout Int) throws(ContentCodingError) -> Bool {
    let step = try inflater?.next(content, offset: &offset, into: &body, atMost: Self.inflatedBytesPerVisit)
    return step != .outputPending
  }

  /// Receives up to `remaining` bytes of content straight into the body, by one call of `receive`.
  mutating func receive(
    remaining: Int, _ receive: (UnsafeMutableRawBufferPointer) -> Transfer
  ) -> Transfer {
    if body.capacity - body.count < min(remaining, 16 << 10) {
      body.reserveCapacity(body.count + min(remaining, max(body.count, Self.declaredBytesTrusted)))
    }
    let room = min(remaining, body.capacity - body.count)
    var transfer = Transfer.wouldBlock
    body.append(addingCapacity: room) { span in
      span.withUnsafeMutableBufferPointer { buffer, initialized in
        transfer = receive(UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: room))
        if case .moved(let count) = transfer { initialized += count }
      }
    }
    return transfer
  }

  /// The request with all of its content.
  consuming func complete(at time: UInt64, _ connection: ConnectionInfo) throws(ContentCodingError) -> Request {
    try inflater?.finish()
    return Request(head: head, body: body, receivedAt: receivedAt, completedAt: time, connection: connection)
  }
}

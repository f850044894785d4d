internal import HTTP1

/// A request whose content is on its way, decoded as it comes.
struct IncomingRequest: ~Copyable {
  let id: ExchangeID
  let head: RequestHead
  let receivedAt: UInt64
  let context: (any RequestContext)?
  private var body: [UInt8] = []
  private var inflater: InflateStream?
  /// Coded bytes whose content was too much for one visit.
  private var coded: [UInt8] = []
  private var codedStart = 0
  private let ledger: BodyLedger
  /// What the ledger has been told of.
  private var entered = 0

  /// Bytes that a body's buffer is given for a mere declaration, and for each byte that has come after it.
  private static let declaredBytesTrusted = 256 << 10
  private static let bytesTrustedForEach = 8
  /// Content that one visit may inflate: about 200 µs of the queue's time.
  private static let inflatedBytesPerVisit = 64 << 10

  /// - Throws: `.undecodable` for a content coding that this server doesn't undo, `.overCapacity`.
  init(
    id: ExchangeID, head: RequestHead, receivedAt: UInt64, context: (any RequestContext)?, contentLimit: Int,
    ledger: BodyLedger
  ) throws(ServerFailure) {
    self.id = id
    self.head = head
    self.receivedAt = receivedAt
    self.context = context
    self.ledger = ledger
    guard head.framing.hasContent else { return }
    guard ledger.hasRoom else { throw .overCapacity }
    guard head.fields.contains(.contentEncoding) else { return }
    do throws(ContentCodingError) {
      guard let coding = try ContentCoding(contentEncoding: head.fields.all(.contentEncoding)) else { return }
      inflater = try InflateStream(coding, outputLimit: contentLimit)
    } catch {
      throw .undecodable(error)
    }
  }

  deinit { ledger.remove(entered) }

  /// Whether content may be received straight into the body.
  var takesContentAsItIs: Bool { inflater == nil }

  /// Takes content as it came.
  ///
  /// - Returns: false where it makes more than one visit may decode: `inflate` goes on.
  mutating func take(_ content: RawSpan) throws(ServerFailure) -> Bool {
    guard inflater != nil else {
      body.append(copying: content)
      try enter()
      return true
    }
    var offset = 0
    if try inflate(content, &offset) { return true }
    coded.append(copying: content.extracting(offset..<content.byteCount))
    codedStart = 0
    return false
  }

  /// Decodes more of what `take` left.
  ///
  /// - Returns: whether all of it is decoded.
  mutating func inflate() throws(ServerFailure) -> Bool {
    let bytes = coded
    var offset = codedStart
    let isComplete = try inflate(bytes.span.bytes, &offset)
    codedStart = offset
    if isComplete { coded = [] }
    return isComplete
  }

  private mutating func inflate(_ content: RawSpan, _ offset: inout Int) throws(ServerFailure) -> Bool {
    let step: InflateStream.Step?
    do throws(ContentCodingError) {
      step = try inflater?.next(content, offset: &offset, into: &body, atMost: Self.inflatedBytesPerVisit)
    } catch {
      throw .undecodable(error)
    }
    try enter()
    return step != .outputPending
  }

  /// Tells the ledger by how much the body has grown.
  private mutating func enter() throws(ServerFailure) {
    ledger.add(body.count - entered)
    entered = body.count
    guard ledger.hasRoom else { throw .overCapacity }
  }

  /// Receives up to `remaining` bytes of content straight into the body, by one call of `receive`.
  ///
  /// - Returns: what became of the call, and why the request can't go on, if so.
  mutating func receive(
    remaining: Int, _ receive: (inout OutputSpan<UInt8>, Int) -> Transfer
  ) -> (Transfer, ServerFailure?) {
    if body.capacity - body.count < min(remaining, 16 << 10) {
      let trusted = max(Self.bytesTrustedForEach * body.count, Self.declaredBytesTrusted)
      body.reserveCapacity(body.count + min(remaining, trusted))
    }
    let room = min(remaining, body.capacity - body.count)
    var transfer = Transfer.wouldBlock
    body.append(addingCapacity: room) { transfer = receive(&$0, room) }
    do throws(ServerFailure) {
      try enter()
      return (transfer, nil)
    } catch {
      return (transfer, error)
    }
  }

  /// The request with all of its content.
  consuming func complete(at time: UInt64, _ connection: ConnectionInfo) throws(ServerFailure) -> Request {
    do throws(ContentCodingError) {
      try inflater?.finish()
    } catch {
      throw .undecodable(error)
    }
    return Request(
      head: head, body: body, receivedAt: receivedAt, completedAt: time, connection: connection, context: context)
  }
}

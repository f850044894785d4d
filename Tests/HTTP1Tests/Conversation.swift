import HTTP1

/// A connection with a scripted client and a scripted server, and what passes between them, one line an event.
struct Conversation {
  private var state: ConnectionState
  private var buffer: [UInt8] = []
  /// What the server does with a head: admit with this limit, or nothing, so that the script can answer it.
  private let contentLimit: Int?
  private var isUndecided = false
  private var lines: [String] = []

  init(limits: Limits = Limits(), contentLimit: Int? = 1 << 20) {
    state = ConnectionState(limits: limits)
    self.contentLimit = contentLimit
  }

  var expectation: ConnectionState.Expectation { state.expectation }
  var contentRemaining: Int { state.contentRemaining }

  /// The events since the last call.
  mutating func takeLines() -> [String] {
    defer { lines = [] }
    return lines
  }

  mutating func send(_ text: String) {
    buffer += octets(text)
    receive()
  }

  mutating func endInput() {
    state.inputEnded()
    receive()
  }

  mutating func admit(_ contentLimit: Int) {
    isUndecided = false
    state.admit(contentLimit: contentLimit)
    receive()
  }

  /// Content that goes straight into the body.
  mutating func sendPast(_ count: Int) {
    state.passOverContent(count)
    receive()
  }

  mutating func answer(_ id: ExchangeID, _ status: Status = .ok) {
    isUndecided = false
    state.respond(to: id, with: Response(status))
    receive()
  }

  mutating func drain() {
    state.drain()
    receive()
  }

  mutating func refuse() {
    isUndecided = false
    lines.append(state.refuseInput().map { "refused \($0)" } ?? "refused nothing")
    receive()
  }

  private mutating func receive() {
    var mayGoOn = true
    while mayGoOn {
      mayGoOn = readAll()
      while let output = state.nextOutput() {
        mayGoOn = true
        write(output)
      }
    }
  }

  /// - Returns: whether reading may go on without more input.
  private mutating func readAll() -> Bool {
    let input = buffer
    var offset = 0
    defer { buffer.removeFirst(offset) }
    while !isUndecided {
      switch state.receive(input.span.bytes, offset: &offset) {
      case .needsMoreInput, .closed: return false
      case .paused:
        if lines.last != "paused" { lines.append("paused") }
        return false
      case .head(let head, let id):
        lines.append("head \(id) \(head.method) \(head.path)")
        if let contentLimit { state.admit(contentLimit: contentLimit) } else { isUndecided = true }
      case .content(let range, let id): lines.append("content \(id) \(range.count)")
      case .complete(let id): lines.append("complete \(id)")
      case .failed(let error, let id): lines.append("failed \(id) \(error)")
      case .abandoned(let id): lines.append("abandoned \(id)")
      }
    }
    return false
  }

  private mutating func write(_ output: ConnectionState.Output) {
    switch output {
    case .continue: lines.append("> continue")
    case .response(let response, let framing, let id):
      lines.append("> \(id) \(response.status.code) \(framing.connection)\(framing.omitsContent ? " head" : "")")
    case .close(let lingers): lines.append(lingers ? "> close lingering" : "> close")
    }
  }
}

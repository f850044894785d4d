// Invariant: any octets are requests or one ProtocolError, whichever way they are split. The reader never traps, never
// reads or hands out octets outside its input, never moves backwards, and after an error says the same for ever. A
// connection around it answers each request it announced, in turn, and ends once.

import HTTP1

/// libFuzzer's entry: `count` octets at `start`, which live for this call only.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP1(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeRawBufferPointer(start: start, count: count)
  // Small limits, so that short inputs reach them; the input's first octet chooses.
  let limits =
    input.first.map { $0 & 1 == 0 } ?? true
    ? Limits()
    : Limits(
      targetBytes: 48, headBytes: 256, fieldCount: 6, chunkLineBytes: 24, chunkExtensionBytes: 32, trailerBytes: 48,
      contentBytes: 64)
  let whole = transcript(of: input, limits) { $0 }
  precondition(transcript(of: input, limits) { _ in 1 } == whole, "octet by octet is not the same as whole")
  let seed = input.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF }
  precondition(transcript(of: input, limits) { ($0 &* seed) % 61 + 1 } == whole, "pieces are not the same as whole")
  converse(input, limits)
  return 0
}

private enum Event: Equatable {
  case request(String)
  case content(UInt8)
  case end
  case failed(ProtocolError)
}

/// What a reader says of `input` where piece after piece of it comes, each as long as `size` says of what is left.
private func transcript(of input: UnsafeRawBufferPointer, _ limits: Limits, by size: (Int) -> Int) -> [Event] {
  var reader = RequestReader(limits: limits)
  var events: [Event] = []
  var known = 0
  var offset = 0
  while known < input.count {
    known += min(input.count - known, max(1, size(input.count - known)))
    let visible = UnsafeRawBufferPointer(rebasing: input[..<known]).bytes
    reading: while true {
      let before = offset
      let step = reader.next(visible, offset: &offset)
      precondition(offset >= before && offset <= known, "offset out of bounds")
      switch step {
      case .needsMoreInput: break reading
      case .head(let head, let framing):
        events.append(.request("\(head.method) \(head.path) \(head.query ?? "-") \(head.authority ?? "-") \(framing)"))
        for field in head.fields { events.append(.request(field.name + ":" + field.value)) }
      case .content(let range):
        precondition(!range.isEmpty && range.lowerBound >= before && range.upperBound <= offset, "content elsewhere")
        events += range.map { .content(input[$0]) }
      case .end: events.append(.end)
      case .failed(let error):
        events.append(.failed(error))
        guard case .failed(error) = reader.next(visible, offset: &offset) else { preconditionFailure("not for ever") }
        return events
      }
    }
  }
  return events
}

/// Runs a connection that admits every request and answers it at once.
private func converse(_ input: UnsafeRawBufferPointer, _ limits: Limits) {
  var state = ConnectionState(limits: limits)
  var offset = 0
  var began: ExchangeID = 0
  var answered: ExchangeID = 0
  var output: [UInt8] = []
  state.inputEnded()
  while true {
    switch state.receive(input.bytes, offset: &offset) {
    case .needsMoreInput: preconditionFailure("wants more than all")
    case .head(_, let id):
      precondition(id == began)
      began += 1
      state.admit(contentLimit: limits.contentBytes)
    case .complete(let id): state.respond(to: id, with: Response(.ok))
    case .failed(let error, let id):
      began = id + 1
      state.respond(to: id, with: Response(error.status))
    case .abandoned: began -= 1
    case .content: break
    case .paused, .closed:
      var hasClosed = false
      while let next = state.nextOutput() {
        precondition(!hasClosed, "goes on after its end")
        switch next {
        case .continue: ResponseEncoder.appendContinue(to: &output)
        case .response(let response, let framing, let id):
          precondition(id == answered, "out of turn")
          answered += 1
          ResponseEncoder.append(response, framing, date: [], to: &output)
        case .close: hasClosed = true
        }
      }
      if hasClosed { return precondition(answered == began, "a request without its answer") }
    }
  }
}

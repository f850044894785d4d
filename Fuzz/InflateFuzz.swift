// Invariant: whatever the bytes of a body are, in whatever pieces they come, the stream either decodes them within its
// limit or ends in one ContentCodingError, the same for all ways of cutting them up; and what a call delivers is within
// the call's budget.

import HTTPServer

/// The first byte chooses the coding, the pieces and the budget, the second the limit in steps of 64 bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzInflate(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard count >= 2 else { return 0 }
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  let body = Array(input[2...])
  let coding: ContentCoding = input[0] & 1 == 0 ? .gzip : .deflate
  let limit = Int(input[1]) * 64
  let whole = inflated(body, coding, limit: limit, slice: .max, budget: .max)
  let pieces = inflated(body, coding, limit: limit, slice: 1 + Int(input[0] >> 1 & 7), budget: 1 + Int(input[0] >> 4))
  switch (whole, pieces) {
  case (.success(let one), .success(let other)): precondition(one == other, "another content in pieces")
  // zlib notices the same fault some bytes earlier or later.
  case (.failure(.malformed), .failure(.malformed)): break
  case (.failure(let one), .failure(let other)): precondition(one == other, "another error in pieces")
  case (.success, .failure), (.failure, .success): preconditionFailure("in pieces only, or whole only")
  }
  return 0
}

private func inflated(
  _ body: [UInt8], _ coding: ContentCoding, limit: Int, slice: Int, budget: Int
) -> Result<[UInt8], ContentCodingError> {
  do {
    var output: [UInt8] = []
    var stream = try InflateStream(coding, outputLimit: limit)
    var offset = 0
    while offset < body.count {
      let received = body.span.bytes.extracting(0..<(offset + min(slice, body.count - offset)))
      var step = InflateStream.Step.outputPending
      while step == .outputPending {
        let before = output.count
        defer { precondition(output.count - before <= budget && output.count <= limit, "over the budget or the limit") }
        step = try stream.next(received, offset: &offset, into: &output, atMost: budget)
      }
      precondition(offset == received.byteCount, "input left over")
    }
    try stream.finish()
    return .success(output)
  } catch {
    return .failure(error)
  }
}

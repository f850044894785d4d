internal import CZlib

/// Undoes one body's content coding while the body arrives, never holding more content than it is allowed.
///
/// A gzip body may consist of several members, one after another, as RFC 1952, 2.2 defines a gzip file: the limit holds
/// for all of them together. Anything else after the end of the stream, zero padding included, is an error.
///
/// ```swift
/// var stream = try InflateStream(.gzip, outputLimit: limits.bodyBytes)
/// var offset = 0
/// while try stream.next(received, offset: &offset, into: &body, atMost: 65_536) == .outputPending { … }
/// …                     // and so on for each piece
/// try stream.finish()   // where the body ends
/// ```
///
/// After an error every further call throws the same one.
///
/// Unsafe: zlib keeps the address of its `z_stream`, which is therefore allocated apart; it is freed exactly once, when
/// this owner is, and points to the caller's memory only within a call.
// @unchecked Sendable: the sole owner of a z_stream, which isn't tied to a thread.
package struct InflateStream: ~Copyable, @unchecked Sendable {
  package enum Step: Sendable, Equatable {
    /// All of the input has been used and all of its content delivered.
    case needsMoreInput
    /// The budget of the call has been spent: call again with the rest of the input, though nothing be left of it.
    case outputPending
  }

  private enum Phase {
    case inMember
    /// A complete stream has been read; `finish` may come, or for gzip another member.
    case betweenMembers
    case failed(ContentCodingError)
  }

  private let stream: UnsafeMutablePointer<z_stream>
  private let coding: ContentCoding
  private let outputLimit: Int
  private var phase = Phase.inMember
  /// Bytes of the coded body used so far.
  private var inputCount = 0
  /// Bytes of content delivered so far.
  private var outputCount = 0

  /// - Parameter outputLimit: most bytes of content that this body may have.
  /// - Throws: `.outOfMemory`.
  package init(_ coding: ContentCoding, outputLimit: Int) throws(ContentCodingError) {
    precondition(outputLimit >= 0)
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // Windows of up to 32 KiB; 16 more asks zlib for the gzip format in place of its own.
    let status = sluice_inflate_init(stream, coding == .gzip ? MAX_WBITS + 16 : MAX_WBITS)
    guard status == Z_OK else {
      stream.deallocate()
      throw .outOfMemory
    }
    self.stream = stream
    self.coding = coding
    self.outputLimit = outputLimit
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Decodes `input` from `offset` on and appends the content to `output`.
  ///
  /// - Parameters:
  ///   - offset: moved behind what has been used.
  ///   - budget: most bytes to append in this call, so that a body which grows a thousandfold doesn't hold its queue.
  /// - Throws: `.outputTooLarge` as soon as the content goes beyond the limit by one byte; `output` then holds the
  ///   limit's bytes. `.malformed`, `.checksumMismatch`, `.trailingData`, `.outOfMemory`.
  package mutating func next(
    _ input: RawSpan, offset: inout Int, into output: inout [UInt8], atMost budget: Int = .max
  ) throws(ContentCodingError) -> Step {
    precondition(budget > 0)
    var budget = budget
    while true {
      switch phase {
      case .failed(let error): throw error
      case .betweenMembers:
        if offset == input.byteCount { return .needsMoreInput }
        try beginMember(firstByte: input.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
      case .inMember: break
      }
      if budget == 0 { return .outputPending }

      let room = outputLimit - outputCount
      let unused = input.byteCount - offset
      let window = min(room, budget, max(4096, min(8 * unused, 65_536)))
      let (status, used, written) = decode(input.extracting(offset..<input.byteCount), into: &output, room: window)
      offset += used
      inputCount += used
      outputCount += written
      budget -= written

      if outputCount > outputLimit { throw fail(.outputTooLarge(limit: outputLimit)) }
      switch status {
      case Z_STREAM_END: phase = .betweenMembers
      case Z_OK, Z_BUF_ERROR:
        // Room left over means that zlib has nothing more to say about the input it was given.
        if written < max(window, 1) && offset == input.byteCount { return .needsMoreInput }
      case Z_MEM_ERROR: throw fail(.outOfMemory)
      default: throw fail(dataError)
      }
    }
  }

  /// Says that the body has ended.
  ///
  /// - Precondition: the last `next` answered `.needsMoreInput`.
  /// - Throws: `.truncated` unless a whole stream has been read, or the error that an earlier call has thrown.
  package mutating func finish() throws(ContentCodingError) {
    switch phase {
    case .betweenMembers: return
    case .inMember: throw fail(.truncated)
    case .failed(let error): throw error
    }
  }

  /// Readies zlib for one more member, which begins with `firstByte`; only gzip has such, and it begins with 0x1F.
  private mutating func beginMember(firstByte: UInt8) throws(ContentCodingError) {
    guard coding == .gzip, firstByte == 0x1F else { throw fail(.trailingData(offset: inputCount)) }
    inflateReset(stream)
    phase = .inMember
  }

  private mutating func fail(_ error: ContentCodingError) -> ContentCodingError {
    phase = .failed(error)
    return error
  }

  /// What a status other than success means. zlib tells a wrong checksum from a broken stream only by its message.
  private var dataError: ContentCodingError {
    guard let message = stream.pointee.msg.map({ String(cString: $0) }) else { return .malformed(offset: inputCount) }
    return message == "incorrect data check" || message == "incorrect length check"
      ? .checksumMismatch : .malformed(offset: inputCount)
  }

  /// One call of zlib's `inflate`, appending at most `room` bytes; where there is no room, one byte is decoded to
  /// nowhere, which tells content that ends at the limit from content that goes on.
  private mutating func decode(
    _ input: RawSpan, into output: inout [UInt8], room: Int
  ) -> (status: Int32, used: Int, written: Int) {
    input.withUnsafeBytes { source in
      let available = UInt32(clamping: source.count)
      stream.pointee.next_in = source.baseAddress?.assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_in = available
      var result: (status: Int32, written: Int) = (Z_OK, 0)
      if room == 0 {
        var spare: UInt8 = 0
        result = withUnsafeMutablePointer(to: &spare) { inflate(into: $0, count: 1) }
      } else {
        output.append(addingCapacity: room) { (span: inout OutputSpan<UInt8>) in
          span.withUnsafeMutableBufferPointer { free, initialized in
            result = inflate(into: free.baseAddress, count: room)
            initialized += result.written
          }
        }
      }
      let used = Int(available - stream.pointee.avail_in)
      stream.pointee.next_in = nil
      return (result.status, used, result.written)
    }
  }

  private func inflate(into target: UnsafeMutablePointer<UInt8>?, count: Int) -> (status: Int32, written: Int) {
    stream.pointee.next_out = target
    stream.pointee.avail_out = UInt32(count)
    let status = CZlib.inflate(stream, Z_NO_FLUSH)
    stream.pointee.next_out = nil
    return (status, count - Int(stream.pointee.avail_out))
  }
}

internal import CZlib

/// Codes whole replies at level 1, in gzip (RFC 1952) or deflate with its zlib wrapper (RFC 1950), one after another on
/// one `z_stream`.
///
/// Level 1 because a reply is numbers in decimal: level 6 makes it 9% smaller for seven times the time. The stream's
/// state (about 260 KiB) is allocated once, so each shard keeps one encoder. The header has neither a time nor a name:
/// the same bytes give the same reply.
///
/// Unsafe: zlib keeps the address of its `z_stream`, which is therefore allocated apart; it is freed exactly once, when
/// this owner is, and points to the caller's memory only within a call.
// @unchecked Sendable: the sole owner of a z_stream, which isn't tied to a thread.
package struct ContentEncoder: ~Copyable, @unchecked Sendable {
  private let stream: UnsafeMutablePointer<z_stream>

  package init(_ coding: ContentCoding) {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let windowBits =
      switch coding {
      case .gzip: MAX_WBITS + 16
      case .deflate: MAX_WBITS
      }
    let status = sluice_deflate_init(stream, Z_BEST_SPEED, windowBits, MAX_MEM_LEVEL - 1)
    precondition(status == Z_OK, "no memory for an encoder")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Appends `content` as one complete stream to `output`.
  ///
  /// - Complexity: about 9 ns a byte of printed floats; one allocation at most, of the upper bound that zlib states for
  ///   the length.
  package mutating func encode(_ content: RawSpan, into output: inout [UInt8]) {
    deflateReset(stream)
    content.withUnsafeBytes { source in
      var remaining = source
      output.append(addingCapacity: Int(deflateBound(stream, UInt(source.count)))) { (span: inout OutputSpan<UInt8>) in
        span.withUnsafeMutableBufferPointer { free, initialized in
          var status = Z_OK
          while status != Z_STREAM_END {
            // zlib counts in 32 bits; content beyond that goes in by pieces.
            let offered = UInt32(clamping: remaining.count)
            let room = UInt32(clamping: free.count - initialized)
            stream.pointee.next_in = remaining.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_in = offered
            stream.pointee.next_out = free.baseAddress.map { $0 + initialized }
            stream.pointee.avail_out = room
            status = deflate(stream, Int(offered) == remaining.count ? Z_FINISH : Z_NO_FLUSH)
            remaining = .init(rebasing: remaining[Int(offered - stream.pointee.avail_in)...])
            initialized += Int(room - stream.pointee.avail_out)
            precondition(status == Z_OK || status == Z_STREAM_END, "deflate stays within the bound it states")
          }
        }
      }
    }
    stream.pointee.next_in = nil
    stream.pointee.next_out = nil
  }
}

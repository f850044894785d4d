internal import COpenSSL

/// The far end of OpenSSL: a BIO that reads records out of the caller's received bytes and writes them behind the
/// caller's bytes to send.
///
/// OpenSSL's own memory BIO does the same with buffers of its own, which cost two more copies of each record and stay
/// as large as they have grown: after a reply of 60 KB an idle connection would keep more than that.
///
/// Unsafe: holds pointers to the memory of the caller of `TLSSession`, set for one call into OpenSSL and cleared when
/// it returns. OpenSSL moves bytes within such calls only.
struct TLSRecordTransport {
  /// Received and not yet read.
  private var input = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Where records to be sent go.
  private var output: UnsafeMutablePointer<[UInt8]>?

  /// A new BIO over `transport`, which must outlive it.
  static func makeBIO(over transport: UnsafeMutablePointer<TLSRecordTransport>) -> OpaquePointer {
    guard let bio = BIO_new(method) else { preconditionFailure("no memory for a BIO") }
    BIO_set_data(bio, transport)
    BIO_set_init(bio, 1)
    return bio
  }

  /// Lets OpenSSL, within `body`, read from `ciphertext` and append to `outbound`.
  static func connect<R>(
    _ transport: UnsafeMutablePointer<TLSRecordTransport>, from ciphertext: RawSpan, to outbound: inout [UInt8],
    _ body: () -> R
  ) -> R {
    ciphertext.withUnsafeBytes { bytes in
      withUnsafeMutablePointer(to: &outbound) { outbound in
        transport.pointee.input = bytes
        transport.pointee.output = outbound
        defer { transport.pointee = TLSRecordTransport() }
        return body()
      }
    }
  }

  private mutating func read(into target: UnsafeMutableRawPointer, count: Int) -> Int {
    let taken = UnsafeRawBufferPointer(rebasing: input.prefix(count))
    guard let source = taken.baseAddress else { return 0 }
    target.copyMemory(from: source, byteCount: taken.count)
    input = UnsafeRawBufferPointer(rebasing: input.dropFirst(taken.count))
    return taken.count
  }

  private static func of(_ bio: OpaquePointer?) -> UnsafeMutablePointer<TLSRecordTransport>? {
    BIO_get_data(bio)?.assumingMemoryBound(to: TLSRecordTransport.self)
  }

  // nonisolated(unsafe): made once, never changed; OpenSSL only reads it.
  private nonisolated(unsafe) static let method: OpaquePointer = {
    guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "caller's memory") else {
      preconditionFailure("no memory for a BIO method")
    }
    BIO_meth_set_read_ex(method) { bio, target, count, taken in
      sluice_bio_clear_retry(bio)
      guard let target, let transport = TLSRecordTransport.of(bio) else { return 0 }
      let copied = transport.pointee.read(into: target, count: count)
      taken?.pointee = copied
      if copied == 0 { sluice_bio_set_retry_read(bio) }
      return copied > 0 ? 1 : 0
    }
    BIO_meth_set_write_ex(method) { bio, source, count, written in
      sluice_bio_clear_retry(bio)
      guard let output = TLSRecordTransport.of(bio)?.pointee.output else { return 0 }
      output.pointee.append(contentsOf: UnsafeRawBufferPointer(start: source, count: count))
      written?.pointee = count
      return 1
    }
    // OpenSSL flushes at the end of each flight; nothing is held back here. Every other request is for what this BIO
    // hasn't got.
    BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    return method
  }()
}

internal import COpenSSL
internal import Glibc

/// One file of certificates or with a private key, read whole and wiped when it is done with.
///
/// Unsafe: OpenSSL's PEM readers work on a BIO over the bytes, which exists only within one call.
final class PEMFile {
  /// A bundle of all public roots has a quarter of this; what is larger isn't a PEM file.
  private static let sizeLimit = 1 << 20

  let path: String
  private var bytes: [UInt8]

  /// - Throws: `.unreadable`, `.notPEM`.
  init(path: String) throws(TLSConfigurationError) {
    self.path = path
    bytes = try Self.read(path)
    if !contains("-----BEGIN ") { throw .notPEM(file: path) }
  }

  deinit {
    // The bytes may be those of a private key.
    bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
  }

  /// All certificates, in order; whatever else is in the file is passed over.
  ///
  /// - Throws: `.noCertificate`, `.malformedCertificate`.
  func certificates() throws(TLSConfigurationError) -> [Certificate] {
    var found: [Certificate] = []
    let isWhole = withBIO { bio in
      ERR_clear_error()
      while let handle = PEM_read_bio_X509(bio, nil, nil, nil) { found.append(Certificate(owning: handle)) }
      return OpenSSLErrorQueue.saysEndOfPEM
    }
    if !isWhole { throw .malformedCertificate(file: path, number: found.count + 1) }
    if found.isEmpty { throw .noCertificate(file: path) }
    return found
  }

  /// The first private key.
  ///
  /// - Throws: `.noPrivateKey`, `.encryptedPrivateKey`, `.malformedPrivateKey`.
  func privateKey() throws(TLSConfigurationError) -> PrivateKey {
    // OpenSSL reports a key that isn't there and one that makes no sense alike.
    if !contains("PRIVATE KEY-----") { throw .noPrivateKey(file: path) }
    var wasAskedForPassword = false
    let handle = withBIO { bio in
      ERR_clear_error()
      return withUnsafeMutablePointer(to: &wasAskedForPassword) { asked in
        PEM_read_bio_PrivateKey(
          bio, nil,
          { _, _, _, asked in
            asked?.assumingMemoryBound(to: Bool.self).pointee = true
            return -1
          }, asked)
      }
    }
    if let handle { return PrivateKey(owning: handle) }
    throw wasAskedForPassword ? .encryptedPrivateKey(file: path) : .malformedPrivateKey(file: path)
  }

  private func contains(_ text: String) -> Bool {
    let pattern = Array(text.utf8)
    return bytes.indices.contains { bytes[$0] == pattern[0] && bytes[$0...].starts(with: pattern) }
  }

  private func withBIO<R>(_ body: (OpaquePointer?) -> R) -> R {
    bytes.withUnsafeBytes { buffer in
      let bio = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count))
      defer { BIO_free(bio) }
      return body(bio)
    }
  }

  private static func read(_ path: String) throws(TLSConfigurationError) -> [UInt8] {
    // As large as it may ever get, so that no copy of a key is left behind by growing.
    var bytes: [UInt8] = []
    bytes.reserveCapacity(sizeLimit + 1)
    do throws(Errno) {
      let descriptor = Descriptor(owning: try retryingInterrupts { open(path, O_RDONLY | O_CLOEXEC) })
      while case let count = try read(descriptor.number, behind: &bytes), count > 0 {
        if bytes.count > sizeLimit { throw Errno(code: EFBIG) }
      }
      return bytes
    } catch {
      throw .unreadable(file: path, error)
    }
  }

  private static func read(_ descriptor: Int32, behind bytes: inout [UInt8]) throws(Errno) -> Int {
    try retryingInterrupts {
      var count = 0
      bytes.append(addingCapacity: min(65_536, sizeLimit + 1 - bytes.count)) { (span: inout OutputSpan<UInt8>) in
        span.withUnsafeMutableBufferPointer { free, initialized in
          count = Glibc.read(descriptor, free.baseAddress, free.count)
          initialized += max(count, 0)
        }
      }
      return count
    }
  }
}

/// Owner of one reference to an X.509 certificate.
final class Certificate {
  let handle: OpaquePointer

  init(owning handle: OpaquePointer) { self.handle = handle }

  deinit { X509_free(handle) }

  /// As in RFC 2253, most specific part first: `CN=client,O=Example`.
  var subject: String {
    Self.text { X509_NAME_print_ex($0, X509_get_subject_name(handle), 0, sluice_name_flags) }
  }

  /// What is to be said of its validity now, for `file`.
  func validityWarning(file: String) -> TLSWarning? {
    if let end = X509_get0_notAfter(handle), X509_cmp_current_time(end) < 0 {
      return .expired(file: file, subject: subject, date: Self.text { ASN1_TIME_print($0, end) })
    }
    if let start = X509_get0_notBefore(handle), X509_cmp_current_time(start) > 0 {
      return .notYetValid(file: file, subject: subject, date: Self.text { ASN1_TIME_print($0, start) })
    }
    return nil
  }

  /// What `write` prints into a BIO.
  private static func text(_ write: (OpaquePointer?) -> Int32) -> String {
    let bio = BIO_new(BIO_s_mem())
    defer { BIO_free(bio) }
    guard write(bio) >= 0 else { return "?" }
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(BIO_ctrl_pending(bio))) { buffer, count in
      count = Int(max(BIO_read(bio, buffer.baseAddress, Int32(buffer.count)), 0))
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Owner of one reference to a private key.
final class PrivateKey {
  let handle: OpaquePointer

  init(owning handle: OpaquePointer) { self.handle = handle }

  deinit { EVP_PKEY_free(handle) }
}

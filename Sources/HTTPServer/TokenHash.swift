internal import COpenSSL

/// SHA-256 of secrets that are kept as nothing else: it stands here because libcrypto does.
package enum TokenHash {
  /// 32 octets.
  ///
  /// Unsafe: the digest is written into memory of its size, within the call.
  package static func sha256(_ octets: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { digest, count in
      _ = octets.withUnsafeBufferPointer { SHA256($0.baseAddress, $0.count, digest.baseAddress) }
      count = 32
    }
  }
}

/// The files that make a server speak TLS.
package struct TLSConfiguration: Sendable, Equatable {
  /// PEM: the server's certificate first, then those that lead from it to a root, each certifying the one before it.
  package var certificateChainFile: String
  /// PEM: the unencrypted private key of the first certificate. May be the same file.
  package var privateKeyFile: String
  /// PEM: the certificates of those who certify clients, each an anchor of its own. Where it is given, a client without
  /// a certificate by one of them is turned away in the handshake.
  package var clientCAFile: String?

  package init(certificateChainFile: String, privateKeyFile: String, clientCAFile: String? = nil) {
    self.certificateChainFile = certificateChainFile
    self.privateKeyFile = privateKeyFile
    self.clientCAFile = clientCAFile
  }
}

/// Why no context can be made of a configuration. Each names the file.
package enum TLSConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// It cannot be opened or read, or is too large to be what it should be.
  case unreadable(file: String, Errno)
  /// No `-----BEGIN` anywhere in it.
  case notPEM(file: String)
  case noCertificate(file: String)
  /// The certificate of this number, counted from 1, cannot be decoded.
  case malformedCertificate(file: String, number: Int)
  /// Its key or its signature is too weak for OpenSSL's security level 2: RSA below 2048 bits, SHA-1.
  case weakCertificate(file: String)
  case noPrivateKey(file: String)
  case malformedPrivateKey(file: String)
  case encryptedPrivateKey(file: String)
  /// The key belongs to none of the certificates.
  case keyMismatch(certificateFile: String, keyFile: String)
  /// The key belongs to the certificate of this number, counted from 1; the server's own must be the first.
  case certificateNotFirst(file: String, number: Int)
  /// OpenSSL refuses it for a reason of its own.
  case refused(file: String, reason: String)

  package var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): \(reason)"
    case .notPEM(let file): "\(file): not a PEM file (no '-----BEGIN' line)"
    case .noCertificate(let file): "\(file): holds no certificate"
    case .malformedCertificate(let file, let number): "\(file): certificate \(number) is malformed"
    case .weakCertificate(let file): "\(file): a key or signature is too weak (RSA of 2048 bits, SHA-256 or more)"
    case .noPrivateKey(let file): "\(file): holds no private key"
    case .malformedPrivateKey(let file): "\(file): the private key is malformed"
    case .encryptedPrivateKey(let file): "\(file): the private key is encrypted; only an unencrypted one can be used"
    case .keyMismatch(let certificateFile, let keyFile):
      "\(keyFile): the private key does not belong to the certificate in \(certificateFile)"
    case .certificateNotFirst(let file, let number):
      "\(file): the private key belongs to certificate \(number); the server's own certificate must be the first"
    case .refused(let file, let reason): "\(file): \(reason)"
    }
  }
}

/// What a server can start with, but somebody should know.
package enum TLSWarning: Equatable, Sendable, CustomStringConvertible {
  case expired(file: String, subject: String, date: String)
  case notYetValid(file: String, subject: String, date: String)
  /// The extended key usage of the server's certificate leaves servers out.
  case notForServers(file: String, subject: String)

  package var description: String {
    switch self {
    case .expired(let file, let subject, let date): "\(file): the certificate of \(subject) expired on \(date)"
    case .notYetValid(let file, let subject, let date):
      "\(file): the certificate of \(subject) is not valid before \(date)"
    case .notForServers(let file, let subject): "\(file): the certificate of \(subject) is not one for servers"
    }
  }
}

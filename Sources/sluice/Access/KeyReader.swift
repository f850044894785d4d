import HTTPServer
import InferenceAPI
import Logging

/// The keys of `--api-keys`: read at the start, and whenever somebody asks for it.
struct KeyReader: Sendable {
  let ring: KeyRing
  private let path: String
  private let logger: Logger

  /// nil where everybody is let in.
  init?(_ path: String?, _ logger: Logger) throws(StartError) {
    guard let path else { return nil }
    self.path = path
    self.logger = logger
    do throws(KeyFileError) {
      ring = KeyRing(try KeyFile(path: path).rules, digest: TokenHash.sha256)
    } catch {
      throw .keys(error)
    }
  }

  /// Lets in what the file holds now. A file that cannot be used leaves those keys that are let in.
  func reload() {
    do throws(KeyFileError) {
      let rules = try KeyFile(path: path).rules
      ring.replace(rules)
      logger.info("keys read again", metadata: ["keys": .stringConvertible(rules.count)])
    } catch {
      logger.error("keys not read again", metadata: ["reason": "\(error)"])
    }
  }
}

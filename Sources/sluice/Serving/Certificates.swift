import HTTPServer
import Logging

/// The server's certificate and key: read at the start, and whenever somebody asks for it.
struct Certificates: Sendable {
  /// What was read at the start.
  let context: TLSContext
  private let configuration: TLSConfiguration
  private let logger: Logger

  /// nil where the server speaks HTTP in clear.
  init?(_ configuration: TLSConfiguration?, _ logger: Logger) throws(StartError) {
    guard let configuration else { return nil }
    do { context = try TLSContext(configuration) } catch { throw .tls(error) }
    self.configuration = configuration
    self.logger = logger
    context.warn(logger)
  }

  /// Gives the server what the files hold now. Files that cannot be used leave it what it has.
  func reload(_ server: HTTPServer) {
    do {
      let context = try TLSContext(configuration)
      server.reload(context)
      logger.info("certificates read again")
      context.warn(logger)
    } catch {
      logger.error("certificates not read again", metadata: ["reason": "\(error)"])
    }
  }
}

extension TLSContext {
  fileprivate func warn(_ logger: Logger) {
    for warning in warnings { logger.warning("certificate", metadata: ["reason": "\(warning)"]) }
  }
}

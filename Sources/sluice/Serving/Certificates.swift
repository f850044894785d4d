import Dispatch
import Glibc
import HTTPServer
import Logging

/// The server's certificate and key: read at the start, and again on SIGHUP.
final class Certificates {
  /// What was read at the start.
  let context: TLSContext
  private let configuration: TLSConfiguration
  private let logger: Logger
  private var hangUps: (any DispatchSourceSignal)?

  /// nil where the server speaks HTTP in clear; SIGHUP then keeps its default, to end the process.
  init?(_ configuration: TLSConfiguration?, _ logger: Logger) throws(StartError) {
    guard let configuration else { return nil }
    do { context = try TLSContext(configuration) } catch { throw .tls(error) }
    self.configuration = configuration
    self.logger = logger
    context.warn(logger)
  }

  /// From now on SIGHUP gives the server what the files hold then. Files that cannot be used leave it what it has.
  func reload(_ server: HTTPServer) {
    let registered = DispatchSemaphore(value: 0)
    let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "sluice.certificates"))
    source.setEventHandler { [configuration, logger] in
      do {
        let context = try TLSContext(configuration)
        server.reload(context)
        logger.info("certificates read again")
        context.warn(logger)
      } catch {
        logger.error("certificates not read again", metadata: ["reason": "\(error)"])
      }
    }
    source.setRegistrationHandler { registered.signal() }
    source.activate()
    registered.wait()
    hangUps = source
  }
}

extension TLSContext {
  fileprivate func warn(_ logger: Logger) {
    for warning in warnings { logger.warning("certificate", metadata: ["reason": "\(warning)"]) }
  }
}

import ArgumentParser
import Batching
import Dispatch
import FeedForward
import HTTPServer
import InferenceAPI
import Logging
import Metrics
import Synchronization

/// `sluice serve`: from flags to a server that answers, and from a signal to its end.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve layers over HTTP.",
    discussion: """
      Without --model the embedded model answers:
        curl -d '{"input":[0.5,-1,2,0.25]}' -H 'Content-Type: application/json' localhost:8080/v1/ffn
      """)

  @OptionGroup(title: "Models") var models: ModelOptions
  @OptionGroup(title: "Listening") var listening: ListenOptions
  @OptionGroup(title: "TLS") var tls: TLSOptions
  @OptionGroup(title: "Access") var access: AccessOptions
  @OptionGroup(title: "Computing") var engine: EngineOptions
  @OptionGroup(title: "Limits") var limits: LimitOptions
  @OptionGroup(title: "Times (250ms, 10s, 2m; a bare number is seconds)") var timeouts: TimeoutOptions
  @OptionGroup(title: "Logging") var logging: LogOptions

  /// Serves until a signal ends the process.
  ///
  /// What is wrong with the command line, the checkpoints or the address is found before anything is packed. From then
  /// on the server answers, though not ready: an orchestrator sees that it lives while it loads.
  ///
  /// - Parameters:
  ///   - started: when the process began, in `MonotonicClock`'s time.
  ///   - unknownVariables: to be warned about.
  func run(started: UInt64, unknownVariables: [String]) throws(StartError) -> Never {
    ProcessMemory.keepFreed(processors: CPUQuota.threads())
    let sink = logging.makeSink()
    // What stops the start is said last.
    defer { sink.flush() }
    let logger = Logger(label: "sluice") { _ in SinkLogHandler(sink: sink, level: logging.logLevel.level) }
    for name in unknownVariables { logger.warning("unknown variable", metadata: ["name": "\(name)"]) }

    let certificates = try Certificates(tls.configuration(), logger)
    var configuration = try engine.configuration(limits)
    let keys = try KeyReader(access.apiKeys, logger)
    configuration.keys = keys?.ring
    let modelLog = ModelLog(logger, sink)
    let store = try openModels(configuration, modelLog)
    let traffic = Traffic()
    let api = InferenceAPI(
      configuration: configuration, store: store, registry: registry(configuration, traffic), record: recorder(sink))
    let server = try listen(api, certificates, traffic)
    let admin = try listenForOperators(api)
    let signals = StopSignals(stopping: server, admin, api, after: timeouts.drainDelay.duration, sink, logger)
    let hangUps = HangUps {
      certificates?.reload(server)
      keys?.reload()
      store.reloadAll()
    }
    server.start()
    admin?.start()
    for arithmetic in engine.arithmetics {
      api.setPeak(arithmetic, multiplyAddsPerSecond: MachinePeak.measured(configuration.kernels, arithmetic))
    }

    try pack(store)
    report(ready: store.listing, server, admin, configuration, started: started, sink)
    modelLog.started()
    withExtendedLifetime((signals, hangUps)) { dispatchMain() }
  }

  private func recorder(_ sink: LogSink) -> @Sendable (RequestOutcome) -> Void {
    guard logging.accessLog, logging.logLevel.level <= .info else { return { _ in } }
    let log = AccessLog(sink: sink, logging.accessLogSelection)
    return { log.record($0) }
  }

  private func registry(_ configuration: APIConfiguration, _ traffic: Traffic) -> Registry {
    var registry = Registry()
    registry.declareBuild(kernels: configuration.kernels.name, compute: engine.compute?.arithmetic.rawValue ?? "stored")
    registry.declareProcess()
    registry.declare(traffic)
    return registry
  }

  private func listen(
    _ api: InferenceAPI, _ certificates: Certificates?, _ traffic: Traffic
  ) throws(StartError) -> HTTPServer {
    let inherited = ListenAddress.inheritedFromServiceManager()
    var configuration = ServerConfiguration(addresses: listening.addresses(besides: inherited))
    configuration.shards = listening.ioQueues.value
    configuration.backlog = Int32(clamping: listening.backlog.value)
    configuration.timeouts = timeouts.timeouts
    configuration.tls = certificates?.context
    configuration.traffic = traffic
    limits.apply(to: &configuration)
    do {
      let door = access.adminAddress == nil ? Arrival.Listener.only : .main
      return try HTTPServer(configuration: configuration, handler: RequestHandler(api, at: door))
    } catch {
      throw .listen(error)
    }
  }

  /// nil where the main listeners answer operators too.
  private func listenForOperators(_ api: InferenceAPI) throws(StartError) -> HTTPServer? {
    guard let listener = access.adminAddress else { return nil }
    var configuration = ServerConfiguration(addresses: [listener.address])
    configuration.timeouts = timeouts.timeouts
    // Some scrapers and people; what they send is short.
    configuration.capacity.connections = 256
    configuration.capacity.bodyBytes = 1 << 20
    do {
      return try HTTPServer(configuration: configuration, handler: RequestHandler(api, at: .admin))
    } catch {
      throw .listen(error)
    }
  }

  private func openModels(_ configuration: APIConfiguration, _ log: ModelLog) throws(StartError) -> ModelStore {
    // Packing takes a while and waits for storage: it has a thread of its own.
    let queue = DispatchQueue(label: "sluice.models")
    let store = ModelStore(
      try models.configuration(configuration, arithmetic: engine.compute?.arithmetic),
      background: { queue.async(execute: $0) },
      observe: { log.record($0) })
    do { try store.open(models.given) } catch { throw .store(error) }
    return store
  }

  /// Packs what was opened, and waits for it: what cannot be packed ends the start.
  private func pack(_ store: ModelStore) throws(StartError) {
    let done = DispatchSemaphore(value: 0)
    let result = Mutex<Result<Void, ModelStoreError>>(.success(()))
    store.start { outcome in
      result.withLock { $0 = outcome }
      done.signal()
    }
    done.wait()
    do { try result.withLock { $0 }.get() } catch { throw .store(error) }
  }

  /// The start line.
  private func report(
    ready catalog: ModelCatalog, _ server: HTTPServer, _ admin: HTTPServer?, _ configuration: APIConfiguration,
    started: UInt64,
    _ sink: LogSink
  ) {
    let models = catalog.models.map { model in
      LogValue.object(
        [
          ("name", .string(model.name)), ("family", .string(model.family)), ("rule", .string(model.rule)),
          ("layers", .integer(model.layers.count)), ("compute", .string(model.arithmetics.joined(separator: "+"))),
        ] + (model.error.map { [("error", .string($0))] } ?? []))
    }
    let milliseconds = Int((MonotonicClock.now() - started) / 1_000_000)
    sink.write(.info, "ready") { line in
      line.field("addresses", .list(server.boundAddresses.map { .string("\($0)") }))
      if let admin { line.field("admin", .list(admin.boundAddresses.map { .string("\($0)") })) }
      line.field("models", .list(models))
      line.field("resident_bytes", catalog.residentBytes)
      line.field("kernels", configuration.kernels.name)
      line.field("workers", configuration.workers)
      line.field("ready_ms", milliseconds)
      line.field("version", Version.text)
    }
  }
}

extension ServedModel {
  /// What its layers are computed in, each once.
  fileprivate var arithmetics: [String] {
    layers.compactMap { $0.block?.arithmetic.rawValue }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }

  /// The largest relative error of a layer's norm, to two digits.
  fileprivate var error: String? {
    layers.compactMap(\.error).max().map(RelativeError.text)
  }
}

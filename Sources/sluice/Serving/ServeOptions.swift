import ArgumentParser
import Batching
import Checkpoint
import Dispatch
import FeedForward
import HTTP1
import HTTPServer
import InferenceAPI

// The flags of `sluice serve` in the groups in which its help shows them, each group with what it configures.

struct ModelOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Serve a checkpoint under a name; can be given several times, the first one answers where a request names none.",
      discussion: """
        PATH is a directory with config.json and safetensors files, or a file with gate_proj.weight, up_proj.weight and \
        down_proj.weight. Without any, the embedded model answers; `demo` stands for it beside others.
        """,
      valueName: "name=path|demo"))
  var model: [GivenModel] = []

  @Option(
    help: ArgumentHelp(
      "Where other models are that can be loaded while serving: each sub-directory and each .safetensors file is one.",
      valueName: "directory"))
  var modelRepository: String?

  @Option(
    help: ArgumentHelp(
      "Keep packed weights here, so that a restart maps them and is ready in milliseconds.", valueName: "directory"))
  var packedCache: String?

  @Option(help: ArgumentHelp("Load only these layers of every checkpoint, such as 0-3,7.", valueName: "list"))
  var layers: String?

  @Option(
    help: ArgumentHelp(
      "Load only these experts of every mixture, such as 0-31; a row that needs another one is refused or goes without.",
      valueName: "list"))
  var experts: String?

  /// What is served from the start. A repository alone starts empty.
  var given: [GivenModel] {
    model.isEmpty && modelRepository == nil ? [GivenModel(name: DemoModel.name, source: .demo)] : model
  }

  func configuration(
    _ api: APIConfiguration, arithmetic: Arithmetic?
  ) throws(StartError) -> ModelStore.Configuration {
    var configuration = ModelStore.Configuration(kernels: api.kernels)
    configuration.team = api.team
    configuration.arithmetic = arithmetic
    configuration.cache = packedCache.map { PackedCache($0) }
    if layers != nil, model.isEmpty, modelRepository == nil {
      throw .usage("--layers selects layers of a checkpoint: --model is missing")
    }
    if experts != nil, model.isEmpty, modelRepository == nil {
      throw .usage("--experts selects experts of a checkpoint's mixtures: --model is missing")
    }
    do {
      configuration.layers = try layers.map { text throws(CheckpointError) in try LayerSelection(parsing: text) }
      configuration.experts = try experts.map { text throws(CheckpointError) in try ExpertSelection(parsing: text) }
      configuration.repository = try modelRepository.map { path throws(CheckpointError) in try ModelRepository(path) }
    } catch {
      throw .models(error)
    }
    return configuration
  }
}

struct ListenOptions: ParsableArguments {
  @Option(help: .address("Address to listen at; can be given several times. (default: 127.0.0.1)"))
  var host: [String] = []

  @Option(help: .number("Port to listen at; 0 lets the system choose one."))
  var port: UInt16 = 8080

  @Option(help: .path("Unix socket to listen at; can be given several times, and without --host in place of it."))
  var unixSocket: [String] = []

  @Option(help: .number("I/O queues; one serves some 100,000 small requests a second."))
  var ioQueues = Count(1)

  @Option(help: .number("Connections that may wait to be accepted."))
  var backlog = Count(4096)

  /// - Parameter inherited: sockets that a service manager handed over; they stand in for the default address.
  func addresses(besides inherited: [ListenAddress]) -> [ListenAddress] {
    let isDefault = host.isEmpty && unixSocket.isEmpty && inherited.isEmpty
    let hosts = isDefault ? ["127.0.0.1"] : host
    return hosts.map { .tcp(host: $0, port: port) } + unixSocket.map { .unix(path: $0) } + inherited
  }
}

struct AccessOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Let in only requests with a key of this file (Authorization: Bearer …). Read again on SIGHUP.",
      discussion: "Health and /metrics need no key; `sluice key` makes the lines.", valueName: "path"))
  var apiKeys: String?

  @Option(
    help: ArgumentHelp(
      "A listener of its own for operators: HOST:PORT or unix:PATH, in clear and without keys.",
      discussion: """
        It answers health, /metrics and the control of models; the other listeners answer 404 for the last two then.
        """,
      valueName: "address"))
  var adminAddress: ListenerArgument?
}

/// `HOST:PORT`, `[::1]:PORT` or `unix:PATH`.
struct ListenerArgument: ExpressibleByArgument {
  let address: ListenAddress

  init?(argument: String) {
    if argument.hasPrefix("unix:") {
      let path = String(argument.dropFirst("unix:".count))
      guard !path.isEmpty else { return nil }
      address = .unix(path: path)
      return
    }
    guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...]) else {
      return nil
    }
    var host = argument[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty else { return nil }
    address = .tcp(host: String(host), port: port)
  }
}

struct TLSOptions: ParsableArguments {
  @Option(help: .path("Certificate chain in PEM, the server's own first: speak HTTPS. Read again on SIGHUP."))
  var tlsCert: String?

  @Option(help: .path("Private key of the certificate in PEM, unencrypted. (default: in the certificate's file)"))
  var tlsKey: String?

  @Option(help: .path("Certificates in PEM, by one of which a client's has to be signed."))
  var tlsClientCa: String?

  /// nil for HTTP in clear.
  func configuration() throws(StartError) -> TLSConfiguration? {
    guard let tlsCert else {
      if tlsKey != nil || tlsClientCa != nil {
        throw .usage("--tls-cert is missing beside --tls-key or --tls-client-ca")
      }
      return nil
    }
    return TLSConfiguration(
      certificateChainFile: tlsCert, privateKeyFile: tlsKey ?? tlsCert, clientCAFile: tlsClientCa)
  }
}

struct EngineOptions: ParsableArguments {
  @Option(help: .number("Threads that compute. (default: the processors, or the control group's share of them)"))
  var workers: Count?

  @Option(
    help: ArgumentHelp(
      "Instruction set of the kernels, such as avx2; bench and the start line name it. (default: the machine's fastest)",
      valueName: "name"))
  var kernels: String?

  @Option(
    help: ArgumentHelp(
      """
      Arithmetic of checkpoints: \(ArithmeticName.allValueStrings.joined(separator: ", ")). (default: as the weights are \
      stored: f32 for F32 and F16, bf16 for BF16)
      """, valueName: "arithmetic"))
  var compute: ArithmeticName?

  @Option(help: .number("Rows that are joined into one forward pass at most."))
  var maxBatchRows = Count(64)

  @Option(help: .number("Microseconds that a request waits for company; 0 joins what waits and waits for nobody."))
  var batchDelayUs: UInt32 = 0

  @Option(help: .number("Rows that may wait; more are answered 503 with Retry-After."))
  var maxQueueRows = Count(4096)

  /// Every arithmetic that a layer may be computed in: the chosen one, or those that take weights as they are stored.
  var arithmetics: [Arithmetic] {
    compute.map { [$0.arithmetic] } ?? [.default(for: .f32), .default(for: .bf16)]
  }

  func configuration(_ limits: LimitOptions) throws(StartError) -> APIConfiguration {
    let chosen: Kernels
    do {
      chosen = try kernels.map(Kernels.named) ?? .best()
    } catch {
      throw .kernels(error)
    }
    var batching = BatchLimits(
      maxBatchRows: maxBatchRows.value, maxQueueRows: maxQueueRows.value, batchDelay: .microseconds(batchDelayUs))
    let cores = CPUQuota.threads()
    let workers = workers?.value ?? cores
    // With half of the workers at one layer's small batches each of them has another core to help it.
    if cores > 1 { batching.partialPasses = max(1, workers / 2) }
    batching.gathers = true
    var configuration = APIConfiguration(workers: workers, batching: batching, kernels: chosen)
    // A brief pass is computed while all workers rest, so another core helps.
    if cores > 1 { configuration.brief.multiplyAdds *= 2 }
    configuration.team = Team(threads: cores, niceness: WorkerPriority.niceness)
    limits.apply(to: &configuration)
    configuration.version = Version.text
    let aside = DispatchQueue(label: "sluice.aside")
    configuration.aside = { aside.async(execute: $0) }
    return configuration
  }
}

struct LimitOptions: ParsableArguments {
  private static let lengths = Limits()
  private static let capacity = ServerConfiguration.Capacity()
  private static let computing = APIConfiguration(
    workers: 1, batching: BatchLimits(maxBatchRows: 1, maxQueueRows: 1), kernels: .best())

  @Option(help: .octets("Octets of a request's body."))
  var maxBodyBytes = ByteCount(lengths.contentBytes)

  @Option(help: .octets("Octets of all bodies that are on their way; a request beyond it is answered 503."))
  var maxBodiesBytes = ByteCount(capacity.bodyBytes)

  @Option(help: .number("Elements of all weights that come with one request."))
  var maxWeightsElements = Count(computing.weightsElementsLimit)

  @Option(help: .number("Elements of the output and the activations of one reply."))
  var maxResultElements = Count(computing.resultElementsLimit)

  @Option(help: .number("Multiply–adds of one request."))
  var maxMultiplyAdds = Count(computing.multiplyAddsLimit)

  @Option(
    help: .octets(
      "Octets of large bodies and replies that may wait for a worker to decode and print them; more are answered 503."))
  var maxJobBytes = ByteCount(computing.jobBytesLimit)

  @Option(help: .octets("Octets of a request's method."))
  var maxMethodBytes = ByteCount(lengths.methodBytes)

  @Option(help: .octets("Octets of a request's target."))
  var maxTargetBytes = ByteCount(lengths.targetBytes)

  @Option(help: .octets("Octets of a request's head."))
  var maxHeadBytes = ByteCount(lengths.headBytes)

  @Option(help: .number("Fields of a request's head."))
  var maxFields = Count(lengths.fieldCount)

  @Option(help: .octets("Octets of a chunk's size and extensions."))
  var maxChunkLineBytes = ByteCount(lengths.chunkLineBytes)

  @Option(help: .octets("Octets of all chunk extensions of a request."))
  var maxChunkExtensionBytes = ByteCount(lengths.chunkExtensionBytes)

  @Option(help: .octets("Octets of a request's trailer section."))
  var maxTrailerBytes = ByteCount(lengths.trailerBytes)

  @Option(help: .octets("Octets of an unwanted body that are read to keep its connection."))
  var maxDiscardedBytes = ByteCount(lengths.discardedContentBytes)

  @Option(help: .number("Requests of one connection that are handled at a time."))
  var maxPipelinedRequests = Count(lengths.pipelinedRequests)

  @Flag(inversion: .prefixedNo, help: "Send replies in gzip or deflate to clients that ask for it.")
  var gzip = true

  @Option(help: .octets("Octets of a reply below which it is never sent in gzip or deflate."))
  var minGzipBytes = ByteCount(1400)

  @Option(help: .octets("Octets of answers that a client may leave unread before nothing more is read from it."))
  var maxUnsentBytes = ByteCount(capacity.unsentBytes)

  @Option(help: .number("Open connections; more wait to be accepted."))
  var maxConnections = Count(capacity.connections)

  @Option(help: .number("Open connections of one client address. (default: no limit of its own)"))
  var maxConnectionsPerAddress: Count?

  private var limits: Limits {
    Limits(
      methodBytes: maxMethodBytes.bytes, targetBytes: maxTargetBytes.bytes, headBytes: maxHeadBytes.bytes,
      fieldCount: maxFields.value, chunkLineBytes: maxChunkLineBytes.bytes,
      chunkExtensionBytes: maxChunkExtensionBytes.bytes, trailerBytes: maxTrailerBytes.bytes,
      contentBytes: maxBodyBytes.bytes, discardedContentBytes: maxDiscardedBytes.bytes,
      pipelinedRequests: maxPipelinedRequests.value)
  }

  func apply(to configuration: inout APIConfiguration) {
    configuration.bodyBytesLimit = maxBodyBytes.bytes
    configuration.weightsElementsLimit = maxWeightsElements.value
    configuration.resultElementsLimit = maxResultElements.value
    configuration.multiplyAddsLimit = maxMultiplyAdds.value
    configuration.jobBytesLimit = maxJobBytes.bytes
  }

  func apply(to configuration: inout ServerConfiguration) {
    configuration.limits = limits
    configuration.gzipRepliesFromBytes = gzip ? minGzipBytes.bytes : nil
    configuration.capacity.connections = maxConnections.value
    configuration.capacity.connectionsPerAddress = maxConnectionsPerAddress?.value ?? .max
    configuration.capacity.unsentBytes = maxUnsentBytes.bytes
    configuration.capacity.bodyBytes = maxBodiesBytes.bytes
  }
}

struct TimeoutOptions: ParsableArguments {
  private static let defaults = ServerConfiguration.Timeouts()

  @Option(help: .time("For a request's head; as long a new connection may stay silent."))
  var headTimeout = TimeSpan(duration: defaults.head)

  @Option(help: .time("For each 64 KiB of a request's body."))
  var bodyTimeout = TimeSpan(duration: defaults.body)

  @Option(help: .time("Between an answer and the next request."))
  var idleTimeout = TimeSpan(duration: defaults.idle)

  @Option(help: .time("For each 64 KiB of answers that a client takes."))
  var writeTimeout = TimeSpan(duration: defaults.write)

  @Option(help: .time("From the first byte of a request to the last of its answer."))
  var requestTimeout = TimeSpan(duration: defaults.total)

  @Option(help: .time("From accepting a connection to the end of its TLS handshake."))
  var handshakeTimeout = TimeSpan(duration: defaults.handshake)

  @Option(help: .time("How often a client that has ended its side is asked whether it still waits for its answer."))
  var hangUpProbe = TimeSpan(duration: defaults.hangUpProbe)

  @Option(help: .time("How long a closing connection is still read, so that the client gets the last answer."))
  var lingerTimeout = TimeSpan(duration: defaults.linger)

  @Option(help: .time("After SIGTERM: how long to go on serving, while /readyz says 503, before accepting ends."))
  var drainDelay = TimeSpan.seconds(0)

  @Option(help: .time("After that: how long requests in flight may take before they are cut off."))
  var drainTimeout = TimeSpan(duration: defaults.drain)

  var timeouts: ServerConfiguration.Timeouts {
    var timeouts = Self.defaults
    timeouts.head = headTimeout.duration
    timeouts.body = bodyTimeout.duration
    timeouts.idle = idleTimeout.duration
    timeouts.write = writeTimeout.duration
    timeouts.total = requestTimeout.duration
    timeouts.handshake = handshakeTimeout.duration
    timeouts.hangUpProbe = hangUpProbe.duration
    timeouts.linger = lingerTimeout.duration
    timeouts.drain = drainTimeout.duration
    return timeouts
  }
}

struct LogOptions: ParsableArguments {
  @Option(help: "Lines for people or for programs: text, json. (default: text on a terminal, else json)")
  var logFormat: LogFormat?

  @Option(help: "Least level that is logged: debug, info, warning, error.")
  var logLevel = LogLevel.info

  @Flag(inversion: .prefixedNo, help: "One line for each request.")
  var accessLog = true

  @Option(
    help: .number(
      "One line for so many requests only. (default: 1, or none but slow ones with --access-log-slow)"))
  var accessLogSample: Count?

  @Option(
    help: .time(
      "A line for each request that took so long. Requests answered with a problem always have a line."))
  var accessLogSlow: TimeSpan?

  var accessLogSelection: AccessLog.Selection {
    AccessLog.Selection(
      oneOf: accessLogSample?.value ?? (accessLogSlow == nil ? 1 : nil), slow: accessLogSlow?.duration)
  }

  func makeSink() -> LogSink {
    LogSink(format: logFormat ?? (StandardError.isTerminal ? .text : .json))
  }
}

extension LogFormat: ExpressibleByArgument {}
extension LogLevel: ExpressibleByArgument {}

import Checkpoint
import InferenceAPI
import Logging
import Synchronization

/// What happens to models, as log lines and as a meter on a terminal.
final class ModelLog: Sendable {
  private let logger: Logger
  private let meter: Mutex<PackingMeter>
  /// Whether the start line has been written, which says what was loaded until then.
  private let hasStarted = Atomic<Bool>(false)

  init(_ logger: Logger, _ sink: LogSink) {
    self.logger = logger
    meter = Mutex(PackingMeter(sink: sink))
  }

  func started() { hasStarted.store(true, ordering: .relaxed) }

  func record(_ event: ModelEvent) {
    switch event {
    case .packing(let model, let checkpoint):
      logger.info("packing", metadata: checkpoint.logMetadata(model: model))
    case .progress(let progress):
      meter.withLock { $0.show(progress) }
    case .loaded(let model):
      meter.withLock { $0.end() }
      guard hasStarted.load(ordering: .relaxed) else { return }
      logger.info("loaded", metadata: ["model": "\(model.name)", "bytes": .stringConvertible(model.residentBytes)])
    case .failed(let model, let error, let servesOlder):
      meter.withLock { $0.end() }
      // At the start the program's last line says it.
      guard hasStarted.load(ordering: .relaxed) else { return }
      logger.error(
        "not loaded",
        metadata: ["model": "\(model)", "reason": "\(error)", "serves_older": .stringConvertible(servesOlder)])
    case .cacheIgnored(let model, let reason):
      logger.warning("packed cache ignored", metadata: ["model": "\(model)", "reason": "\(reason)"])
    case .cacheNotWritten(let model, let reason):
      logger.warning("packed cache not written", metadata: ["model": "\(model)", "reason": "\(reason)"])
    case .unloaded(let model):
      meter.withLock { $0.end() }
      logger.info("unloaded", metadata: ["model": "\(model)"])
    }
  }
}

extension Checkpoint {
  fileprivate func logMetadata(model: String) -> Logger.Metadata {
    var metadata: Logger.Metadata = [
      "model": "\(model)", "path": "\(path)", "family": "\(family)", "rule": "\(rule)",
      "layers": .stringConvertible(layers.count),
      "bytes": .stringConvertible(layers.reduce(0) { $0 + $1.storedBytes }),
    ]
    if !notes.isEmpty { metadata["notes"] = .array(notes.map { "\($0)" }) }
    return metadata
  }
}

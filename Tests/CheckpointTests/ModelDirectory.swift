import Checkpoint
import Foundation

/// A directory for one test, gone with it.
final class ModelDirectory {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "checkpoint-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  /// A directory with a `config.json` and one file of weights.
  convenience init(config: String, _ tensors: [TensorFixture]) throws {
    try self.init()
    try write("config.json", config)
    try write("model.safetensors", SafetensorsWriter.file(tensors))
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  subscript(name: String) -> String { "\(path)/\(name)" }

  /// Opens the directory, or a file in it, before it can go.
  func open(
    _ name: String? = nil, layers: LayerSelection? = nil, experts: ExpertSelection? = nil
  ) throws -> Checkpoint {
    try withExtendedLifetime(self) {
      try Checkpoint.open(name.map { self[$0] } ?? path, layers: layers, experts: experts)
    }
  }

  func write(_ name: String, _ bytes: [UInt8]) throws {
    try Data(bytes).write(to: URL(filePath: self[name]))
  }

  func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

  /// Shards of these names and the index that says which tensor is where.
  func write(shards: [(name: String, tensors: [TensorFixture])]) throws {
    var map: [String: String] = [:]
    for (name, tensors) in shards {
      try write(name, SafetensorsWriter.file(tensors))
      for tensor in tensors { map[tensor.name] = name }
    }
    try write(index: map)
  }

  func write(index map: [String: String]) throws {
    let index: [String: Any] = ["metadata": ["total_size": 0], "weight_map": map]
    let json = try JSONSerialization.data(withJSONObject: index, options: [.withoutEscapingSlashes])
    try write("model.safetensors.index.json", Array(json))
  }
}

import Foundation
import InferenceAPI

/// A folder of bare layers, which computes `scale·x⊙x` for d_model 2: gate, up and down are diagonal and the gate is
/// `bilinear`, so that an answer says by its numbers which file it came from.
final class ModelFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "models-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  var path: String { url.path }

  /// Puts a layer in the place of what was there, as one should: by renaming.
  func write(_ name: String, scale: Float) throws {
    let file = url.appending(path: name + ".safetensors")
    let new = url.appending(path: ".new")
    let identity = Golden.Values(shape: [2, 2], floats: [1, 0, 0, 1])
    let down = Golden.Values(shape: [2, 2], floats: [scale, 0, 0, scale])
    try Golden.write(
      [("gate_proj.weight", identity), ("up_proj.weight", identity), ("down_proj.weight", down)],
      metadata: ["variant": "bilinear"], to: new)
    try FileManager.default.removeItemIfThere(file)
    try FileManager.default.moveItem(at: new, to: file)
  }

  func breakFile(_ name: String) throws {
    let file = url.appending(path: name + ".safetensors")
    try FileManager.default.removeItemIfThere(file)
    try Data("no safetensors".utf8).write(to: file)
  }

  func given(_ name: String) -> GivenModel {
    GivenModel(name: name, source: .checkpoint(path: url.appending(path: name + ".safetensors").path))
  }
}

extension FileManager {
  fileprivate func removeItemIfThere(_ url: URL) throws {
    if fileExists(atPath: url.path) { try removeItem(at: url) }
  }
}

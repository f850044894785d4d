import Foundation
import Testing

/// A file of reference values, read by a reader of its own, so that no mistake of the product's reader can hide here.
struct Golden {
  struct Values {
    let shape: [Int]
    let floats: [Float]
  }

  let tensors: [String: Values]
  let metadata: [String: String]

  init(_ name: String) throws {
    let url = try #require(
      Bundle.module.url(forResource: name, withExtension: "safetensors", subdirectory: "Fixtures"), "\(name)")
    let data = try Data(contentsOf: url)
    let headerLength = Int(data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    let header = try #require(
      try JSONSerialization.jsonObject(with: data[8..<8 + headerLength]) as? [String: [String: Any]])
    metadata = header["__metadata__"] as? [String: String] ?? [:]
    var tensors: [String: Values] = [:]
    for (name, entry) in header where name != "__metadata__" {
      let shape = try #require(entry["shape"] as? [Int])
      let offsets = try #require(entry["data_offsets"] as? [Int])
      if entry["dtype"] as? String == "I64" {
        let integers = stride(from: offsets[0], to: offsets[1], by: 8).map { start in
          data[(8 + headerLength + start)..<(16 + headerLength + start)].reversed().reduce(Int64(0)) {
            $0 << 8 | Int64($1)
          }
        }
        tensors[name] = Values(shape: shape, floats: integers.map(Float.init))
        continue
      }
      try #require(entry["dtype"] as? String == "F32")
      var floats = [Float](repeating: 0, count: shape.reduce(1, *))
      _ = floats.withUnsafeMutableBytes { target in
        data.copyBytes(to: target, from: 8 + headerLength + offsets[0]..<8 + headerLength + offsets[1])
      }
      tensors[name] = Values(shape: shape, floats: floats)
    }
    self.tensors = tensors
  }

  /// The tensor of that name below the file's prefix.
  func callAsFunction(_ name: String) throws -> Values {
    try #require(tensors[name] ?? tensors[(metadata["prefix"] ?? "") + name], "\(name)")
  }

  /// How far PyTorch's own float32 result lies from the float64 one.
  var peerError: Double { get throws { try #require(metadata["f32_max_abs_err"].flatMap(Double.init)) } }
}

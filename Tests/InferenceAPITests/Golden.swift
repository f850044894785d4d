import Foundation
import Testing

/// A file of reference values that the engine's tests hold, read by a reader of the tests' own.
struct Golden {
  struct Values {
    let shape: [Int]
    let floats: [Float]

    /// The tensor as a nested array, every number with all the digits that it needs.
    var nested: String {
      func nest(_ axis: Int, _ start: Int) -> String {
        let size = shape[axis]
        let step = shape[(axis + 1)...].reduce(1, *)
        let parts = (0..<size).map {
          axis + 1 == shape.count ? "\(floats[start + $0])" : nest(axis + 1, start + $0 * step)
        }
        return "[\(parts.joined(separator: ","))]"
      }
      return nest(0, 0)
    }

    /// The tensor as `{"shape", "datatype", "data"}`.
    var flat: String {
      let data = floats.map { "\($0)" }.joined(separator: ",")
      return #"{"shape":\#(shape),"datatype":"FP32","data":[\#(data)]}"#
    }

    /// The tensor as `{"shape", "datatype", "base64"}`.
    var base64: String {
      let bytes = floats.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
      return #"{"shape":\#(shape),"datatype":"FP32","base64":"\#(Data(bytes).base64EncodedString())"}"#
    }

    func inForm(_ form: String) -> String {
      switch form {
      case "nested": nested
      case "flat": flat
      default: base64
      }
    }
  }

  let tensors: [String: Values]
  private let metadata: [String: String]

  /// - Parameter tests: the folder of tests that has the file among its fixtures.
  init(_ name: String, of tests: String = "FeedForwardTests") throws {
    let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "\(tests)/Fixtures/\(name).safetensors")
    let data = try Data(contentsOf: url)
    let length = Int(data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    let header = try #require(
      try JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: [String: Any]])
    metadata = header["__metadata__"] as? [String: String] ?? [:]
    var tensors: [String: Values] = [:]
    for (name, entry) in header where name != "__metadata__" {
      let shape = try #require(entry["shape"] as? [Int])
      let offsets = try #require(entry["data_offsets"] as? [Int])
      if entry["dtype"] as? String == "I64" {
        let integers = data.withUnsafeBytes { bytes in
          stride(from: offsets[0], to: offsets[1], by: 8).map {
            Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 + length + $0, as: Int64.self))
          }
        }
        tensors[name] = Values(shape: shape, floats: integers.map(Float.init))
        continue
      }
      try #require(entry["dtype"] as? String == "F32")
      let floats = data.withUnsafeBytes { bytes in
        stride(from: offsets[0], to: offsets[1], by: 4).map {
          Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 + length + $0, as: UInt32.self)))
        }
      }
      tensors[name] = Values(shape: shape, floats: floats)
    }
    self.tensors = tensors
  }

  /// The tensor of that name below the file's prefix, or nil.
  subscript(_ name: String) -> Values? { tensors[name] ?? tensors[(metadata["prefix"] ?? "") + name] }

  func callAsFunction(_ name: String) throws -> Values { try #require(self[name], "\(name)") }

  /// Four times PyTorch's own float32 error, which sums in another order.
  var bound: Double { get throws { 4 * (try #require(metadata["f32_max_abs_err"].flatMap(Double.init))) } }

  /// Writes tensors as a safetensors file, for the product's own reader.
  static func write(_ tensors: [(name: String, values: Values)], metadata: [String: String], to url: URL) throws {
    var header: [String: Any] = ["__metadata__": metadata]
    var bytes = Data()
    for (name, values) in tensors {
      let start = bytes.count
      for value in values.floats { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) } }
      header[name] = ["dtype": "F32", "shape": values.shape, "data_offsets": [start, bytes.count]]
    }
    let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
    var file = Data()
    withUnsafeBytes(of: UInt64(json.count).littleEndian) { file.append(contentsOf: $0) }
    try (file + json + bytes).write(to: url)
  }
}

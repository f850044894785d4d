import FeedForward
import Foundation
import Testing

/// A file that the reference implementation wrote: a layer's weights under their published names, its `input` and its
/// `output`. Read here without the reader under test.
struct Golden {
  let tensors: [String: TensorFixture]
  /// Tensors of 64-bit integers: what a router chose.
  let integers: [String: [Int]]
  let metadata: [String: String]
  /// The whole file, for a model's directory: tensors that are no layer's do no harm in it.
  let file: [UInt8]
  /// How far the reference's own float32 arithmetic is from the exact output.
  let float32Error: Float

  init(_ name: String) throws {
    // Mixtures are large: the engine's tests hold them for all.
    let engines = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "FeedForwardTests/Fixtures/\(name).safetensors")
    let url = Bundle.module.url(forResource: name, withExtension: "safetensors", subdirectory: "Fixtures") ?? engines
    let file = [UInt8](try Data(contentsOf: url))
    let length = file[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    let json = try JSONSerialization.jsonObject(with: Data(file[8..<8 + length]))
    let header = try #require(json as? [String: [String: Any]])
    var tensors: [String: TensorFixture] = [:]
    var integers: [String: [Int]] = [:]
    for (name, entry) in header where name != "__metadata__" {
      let shape = try #require(entry["shape"] as? [Int])
      let offsets = try #require(entry["data_offsets"] as? [Int])
      let data = Array(file[8 + length + offsets[0]..<8 + length + offsets[1]])
      switch entry["dtype"] as? String {
      // A router's choice is part of no model.
      case "I64":
        integers[name] = stride(from: 0, to: data.count, by: 8).map { start in
          data[start..<start + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
      case let dtype?: tensors[name] = TensorFixture(name, dtype: dtype, shape, data: data)
      case nil: break
      }
    }
    self.tensors = tensors
    self.integers = integers
    self.file = file
    metadata = header["__metadata__"] as? [String: String] ?? [:]
    let error = try #require(metadata["f32_max_abs_err"])
    float32Error = try #require(Float(error))
  }

  /// What a model's file would hold: all but the example.
  var weights: [TensorFixture] {
    tensors.values.filter { !["input", "output", "router_logits", "router_weights"].contains($0.name) }.sorted {
      $0.name < $1.name
    }
  }

  func floats(_ name: String) throws -> [Float] { try #require(tensors[name]).floats }
}

extension TensorFixture {
  /// The elements of an F32 tensor.
  var floats: [Float] {
    stride(from: 0, to: data.count, by: 4).map { start in
      Float(bitPattern: data[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }
  }
}

extension MatrixView {
  /// The elements, row by row, found by the view's strides.
  var floats: [Float] {
    (0..<rows).flatMap { row in
      (0..<columns).map { element(base, type, at: row * rowStride + $0 * columnStride) }
    }
  }
}

extension VectorView {
  var floats: [Float] { (0..<count).map { element(base, type, at: $0 * stride) } }
}

private func element(_ base: UnsafeRawPointer, _ type: WeightType, at index: Int) -> Float {
  switch type {
  case .f32: Float(bitPattern: base.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
  case .f16: Float(Float16(bitPattern: base.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
  case .bf16:
    Float(bitPattern: UInt32(base.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)) << 16)
  case .f8E4M3, .mxfp4, .f8E8M0: fatalError("the engine's tests read these")
  }
}

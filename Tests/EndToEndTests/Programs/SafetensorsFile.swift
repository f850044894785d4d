import Foundation

/// Just enough of safetensors to take a golden apart and to put a checkpoint together.
struct SafetensorsFile {
  struct Tensor {
    var shape: [Int]
    var values: [Float]
  }

  var tensors: [String: Tensor] = [:]

  init(_ tensors: [String: Tensor] = [:]) {
    self.tensors = tensors
  }

  /// Reads the float32 tensors of a file.
  init(reading url: URL) throws {
    let data = try Data(contentsOf: url)
    let length = data.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let header = try JSONSerialization.jsonObject(with: data.dropFirst(8).prefix(length)) as? [String: Any] ?? [:]
    for (name, value) in header {
      guard let value = value as? [String: Any], value["dtype"] as? String == "F32",
        let shape = value["shape"] as? [Int], let offsets = value["data_offsets"] as? [Int]
      else { continue }
      let bytes = [UInt8](data.dropFirst(8 + length + offsets[0]).prefix(offsets[1] - offsets[0]))
      let values = stride(from: 0, to: bytes.count, by: 4).map { place in
        Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * $1) })
      }
      tensors[name] = Tensor(shape: shape, values: values)
    }
  }

  func write(to url: URL) throws {
    var header: [String: Any] = [:]
    var content = Data()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let start = content.count
      for value in tensor.values {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { content.append(contentsOf: $0) }
      }
      header[name] = ["dtype": "F32", "shape": tensor.shape, "data_offsets": [start, content.count]] as [String: Any]
    }
    let text = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
    var file = Data()
    withUnsafeBytes(of: UInt64(text.count).littleEndian) { file.append(contentsOf: $0) }
    try (file + text + content).write(to: url)
  }
}

/// The golden of a Llama layer: transformers' LlamaMLP in float64 on float32 weights, d_model 64, d_ff 160.
struct LlamaGolden {
  static let dModel = 64
  static let prefix = "model.layers.0.mlp"
  /// PyTorch's own float32 error; a correct implementation lies within a small factor of it.
  static let float32Error = 7.65e-7

  let file: SafetensorsFile

  init() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "FeedForwardTests/Fixtures")
    file = try SafetensorsFile(reading: fixtures.appending(path: "llama_mlp.safetensors"))
  }

  func row(_ index: Int, of tensor: String) -> [Float] {
    Array(file.tensors[tensor]!.values[index * Self.dModel..<(index + 1) * Self.dModel])
  }

  /// Writes the layer as models are published: config.json, two shards and their index.
  func writeCheckpoint(to folder: URL) throws {
    let weights = file.tensors.filter { $0.key.hasSuffix(".weight") }
    let shards = [
      "model-00001-of-00002.safetensors": weights.filter { !$0.key.contains("down_proj") },
      "model-00002-of-00002.safetensors": weights.filter { $0.key.contains("down_proj") },
    ]
    var map: [String: String] = [:]
    for (name, tensors) in shards {
      try SafetensorsFile(tensors).write(to: folder.appending(path: name))
      for tensor in tensors.keys { map[tensor] = name }
    }
    try JSONSerialization.data(withJSONObject: ["metadata": ["total_size": 0], "weight_map": map])
      .write(to: folder.appending(path: "model.safetensors.index.json"))
    let configuration: [String: Any] = [
      "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": Self.dModel,
      "intermediate_size": 160, "num_hidden_layers": 1, "mlp_bias": false,
    ]
    try JSONSerialization.data(withJSONObject: configuration).write(to: folder.appending(path: "config.json"))
  }
}

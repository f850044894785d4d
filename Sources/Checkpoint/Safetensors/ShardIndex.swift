import TensorCoding

/// `model.safetensors.index.json`: which shard holds which tensor.
struct ShardIndex {
  /// The name of the file as published.
  static let fileName = "model.safetensors.index.json"
  /// The largest published indices (mixtures with many thousand experts' tensors) have about 20 MB.
  static let bytesLimit = 100_000_000

  /// The shard's file name for each tensor's name.
  let shards: [String: String]

  /// Reads and checks an index; other members than `weight_map` say nothing that is needed.
  ///
  /// - Throws: ``CheckpointError``: no JSON, a tensor that stands twice, a shard's name that leads elsewhere.
  init(_ path: String) throws(CheckpointError) {
    let json = try ReadOnlyFile.contents(of: path, limit: Self.bytesLimit)
    let reading: Reading
    do {
      reading = try JSONReader.read(json) { (reader) throws(JSONError) in try Reading(&reader) }
    } catch {
      throw .malformedJSON(path: path, error)
    }
    if let duplicate = reading.duplicate { throw .duplicateMember(path: path, member: duplicate) }
    guard let shards = reading.shards else { throw .missingMember(path: path, member: "weight_map") }
    for (tensor, shard) in shards.sorted(by: { $0.key < $1.key }) where !Self.isPlainFileName(shard) {
      throw .shardOutsideDirectory(index: path, tensor: tensor, shard: shard)
    }
    self.shards = shards
  }

  /// A name that can only mean a file beside the index: no separator of any system, no way up, not hidden by a NUL.
  static func isPlainFileName(_ name: String) -> Bool {
    !name.isEmpty && name != "." && !name.contains("..") && !name.utf8.contains { "/\\\0".utf8.contains($0) }
  }

  private struct Reading {
    var shards: [String: String]?
    var duplicate: String?

    init(_ reader: inout JSONReader) throws(JSONError) {
      try reader.readObject { (reader, member) throws(JSONError) in
        guard member == "weight_map" else {
          try reader.skipValue()
          return
        }
        if shards != nil { duplicate = member }
        var map: [String: String] = [:]
        try reader.readObject { (reader, tensor) throws(JSONError) in
          if map.updateValue(try reader.readString(), forKey: tensor) != nil { duplicate = tensor }
        }
        shards = map
      }
    }
  }
}

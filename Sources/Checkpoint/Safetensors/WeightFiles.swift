import FeedForward

/// All tensors of one checkpoint under one set of names, from a single file or from the shards of an index.
struct WeightFiles: Sendable {
  /// A described tensor and the mapping in which its bytes lie.
  struct StoredTensor: Sendable {
    let description: SafetensorsHeader.Tensor
    let file: MappedFile
  }

  let tensors: [String: StoredTensor]
  /// `__metadata__` of a single file; shards keep none that is of interest.
  let metadata: [String: String]
  /// What is worth saying and no error.
  let notes: [String]

  /// One safetensors file.
  init(file path: String) throws(CheckpointError) {
    let (header, file) = try Self.open(path)
    tensors = Dictionary(
      uniqueKeysWithValues: header.tensors.map { ($0.name, StoredTensor(description: $0, file: file)) })
    metadata = header.metadata
    notes = []
  }

  /// The shards of an index, which stand beside it. Every tensor must be in the shard that the index says; tensors
  /// that it does not mention are noted and otherwise ignored.
  init(index path: String) throws(CheckpointError) {
    let index = try ShardIndex(path)
    var tensors: [String: StoredTensor] = [:]
    var notes: [String] = []
    for shard in Set(index.shards.values).sorted() {
      let (header, file) = try Self.open(WeightLocation.beside(path, shard))
      var unmentioned: [String] = []
      for tensor in header.tensors {
        if index.shards[tensor.name] == shard {
          tensors[tensor.name] = StoredTensor(description: tensor, file: file)
        } else {
          unmentioned.append(tensor.name)
        }
      }
      if !unmentioned.isEmpty {
        let some = unmentioned.prefix(3).joined(separator: ", ")
        let more = unmentioned.count > 3 ? " and \(unmentioned.count - 3) more" : ""
        notes.append("\(shard) holds \(some)\(more), not put there by the index")
      }
    }
    if let (missing, shard) = index.shards.sorted(by: { $0.key < $1.key }).first(where: { tensors[$0.key] == nil }) {
      throw .tensorNotInShard(index: path, tensor: missing, shard: shard)
    }
    self.tensors = tensors
    self.notes = notes
    metadata = [:]
  }

  /// Checks a file's header, which is read, before the file is mapped.
  private static func open(_ path: String) throws(CheckpointError) -> (SafetensorsHeader, MappedFile) {
    let file = try ReadOnlyFile(path)
    let prefix = try file.read(first: min(file.size, SafetensorsHeader.prefixBytes))
    let length = try naming(path) { () throws(SafetensorsError) in
      try SafetensorsHeader.length(of: prefix, fileSize: file.size)
    }
    let start = try file.read(first: SafetensorsHeader.prefixBytes + length)
    let header = try naming(path) { () throws(SafetensorsError) in
      try SafetensorsHeader(parsing: start, fileSize: file.size)
    }
    return (header, try MappedFile(file, loss: .readsAsZeros))
  }

  /// Gives a flaw the name of the file that has it.
  private static func naming<Result>(
    _ path: String, _ parse: () throws(SafetensorsError) -> Result
  ) throws(CheckpointError) -> Result {
    do { return try parse() } catch { throw .safetensors(path: path, error) }
  }
}

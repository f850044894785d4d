import Checkpoint
import FeedForward
import Foundation
import TensorCoding
import Testing

/// Paths, files, shards, and layers in files of their own.
@Suite struct CheckpointFileTests {
  private static let layer = FamilyTests.layer("model.layers.0.mlp")
  private static let config = #"{"model_type": "llama"}"#

  // MARK: Bare files

  private static let file = "layer.safetensors"

  private func bare(
    _ tensors: [TensorFixture], metadata: [String: String] = [:]
  ) throws -> ModelDirectory {
    let directory = try ModelDirectory()
    try directory.write(Self.file, SafetensorsWriter.file(tensors, metadata: metadata))
    return directory
  }

  private static let projections = [
    TensorFixture("gate_proj.weight", [3, 2]), TensorFixture("up_proj.weight", [3, 2]),
    TensorFixture("down_proj.weight", [2, 3]),
  ]

  @Test func bareFileIsSwigluUnlessItSays() throws {
    let directory = try bare(Self.projections)
    let checkpoint = try directory.open(Self.file)
    #expect(checkpoint.family == "bare")
    #expect(checkpoint.notes == ["the metadata names no variant: swiglu"])
    #expect(checkpoint.rule == "down_proj(silu(gate_proj x) · up_proj x)")
    let layer = try #require(checkpoint.layers.first)
    #expect((layer.name, layer.index, layer.dModel, layer.dFF) == ("ffn", 0, 2, 3))
    #expect(layer.dense?.gate == .swiglu)
  }

  @Test(arguments: Gate.all)
  func bareFileNamesItsVariant(gate: Gate) throws {
    let directory = try bare(Self.projections, metadata: ["variant": gate.wireName])
    let checkpoint = try directory.open(Self.file)
    #expect(checkpoint.layers[0].dense?.gate == gate)
    #expect(checkpoint.notes.isEmpty)
  }

  @Test(arguments: [
    (["variant": "swiglu", "beta": "1.702"], Gate.swiglu(beta: 1.702)),
    (["beta": "2"], .swiglu(beta: 2)),
    (["variant": "swiglu_clamped", "limit": "5", "alpha": "1.5"], .swigluClamped(alpha: 1.5, limit: 5)),
  ])
  func bareFileGivesParameters(metadata: [String: String], gate: Gate) throws {
    let directory = try bare(Self.projections, metadata: metadata)
    #expect(try directory.open(Self.file).layers[0].dense?.gate == gate)
  }

  @Test(arguments: [
    ["variant": "geglu", "beta": "1"], ["variant": "swiglu", "beta": "x"], ["beta": "nan"],
    ["variant": "swiglu_clamped", "limit": "-1"],
  ])
  func bareFileWithAFalseParameter(metadata: [String: String]) throws {
    let directory = try bare(Self.projections, metadata: metadata)
    let error = #expect(throws: CheckpointError.self) { try directory.open(Self.file) }
    guard case .variantParameter = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func bareFileWithAnUnknownVariant() throws {
    let directory = try bare(Self.projections, metadata: ["variant": "silu"])
    #expect(throws: CheckpointError.unknownVariant(path: directory[Self.file], found: "silu")) {
      try directory.open(Self.file)
    }
  }

  @Test func bareFileMayEndAtTheGate() throws {
    let directory = try bare(
      Array(Self.projections[..<2]) + [TensorFixture("up_proj.bias", [3], floats: [1, 2, 3])],
      metadata: ["variant": "glu"])
    let checkpoint = try directory.open(Self.file)
    let layer = checkpoint.layers[0]
    #expect(layer.dense?.downProj == nil)
    #expect(layer.dense?.upBias?.floats == [1, 2, 3])
    #expect(layer.dense?.gateBias == nil)
    #expect(layer.rule == "up_proj x · sigmoid(gate_proj x)")
  }

  @Test func bareFileMayPutOutAnotherWidth() throws {
    let directory = try bare(Array(Self.projections[..<2]) + [TensorFixture("down_proj.weight", [5, 3])])
    #expect(try directory.open(Self.file).layers[0].dense?.downProj?.rows == 5)
  }

  @Test func bareFileWithABiasAndNoProjection() throws {
    let directory = try bare(Array(Self.projections[..<2]) + [TensorFixture("down_proj.bias", [2])])
    #expect(
      throws: CheckpointError.missingTensor(
        name: "down_proj.weight", expected: "[d_out, 3]",
        found: ["down_proj.bias", "gate_proj.weight", "up_proj.weight"])
    ) { try directory.open(Self.file) }
  }

  @Test func bareFileHasOneLayer() throws {
    let directory = try bare(Self.projections)
    #expect(try directory.open(Self.file, layers: LayerSelection(parsing: "0")).layers.count == 1)
    #expect(throws: CheckpointError.layerOutOfRange(requested: 1, count: 1)) {
      try directory.open(Self.file, layers: LayerSelection(parsing: "0-1"))
    }
  }

  // MARK: Paths

  @Test func aFileIsReadByTheConfigurationBesideIt() throws {
    let directory = try ModelDirectory(config: Self.config, Self.layer)
    #expect(try directory.open("model.safetensors").family == "llama")
    #expect(try directory.open("").family == "llama")
  }

  @Test func aFileWithPrefixesNeedsAConfiguration() throws {
    let directory = try ModelDirectory()
    try directory.write("model.safetensors", SafetensorsWriter.file(Self.layer))
    for name in [nil, "model.safetensors"] {
      let path = name.map { directory[$0] } ?? directory.path
      #expect(throws: CheckpointError.noConfiguration(path: path, found: Self.layer.map(\.name).sorted())) {
        try directory.open(name)
      }
    }
  }

  @Test func aDirectoryWithoutWeights() throws {
    let directory = try ModelDirectory()
    try directory.write("config.json", Self.config)
    #expect(throws: CheckpointError.noWeights(directory: directory.path)) { try directory.open() }
  }

  @Test func nothingThere() throws {
    let directory = try ModelDirectory()
    #expect(throws: CheckpointError.unreadable(path: directory["x"], reason: "no such file or directory")) {
      try directory.open("x")
    }
  }

  /// Opening a pipe for reading would wait for a writer.
  @Test func aPipeIsRefusedWithoutWaiting() throws {
    let directory = try ModelDirectory()
    try #require(mkfifo(directory["model.safetensors"], 0o600) == 0)
    #expect(throws: CheckpointError.notARegularFile(path: directory["model.safetensors"])) {
      try directory.open()
    }
  }

  @Test func aFileThatLiesIsNamed() throws {
    let directory = try ModelDirectory(config: Self.config, Self.layer)
    try directory.write("model.safetensors", SafetensorsWriter.file(Self.layer) + [0])
    #expect(
      throws: CheckpointError.safetensors(path: directory["model.safetensors"], .trailingBytes(count: 1))
    ) { try directory.open() }
    try directory.write("model.safetensors", [])
    #expect(
      throws: CheckpointError.safetensors(path: directory["model.safetensors"], .noHeaderLength(fileSize: 0))
    ) { try directory.open() }
  }

  @Test func everyTruncationOfTheHeaderIsAnError() throws {
    let directory = try ModelDirectory(config: Self.config, Self.layer)
    let file = SafetensorsWriter.file(Self.layer)
    for count in stride(from: 0, to: file.count, by: 3) {
      try directory.write("model.safetensors", Array(file[..<count]))
      #expect(throws: CheckpointError.self) { try directory.open() }
    }
  }

  @Test func aFileThatIsCutShortLaterIsNoticed() throws {
    let directory = try ModelDirectory(config: Self.config, Self.layer)
    let path = directory["model.safetensors"]
    let layer = try directory.open().layers[0]
    try layer.confirmFiles()
    let size = SafetensorsWriter.file(Self.layer).count
    try #require(truncate(path, off_t(size - 1)) == 0)
    #expect(throws: CheckpointError.shrunk(path: path, opened: size, found: size - 1)) { try layer.confirmFiles() }
  }

  /// Weights that are read after they have been cut off are zeros, and an error for whoever asks before using them.
  @Test func whatIsCutOffWhileItIsReadIsNoticed() throws {
    let directory = try ModelDirectory(config: Self.config, Self.layer)
    let path = directory["model.safetensors"]
    let layer = try directory.open().layers[0]
    let size = SafetensorsWriter.file(Self.layer).count
    try #require(truncate(path, 0) == 0)
    #expect(layer.dense?.gateProj.floats == [Float](repeating: 0, count: 6))
    #expect(throws: CheckpointError.shrunk(path: path, opened: size, found: 0)) { try layer.confirmFiles() }
    // Its length may be right again, what was read is not.
    try #require(truncate(path, off_t(size)) == 0)
    #expect(throws: CheckpointError.unreadable(path: path, reason: "it was cut short while it was read")) {
      try layer.confirmFiles()
    }
    // A file that is opened afterwards has nothing to do with that.
    try directory.write("model.safetensors", SafetensorsWriter.file(Self.layer))
    let again = try directory.open().layers[0]
    #expect(again.dense?.gateProj.floats == [Float](repeating: 1, count: 6))
    try again.confirmFiles()
  }

  /// As many as the shards of several large models, all of which are read at the same time.
  @Test func everyOneOfManyMappingsIsWatched() throws {
    let directory = try ModelDirectory(config: Self.config, Self.layer)
    let path = directory["model.safetensors"]
    let file = try ReadOnlyFile(path)
    let mappings = try (0..<600).map { _ in try MappedFile(file, loss: .readsAsZeros) }
    try #require(truncate(path, 0) == 0)
    try #require(truncate(path, off_t(file.size)) == 0)
    // The pages that were there are gone; those of the file's new length are zeros by themselves.
    for mapping in mappings { try mapping.confirmWhole() }
    try #require(truncate(path, 0) == 0)
    #expect(mappings.allSatisfy { $0.bytes.allSatisfy { $0 == 0 } })
    try #require(truncate(path, off_t(file.size)) == 0)
    for mapping in mappings { #expect(throws: CheckpointError.self) { try mapping.confirmWhole() } }
  }

  @Test func aFileThatIsReplacedStaysReadable() throws {
    let directory = try ModelDirectory(config: Self.config, Self.layer)
    let layer = try directory.open().layers[0]
    try FileManager.default.removeItem(atPath: directory["model.safetensors"])
    try directory.write("model.safetensors", [1])
    try layer.confirmFiles()
    #expect(layer.dense?.gateProj.floats == [Float](repeating: 1, count: 6))
  }

  // MARK: Shards

  private func sharded(_ map: [String: String]) throws -> ModelDirectory {
    let directory = try ModelDirectory()
    try directory.write("config.json", Self.config)
    try directory.write("a.safetensors", SafetensorsWriter.file(Array(Self.layer[..<2])))
    try directory.write("b.safetensors", SafetensorsWriter.file(Array(Self.layer[2...])))
    try directory.write(index: map)
    return directory
  }

  private static var map: [String: String] {
    [layer[0].name: "a.safetensors", layer[1].name: "a.safetensors", layer[2].name: "b.safetensors"]
  }

  @Test(arguments: [
    "../b.safetensors", "/b.safetensors", "sub/b.safetensors", "sub\\b.safetensors", "..", ".", "", "b..safetensors",
    "b.safetensors\u{0}",
  ])
  func aShardIsAFileBesideTheIndex(shard: String) throws {
    var map = Self.map
    map[Self.layer[2].name] = shard
    let directory = try sharded(map)
    #expect(
      throws: CheckpointError.shardOutsideDirectory(
        index: directory["model.safetensors.index.json"], tensor: Self.layer[2].name, shard: shard)
    ) { try directory.open() }
  }

  @Test func aTensorMustBeInItsShard() throws {
    var map = Self.map
    map[Self.layer[2].name] = "a.safetensors"
    let directory = try sharded(map)
    #expect(
      throws: CheckpointError.tensorNotInShard(
        index: directory["model.safetensors.index.json"], tensor: Self.layer[2].name, shard: "a.safetensors")
    ) { try directory.open() }
  }

  @Test func aShardMustBeThere() throws {
    var map = Self.map
    map["other"] = "c.safetensors"
    let directory = try sharded(map)
    #expect(
      throws: CheckpointError.unreadable(path: directory["c.safetensors"], reason: "no such file or directory")
    ) { try directory.open() }
  }

  @Test func whatTheIndexDoesNotMentionIsNoted() throws {
    let directory = try sharded(Self.map)
    try directory.write("b.safetensors", SafetensorsWriter.file(Self.layer))
    let checkpoint = try directory.open()
    #expect(checkpoint.layers.count == 1)
    #expect(
      checkpoint.notes == [
        "b.safetensors holds \(Self.layer[0].name), \(Self.layer[1].name), not put there by the index"
      ])
  }

  @Test func aSingleFileWinsOverAnIndex() throws {
    let directory = try sharded(Self.map)
    try directory.write("model.safetensors", SafetensorsWriter.file(Self.layer))
    let checkpoint = try directory.open()
    #expect(checkpoint.notes == ["model.safetensors is read, model.safetensors.index.json beside it is not"])
  }

  @Test(arguments: [
    (#"{"weight_map": {"a": "b", "a": "b"}}"#, CheckpointError.duplicateMember(path: "", member: "a")),
    (#"{"weight_map": {}, "weight_map": {}}"#, .duplicateMember(path: "", member: "weight_map")),
    (#"{"metadata": {"total_size": 1}}"#, .missingMember(path: "", member: "weight_map")),
    ("{", .malformedJSON(path: "", .syntax(offset: 1, expected: .memberName))),
    (
      #"{"weight_map": {"a": 1}}"#,
      .malformedJSON(path: "", .mismatch(pointer: "/weight_map/a", .kind(expected: .string, found: .number)))
    ),
  ])
  func malformedIndex(json: String, error: CheckpointError) throws {
    let directory = try sharded(Self.map)
    let path = directory["model.safetensors.index.json"]
    try directory.write("model.safetensors.index.json", json)
    let expected: CheckpointError =
      switch error {
      case .duplicateMember(_, let member): .duplicateMember(path: path, member: member)
      case .missingMember(_, let member): .missingMember(path: path, member: member)
      case .malformedJSON(_, let error): .malformedJSON(path: path, error)
      default: error
      }
    #expect(throws: expected) { try directory.open() }
  }
}

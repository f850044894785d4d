import Checkpoint
import FeedForward
import Foundation
import Testing

/// `scripts/make-checkpoint.py`, whose first layer of 2048×8192 is the one of the reference's large example.
@Suite(.enabled(if: MakeCheckpoint.hasPython, "python3 is not installed"))
struct MakeCheckpointTests {
  /// The reference's own first elements at these widths; `down_proj` is scaled by its columns, 2⁻⁶ at 8192.
  private static let gate: [Float] = [
    0.004160095006227493, 0.015361357480287552, 0.02943766862154007, -0.0034775510430336,
  ]
  private static let up: [Float] = [
    0.0056993551552295685, 0.015571855008602142, 0.00597737729549408, 0.016588695347309113,
  ]
  private static let down: [Float] = [
    -0.012079678475856781, 0.006259171292185783, 0.003530457615852356, -0.013347916305065155,
  ]

  @Test func writesTheReferencesNumbers() throws {
    let directory = try ModelDirectory()
    try MakeCheckpoint.run([directory.path, "--d-model", "2048", "--d-ff", "4"])
    let checkpoint = try directory.open()
    let layer = try #require(checkpoint.layers.first)
    #expect(checkpoint.family == "llama" && checkpoint.notes.isEmpty)
    #expect((layer.dModel, layer.dFF, layer.storedType) == (2048, 4, "F32"))
    #expect(layer.dense?.gate == .swiglu)
    #expect(Array(try #require(layer.dense).gateProj.floats[..<4]) == Self.gate)
    #expect(Array(try #require(layer.dense).upProj.floats[..<4]) == Self.up)
    #expect(try #require(layer.dense?.downProj).floats[..<4].map { $0 / 32 } == Self.down)
  }

  @Test(arguments: ["F32", "F16", "BF16"])
  func shardsWithAndWithoutNumpyAreTheSame(dtype: String) throws {
    let options = ["--d-model", "65", "--d-ff", "130", "--layers", "3", "--shards", "4", "--bias", "--dtype", dtype]
    let (one, other) = (try ModelDirectory(), try ModelDirectory())
    try MakeCheckpoint.run([one.path] + options)
    // Without site-packages there is no numpy.
    try MakeCheckpoint.run([other.path] + options, python: ["-S"])
    for name in try FileManager.default.contentsOfDirectory(atPath: one.path) {
      #expect(FileManager.default.contentsEqual(atPath: one[name], andPath: other[name]), "\(name)")
    }
    let checkpoint = try one.open()
    #expect(checkpoint.layers.map(\.name) == (0..<3).map { "model.layers.\($0).mlp" })
    #expect(checkpoint.layers.allSatisfy { $0.storedType == dtype && $0.dense?.downBias?.count == 65 })
  }
}

enum MakeCheckpoint {
  static let hasPython = (try? python(["-c", ""])) == 0

  static func run(_ arguments: [String], python options: [String] = []) throws {
    let script = URL(filePath: #filePath).appending(path: "../../../scripts/make-checkpoint.py").standardized.path
    #expect(try python(options + [script] + arguments) == 0)
  }

  private static func python(_ arguments: [String]) throws -> CInt {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}

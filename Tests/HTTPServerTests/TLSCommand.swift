import Foundation

/// A program of the machine, run to its end: `openssl`, `python3`, the peers these tests are held against.
struct Command {
  struct Failure: Error {
    let program: String
    let status: Int32
    let diagnostics: String
  }

  /// What the program wrote to its standard output.
  ///
  /// - Throws: `Failure` with its standard error where it ends with a status other than 0.
  @discardableResult
  static func run(_ arguments: String..., input: [UInt8] = [], in directory: URL? = nil) throws -> [UInt8] {
    try TemporaryDirectory.with { scratch in
      let files = ["in", "out", "err"].map { scratch.url.appendingPathComponent($0) }
      try Data(input).write(to: files[0])
      for file in files[1...] { try Data().write(to: file) }
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = arguments
      process.currentDirectoryURL = directory
      process.standardInput = try FileHandle(forReadingFrom: files[0])
      process.standardOutput = try FileHandle(forWritingTo: files[1])
      process.standardError = try FileHandle(forWritingTo: files[2])
      try process.run()
      process.waitUntilExit()
      guard process.terminationStatus == 0 else {
        let diagnostics = String(decoding: try Data(contentsOf: files[2]), as: UTF8.self)
        throw Failure(program: arguments[0], status: process.terminationStatus, diagnostics: diagnostics)
      }
      return Array(try Data(contentsOf: files[1]))
    }
  }
}

/// A directory of one test's own, removed when the test is done with it.
final class TemporaryDirectory {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  static func with<R>(_ body: (TemporaryDirectory) throws -> R) throws -> R {
    let directory = try TemporaryDirectory()
    return try withExtendedLifetime(directory) { try body(directory) }
  }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    return path(name)
  }
}

/// The generator of all these tests' arbitrary bytes: the same ones in every run.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) } }
}

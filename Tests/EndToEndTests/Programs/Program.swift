import Foundation
import Testing

/// Programs that tests start: the one that was built, and the clients that a machine has.
enum Program {
  struct Output {
    let status: Int32
    let output: String
    let error: String
  }

  struct Missing: Error, CustomStringConvertible {
    let description: String
  }

  /// The built program, beside the bundle that holds this test.
  static var sluice: URL {
    get throws {
      let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      let candidates = [folder, Bundle.module.bundleURL.deletingLastPathComponent()].map {
        $0.appending(path: "sluice")
      }
      guard let found = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0.path) }) else {
        throw Missing(description: "no sluice beside the tests: \(candidates.map(\.path))")
      }
      return found
    }
  }

  /// A program on the PATH.
  static func named(_ name: String) throws -> URL {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    let paths = folders.map { "\($0)/\(name)" }
    guard let path = paths.first(where: FileManager.default.isExecutableFile) else {
      throw Missing(description: "\(name) is not installed: these tests use the clients that people use")
    }
    return URL(fileURLWithPath: path)
  }

  /// A script of `Clients`.
  static func client(_ name: String) throws -> String {
    let folder = try #require(Bundle.module.resourceURL)
    return folder.appending(path: "Clients").appending(path: name).path
  }

  /// What every program gets: nothing that the one who runs the tests has set for a server of his own.
  static var environment: [String: String] {
    ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("SLUICE_") && !$0.key.contains("_proxy") }
  }

  static func python(_ client: String, _ arguments: String..., input: Data = Data()) async throws -> Output {
    try await run(named("python3"), [Self.client(client)] + arguments, input: input)
  }

  static func curl(_ arguments: String...) async throws -> Output {
    try await curl(arguments)
  }

  static func curl(_ arguments: [String]) async throws -> Output {
    try await run(named("curl"), ["--silent", "--show-error", "--max-time", "60"] + arguments)
  }

  static func sluice(_ arguments: String..., environment: [String: String] = [:]) async throws -> Output {
    try await run(sluice, arguments, environment: environment)
  }

  /// Runs a program to its end. What blocks, blocks threads of Dispatch and none of the tests'.
  static func run(
    _ program: URL, _ arguments: [String], input: Data = Data(), environment: [String: String] = [:]
  ) async throws -> Output {
    let folder = try TemporaryFolder()
    defer { folder.remove() }
    // Files and not pipes: nobody has to be there to read or write while the other does.
    let files = try ["input", "output", "error"].map { name in
      let file = folder.url.appending(path: name)
      try (name == "input" ? input : Data()).write(to: file)
      return file
    }
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = Self.environment.merging(environment) { $1 }
    process.standardInput = try FileHandle(forReadingFrom: files[0])
    process.standardOutput = try FileHandle(forWritingTo: files[1])
    process.standardError = try FileHandle(forWritingTo: files[2])
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      process.terminationHandler = { _ in continuation.resume() }
      do { try process.run() } catch { continuation.resume(throwing: error) }
    }
    return Output(
      status: process.terminationStatus, output: try String(contentsOf: files[1], encoding: .utf8),
      error: try String(contentsOf: files[2], encoding: .utf8))
  }
}

/// A folder that lives as long as a test.
struct TemporaryFolder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "sluice-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  func remove() {
    try? FileManager.default.removeItem(at: url)
  }
}

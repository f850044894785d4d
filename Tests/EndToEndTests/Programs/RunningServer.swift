import Foundation
import Synchronization
import Testing

/// `sluice serve` on a port that the system chose, from its start line to its end.
final class RunningServer: Sendable {
  /// The line that says that it is ready.
  struct StartLine: Decodable, Sendable {
    struct Model: Decodable, Sendable, Equatable {
      let name: String
      let family: String
      let rule: String
      let layers: Int
    }

    let level: String
    let addresses: [String]
    let models: [Model]
    let resident_bytes: Int
    let kernels: String
    let workers: Int
    let ready_ms: Int
    let version: String
  }

  struct Ended: Error, CustomStringConvertible {
    let description: String
  }

  let startLine: StartLine
  let port: Int
  var pid: Int32 { process.processIdentifier }
  /// Everything that it logged so far, line by line.
  var log: [String] { lines.lines }

  private let process: Process
  private let lines: LineReader
  private let exit: Exit

  /// Starts it and returns when it is ready.
  ///
  /// - Throws: `Ended` with what it said, where it ends before.
  convenience init(_ arguments: String..., environment: [String: String] = [:]) async throws {
    try await self.init(arguments, environment: environment)
  }

  init(_ arguments: [String], environment: [String: String] = [:]) async throws {
    process = Process()
    process.executableURL = try Program.sluice
    process.arguments = ["serve", "--log-format", "json"] + arguments
    if !arguments.contains("--port"), environment["SLUICE_PORT"] == nil { process.arguments! += ["--port", "0"] }
    process.environment = Program.environment.merging(environment) { $1 }
    let pipe = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = pipe
    let exit = Exit()
    self.exit = exit
    process.terminationHandler = { exit.set($0.terminationStatus, isSignal: $0.terminationReason == .uncaughtSignal) }
    try process.run()
    lines = LineReader(pipe.fileHandleForReading)
    guard let ready = await lines.first(where: { $0.contains("\"message\":\"ready\"") }) else {
      throw Ended(description: "ended before it was ready: \(lines.lines.joined(separator: "\n"))")
    }
    startLine = try JSONDecoder().decode(StartLine.self, from: Data(ready.utf8))
    port = startLine.addresses.lazy.compactMap { $0.split(separator: ":").last.flatMap { Int($0) } }.first ?? 0
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
  }

  func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

  /// Waits until it has logged such a line; nil where it ends without.
  func line(where matches: @escaping @Sendable (String) -> Bool) async -> String? {
    await lines.first(where: matches)
  }

  /// Asks it to finish.
  ///
  /// - Returns: its exit code, or 128 and the signal's number.
  func stop() async -> Int32 {
    kill(process.processIdentifier, SIGTERM)
    return await end()
  }

  /// Waits until it has ended.
  func end() async -> Int32 {
    await exit.status()
  }
}

/// How a process ended, once it has.
private final class Exit: Sendable {
  private enum State {
    case running([CheckedContinuation<Int32, Never>])
    case ended(Int32)
  }

  private let state = Mutex(State.running([]))

  func set(_ status: Int32, isSignal: Bool) {
    let code = isSignal ? 128 + status : status
    let waiting = state.withLock { state -> [CheckedContinuation<Int32, Never>] in
      defer { state = .ended(code) }
      guard case .running(let waiting) = state else { return [] }
      return waiting
    }
    for continuation in waiting { continuation.resume(returning: code) }
  }

  func status() async -> Int32 {
    await withCheckedContinuation { continuation in
      let code: Int32? = state.withLock { state in
        switch state {
        case .ended(let code): return code
        case .running(let waiting):
          state = .running(waiting + [continuation])
          return nil
        }
      }
      if let code { continuation.resume(returning: code) }
    }
  }
}

/// The lines of a pipe, read on a thread of its own until it ends.
private final class LineReader: Sendable {
  private struct State {
    var lines: [String] = []
    var isAtEnd = false
    var wanted: (matches: @Sendable (String) -> Bool, continuation: CheckedContinuation<String?, Never>)?
  }

  private let state = Mutex(State())

  var lines: [String] { state.withLock { $0.lines } }

  init(_ handle: FileHandle) {
    let thread = Thread { [self] in
      var rest = Data()
      while case let data = handle.availableData, !data.isEmpty {
        rest += data
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          append(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
          rest = rest[rest.index(after: end)...]
        }
      }
      if !rest.isEmpty { append(String(decoding: rest, as: UTF8.self)) }
      let wanted = state.withLock { state in
        state.isAtEnd = true
        defer { state.wanted = nil }
        return state.wanted
      }
      wanted?.continuation.resume(returning: nil)
    }
    thread.start()
  }

  /// Waits for a line; nil where the pipe ends without it.
  func first(where matches: @escaping @Sendable (String) -> Bool) async -> String? {
    await withCheckedContinuation { continuation in
      let answer: String?? = state.withLock { state in
        if let line = state.lines.first(where: matches) { return .some(line) }
        if state.isAtEnd { return .some(nil) }
        state.wanted = (matches, continuation)
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  private func append(_ line: String) {
    let found = state.withLock { state -> CheckedContinuation<String?, Never>? in
      state.lines.append(line)
      guard let wanted = state.wanted, wanted.matches(line) else { return nil }
      state.wanted = nil
      return wanted.continuation
    }
    found?.resume(returning: line)
  }
}

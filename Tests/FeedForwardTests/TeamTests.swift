import FeedForward
import Foundation
import Testing

@Suite struct TeamTests {
  /// Layers large enough to be split, with whole and cut groups in both phases.
  static let layers: [(dIn: Int, dFF: Int, dOut: Int)] = [(300, 2100, 300), (257, 3000, 0), (700, 1030, 97)]

  /// Whoever computes a panel, the bits are those of one thread.
  @Test(arguments: [1, 2, 5], layers)
  func threadsLeaveTheBitsAlone(_ threads: Int, _ shape: (dIn: Int, dFF: Int, dOut: Int)) throws {
    let team = Team(threads: threads)
    defer { team.dismiss() }
    var random = SplitMix(seed: UInt64(shape.dFF))
    let dense = DenseLayer.random(.swiglu, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, random: &random)
    let layer = try dense.packed(kernels: .best())
    let workspace = Workspace()
    for rows in [1, 7, 40] {
      let input = random.floats(rows * shape.dIn, scale: 2)
      let alone = layer.apply(to: input, activations: true)
      for _ in 0..<3 {
        let helped = layer.apply(to: input, activations: true, workspace: workspace, team: team)
        #expect(helped.output == alone.output && helped.gate == alone.gate)
        #expect(helped.up == alone.up && helped.hidden == alone.hidden)
      }
    }
  }

  /// More workers than threads share one team, each with its own workspace; nobody waits for another forever, and
  /// every row comes out as if it had been alone.
  @Test func workersShareATeam() async throws {
    let team = Team(threads: 3)
    var random = SplitMix(seed: 8)
    let dense = DenseLayer.random(.geglu, dIn: 200, dFF: 3000, dOut: 200, random: &random)
    let layer = try dense.packed(kernels: .best())
    let input = random.floats(6 * 200, scale: 2)
    let alone = layer.apply(to: input).output
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<3 {
        group.addTask {
          let workspace = Workspace()
          return (0..<8).allSatisfy { _ in
            layer.apply(to: input, workspace: workspace, team: team).output == alone
          }
        }
      }
      for await isSame in group { #expect(isSame) }
    }
    team.dismiss()
  }

  /// Helpers that have parked are woken, again and again.
  @Test func parkedHelpersWake() throws {
    let team = Team(threads: 2)
    defer { team.dismiss() }
    var random = SplitMix(seed: 9)
    let dense = DenseLayer.random(.reglu, dIn: 300, dFF: 2500, dOut: 300, random: &random)
    let layer = try dense.packed(kernels: .best())
    let input = random.floats(300, scale: 2)
    let alone = layer.apply(to: input).output
    for _ in 0..<20 {
      #expect(layer.apply(to: input, team: team).output == alone)
      // Long enough for a helper to give up spinning: the next pass has to wake it.
      var spent = 0.0
      for i in 1...20_000 { spent += 1 / Double(i) }
      #expect(spent > 0)
    }
  }

  /// Which processors a thread may use stays as it was, wherever it has been moved meanwhile.
  @Test func helpersKeepTheirProcessors() async throws {
    let team = Team(threads: 3)
    var random = SplitMix(seed: 10)
    let dense = DenseLayer.random(.reglu, dIn: 300, dFF: 2500, dOut: 300, random: &random)
    let layer = try dense.packed(kernels: .best())
    let input = random.floats(300, scale: 2)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          let workspace = Workspace()
          for _ in 0..<200 { _ = layer.apply(to: input, workspace: workspace, team: team) }
        }
      }
    }
    // A helper that is just moving itself is elsewhere in an instant.
    while try Set(Self.allowedProcessors()).count != 1 { await Task.yield() }
    team.dismiss()
  }

  /// Of each thread of this process, as the kernel prints them.
  private static func allowedProcessors() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap { thread in
      // One that has just ended has no status.
      guard let status = try? String(contentsOfFile: "/proc/self/task/\(thread)/status", encoding: .utf8) else {
        return nil
      }
      return status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }.map(String.init)
    }
  }
}

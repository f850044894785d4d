import ArgumentParser
import FeedForward

/// A mixture beside its parts: the same experts applied as layers by themselves, each to as many rows as the router
/// sends it, and the mixture with the router's choice given, so that the difference is the router.
///
/// The three run in turns. Shares are those of each one's best round: a neighbour's load only ever adds.
struct MixtureBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "mixture", abstract: "A mixture of experts, beside its experts as layers of their own.")

  @Option(help: "Width of the model.")
  var dModel = 1024

  @Option(help: "Width of each expert.")
  var dFF = 1024

  @Option(help: "Experts.")
  var experts = 16

  @Option(help: "Experts of a row.")
  var topK = 4

  @Option(help: "Numbers of rows.")
  var rows = "1,8,64,256"

  @Option(help: "Threads of the team.")
  var threads = 2

  @Option(help: "Rounds over all numbers of rows.")
  var rounds = 21

  func run() throws {
    let team = Team(threads: threads)
    defer { team.dismiss() }
    let mixture = try mixture()
    print("\(dModel)x\(dFF), top \(topK) of \(experts), \(mixture.experts[0].kernels.name), \(threads) threads")
    print("  rows  median µs    best µs   of its experts' rows as layers   router's share")
    for rows in rows.split(separator: ",").compactMap({ Int($0) }) {
      let bench = MixtureBench(mixture, rows: rows, team: team)
      for _ in 0..<max(1, rounds) { bench.round() }
      let routed = bench.routed
      print(
        "  " + rows.description.padded(4) + (routed.median / 1000).shown(1).padded(11)
          + (routed.best / 1000).shown(1).padded(11) + (routed.best / bench.layers.best).shown(3).padded(33)
          + (100 * (routed.best - bench.given.best) / routed.best).shown(2).padded(16) + "%")
    }
  }

  /// Every expert has weights of its own in memory, as the experts of a model have.
  private func mixture() throws -> MixtureLayer {
    var state: UInt64 = 1
    func values(_ count: Int, scale: Float) -> [UInt16] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt16(((Float(state >> 40) * 0x1p-23 - 1) * scale).bitPattern >> 16)
      }
    }
    // One expert's numbers for all: what is packed from them is each expert's own.
    let expert = values(dModel * dFF, scale: 0.02)
    let router = values(experts * dModel, scale: 0.02)
    return try expert.withUnsafeBytes { expert in
      try router.withUnsafeBytes { router in
        // Unsafe: the views are read while the mixture is packed, inside of the arrays' scopes.
        let matrix = MatrixView(base: expert.baseAddress!, type: .bf16, rows: dFF, columns: dModel)
        let weights = LayerWeights(gate: .swiglu, gateProj: matrix, upProj: matrix, downProj: matrix.transposed)
        return try MixtureLayer(
          MixtureWeights(
            routing: .softmax(renormalised: true), topK: topK,
            router: MatrixView(base: router.baseAddress!, type: .bf16, rows: experts, columns: dModel),
            experts: Array(repeating: weights, count: experts)))
      }
    }
  }
}

/// One number of rows and what has been measured of it, in nanoseconds.
private final class MixtureBench {
  private let mixture: MixtureLayer
  private let rows: Int
  private let team: Team
  private let workspace = Workspace()
  private let input: [Float]
  private var output: [Float]
  private var indices: [Float]
  private var weights: [Float]
  private(set) var routed: [Double] = []
  private(set) var given: [Double] = []
  private(set) var layers: [Double] = []

  init(_ mixture: MixtureLayer, rows: Int, team: Team) {
    (self.mixture, self.rows, self.team) = (mixture, rows, team)
    var state: UInt64 = 7
    input = (0..<rows * mixture.dIn).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) * 0x1p-23 - 1
    }
    output = [Float](repeating: 0, count: rows * mixture.dOut)
    indices = [Float](repeating: 0, count: rows * mixture.topK)
    weights = indices
    workspace.reserve(for: mixture, rows: rows)
    route()
  }

  /// The three run in turns, the first two in either order: whoever comes after the layers finds its rows further away.
  func round() {
    let routesFirst = routed.count.isMultiple(of: 2)
    if routesFirst { routed.append(elapsed { route() }) }
    given.append(elapsed { applyGiven() })
    if !routesFirst { routed.append(elapsed { route() }) }
    var counts = [Int](repeating: 0, count: mixture.count)
    for index in indices { counts[Int(index)] += 1 }
    layers.append(
      elapsed {
        for (expert, count) in zip(mixture.experts, counts) where count > 0 {
          expert.forward(input: input, rows: count, output: &output, workspace: workspace, team: team)
        }
      })
  }

  private func applyGiven() {
    mixture.forward(
      input: input, rows: rows, indices: indices, weights: weights, choices: mixture.topK, output: &output,
      workspace: workspace, team: team)
  }

  private func route() {
    indices.withUnsafeMutableBufferPointer { indices in
      weights.withUnsafeMutableBufferPointer { weights in
        mixture.forward(
          input: input, rows: rows, output: &output,
          routes: RouteOutputs(indices: indices.baseAddress, weights: weights.baseAddress), workspace: workspace,
          team: team)
      }
    }
  }

  private func elapsed(_ body: () -> Void) -> Double {
    let duration = ContinuousClock().measure(body).components
    return Double(duration.seconds) * 1e9 + Double(duration.attoseconds) / 1e9
  }
}

extension [Double] {
  fileprivate var best: Double { self.min() ?? 0 }
}

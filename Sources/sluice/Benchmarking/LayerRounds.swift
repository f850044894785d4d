import FeedForward

/// One layer while it is measured: the machine's limits and a pass of each number of rows, in turns.
///
/// A share is a ratio within one round, so that other work on the machine falls on both of its sides.
final class LayerRounds {
  /// What was measured for one number of rows; one element for each round.
  struct Passes {
    let rows: Int
    var nanoseconds: [Double] = []
    /// Operations in a nanosecond of multiply–adds alone, in this round; of many rows just before the pass.
    var peaks: [Double] = []
    /// Bytes in a nanosecond of a plain read of the weights just before the pass; empty where it was not read.
    var reads: [Double] = []
  }

  let block: Block
  private(set) var passes: [Passes]
  private let yardsticks: Yardsticks
  private let team: Team
  private let workspace = Workspace()
  private let input: [Float]
  private var output: [Float]
  private var isAscending = true

  init(_ block: Block, arithmetic: Arithmetic, kernels: Kernels, rows: [Int], team: Team) {
    self.block = block
    self.team = team
    yardsticks = Yardsticks(kernels: kernels, arithmetic: arithmetic, team: team)
    passes = rows.map { Passes(rows: $0) }
    let most = rows.max() ?? 1
    input = MadeUpWeights.numbers(most * block.dIn, within: 1)
    output = [Float](repeating: 0, count: most * block.dOut)
    switch block {
    case .layer(let layer): workspace.reserve(for: layer, rows: most)
    case .mixture(let mixture): workspace.reserve(for: mixture, rows: most)
    case .convolution: break
    }
  }

  /// A pass over every number of rows, which nobody times.
  func warmUp(isStopped: () -> Bool) {
    for pass in passes where !isStopped() { forward(rows: pass.rows) }
  }

  /// One round. Every second one goes through the rows from the most to the least, so that what drifts falls on both
  /// ends.
  func round(isStopped: () -> Bool) {
    _ = yardsticks.multiplyAdds()  // the helpers are awake from here on
    let peak = peak()
    let order = isAscending ? Array(passes.indices) : passes.indices.reversed()
    // Whoever comes first would pay for what the yardstick has put out of the caches.
    if let first = order.first { forward(rows: passes[first].rows) }
    for index in order {
      if isStopped() { return }
      // What bounds a pass stands beside it: the weights of few rows, the products of many.
      let isOfFewRows = passes[index].rows <= Self.readRows
      if isOfFewRows, case .layer(let layer) = block {
        passes[index].reads.append(Stopwatch.rate { Double(yardsticks.readWeights(of: layer)) })
      }
      passes[index].peaks.append(isOfFewRows ? peak : self.peak())
      passes[index].nanoseconds.append(Stopwatch.nanoseconds { forward(rows: passes[index].rows) })
    }
    isAscending.toggle()
  }

  /// One turn: a pass that nobody times, then passes of `rows` rows for `seconds` and ``turnPasses`` at least.
  func turn(rows: Int, seconds: Double) -> [Double] {
    forward(rows: rows)
    var nanoseconds: [Double] = []
    var total = 0.0
    while nanoseconds.count < Self.turnPasses || total < seconds * 1e9 {
      let pass = Stopwatch.nanoseconds { forward(rows: rows) }
      total += pass
      nanoseconds.append(pass)
    }
    return nanoseconds
  }

  private func peak() -> Double { Stopwatch.rate { 2 * Double(yardsticks.multiplyAdds()) } }

  private func forward(rows: Int) {
    // Unsafe: a pass reads and writes `rows` rows; the arrays have room for the most of `passes`.
    input.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        let (input, output) = (input.baseAddress!, output.baseAddress!)
        switch block {
        case .layer(let layer):
          layer.forward(input: input, rows: rows, output: output, workspace: workspace, team: team)
        case .mixture(let mixture):
          mixture.forward(input: input, rows: rows, output: output, workspace: workspace, team: team)
        case .convolution(let stack):
          let sequence = ConvolutionSequence(input: input, length: rows, output: output)
          stack.forward([sequence], workspace: workspace, team: team)
        }
      }
    }
  }

  /// Up to here weights are read about as long as they are computed with.
  private static let readRows = 32

  private static let turnPasses = 3
}

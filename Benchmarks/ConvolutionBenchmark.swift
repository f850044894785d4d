import ArgumentParser
import FeedForward

/// GFLOP/s of a gated convolution and their share of the multiply–add peak, taken in turns with it; each one's best
/// round, since a neighbour's load only ever adds.
struct ConvolutionBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convolution", abstract: "A gated convolution, beside the peak of multiply-adds.")

  @Option(help: "Channels in and out.")
  var channels = 512

  @Option(help: "Taps of the kernel.")
  var width = 4

  @Option(help: "Positions of the sequences.")
  var lengths = "1,32,256,1024"

  @Option(help: "Sequences.")
  var batch = 1

  @Option(help: "Threads of the team.")
  var threads = 1

  @Option(help: "Rounds.")
  var rounds = 21

  func run() throws {
    let kernels = Kernels.best()
    let team = Team(threads: threads)
    defer { team.dismiss() }
    let values = GradientBenchmark.values(count: 2 * channels * channels * width, scale: 0.02)
    let stack = try values.withUnsafeBytes { bytes in
      // Unsafe: read while the convolution is packed, inside of the array's scope.
      let kernel = KernelView(
        base: bytes.baseAddress!, type: .f32, outputs: 2 * channels, channelsIn: channels, width: width)
      return try ConvolutionStack(
        ConvolutionStackWeights(layers: [ConvolutionWeights(gate: .glu, kernel: kernel)], hasResiduals: false),
        kernels: kernels)
    }
    let yardsticks = Yardsticks(kernels: kernels, arithmetic: .f32, team: team)
    print("\(channels) channels, \(width) taps, \(batch) sequences, \(kernels.name), \(threads) threads")
    print("  length    best µs   GFLOP/s  of peak")
    for length in lengths.split(separator: ",").compactMap({ Int($0) }) {
      print(line(stack, length: length, yardsticks, team))
    }
  }

  private func line(_ stack: ConvolutionStack, length: Int, _ yardsticks: Yardsticks, _ team: Team) -> String {
    let input = GradientBenchmark.values(count: batch * length * channels, scale: 1)
    var output = [Float](repeating: 0, count: batch * length * channels)
    let workspace = Workspace()
    let flops = 2 * Double(batch * length * stack.multiplyAddsOfPosition)
    var (best, peak) = (Double.infinity, 0.0)
    // Unsafe: sequences of the arrays above, which are long enough.
    input.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        let sequences = (0..<batch).map { index in
          ConvolutionSequence(
            input: input.baseAddress! + index * length * channels, length: length,
            output: output.baseAddress! + index * length * channels)
        }
        for round in 0...max(1, rounds) {
          var operations = 0.0
          let nanoseconds = GradientBenchmark.nanoseconds { operations = 2 * Double(yardsticks.multiplyAdds()) }
          let pass = GradientBenchmark.nanoseconds {
            stack.forward(sequences, workspace: workspace, team: team)
          }
          if round == 0 { continue }
          best = min(best, pass)
          peak = max(peak, operations / nanoseconds)
        }
      }
    }
    return "  " + length.description.padded(6) + (best / 1000).shown(1).padded(11)
      + (flops / best).shown(1).padded(10) + (100 * flops / best / peak).shown(0).padded(8) + "%"
  }
}

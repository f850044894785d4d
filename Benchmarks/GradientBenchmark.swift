import ArgumentParser
import FeedForward

/// The gradient of a layer by its input, beside its forward pass: the two run in turns, and their ratio is that of each
/// one's best round, since a neighbour's load only ever adds.
struct GradientBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gradient", abstract: "The gradient of a layer, beside its forward pass.")

  @Option(help: "Layer shapes, dModel x dFF.")
  var shapes = "512x2048,2048x8192"

  @Option(help: "Numbers of rows.")
  var rows = "1,8,64,256"

  @Option(help: "Threads of the team.")
  var threads = 1

  @Option(help: "Rounds.")
  var rounds = 21

  @Option(help: "The layers' gate.")
  var gate = "swiglu"

  @Flag(help: "Differentiate by the weights as well.")
  var weights = false

  func run() throws {
    guard let gate = Gate(wireName: gate) else { throw ValidationError("no gate of that name: \(self.gate)") }
    let team = Team(threads: threads)
    defer { team.dismiss() }
    for shape in shapes.split(separator: ",") {
      let sizes = shape.split(separator: "x").compactMap { Int($0) }
      guard sizes.count == 2 else { throw ValidationError("not a shape: \(shape)") }
      let values = Self.values(count: sizes[0] * sizes[1], scale: 0.02)
      let layer = try values.withUnsafeBytes { bytes in
        // Unsafe: read while the layer is packed, inside of the array's scope.
        let matrix = MatrixView(base: bytes.baseAddress!, type: .f32, rows: sizes[1], columns: sizes[0])
        return try FeedForwardLayer(
          LayerWeights(gate: gate, gateProj: matrix, upProj: matrix, downProj: matrix.transposed))
      }
      print("\(shape), \(self.gate), \(layer.kernels.name), \(threads) threads")
      print("  rows  forward µs  gradient µs   ratio")
      for rows in rows.split(separator: ",").compactMap({ Int($0) }) {
        print(try line(layer, rows: rows, team: team))
      }
    }
  }

  private func line(_ layer: FeedForwardLayer, rows: Int, team: Team) throws -> String {
    let input = Self.values(count: rows * layer.dIn, scale: 1)
    let gradOutput = Self.values(count: rows * layer.dOut, scale: 1)
    let floats = rows * (layer.dIn + layer.dOut) + (weights ? 3 * layer.dIn * layer.dFF : 0)
    let results = UnsafeMutablePointer<Float>.allocate(capacity: floats)
    defer { results.deallocate() }
    let (output, gradInput) = (results, results + rows * layer.dOut)
    let matrix = layer.dIn * layer.dFF
    let first = gradInput + rows * layer.dIn
    let gradients =
      weights
      ? WeightGradientOutputs(gateProj: first, upProj: first + matrix, downProj: first + 2 * matrix) : nil
    let workspace = Workspace()
    var (forward, gradient) = (Double.infinity, Double.infinity)
    // Unsafe: rows of the arrays above, which are long enough.
    try input.withUnsafeBufferPointer { input in
      try gradOutput.withUnsafeBufferPointer { gradOutput in
        for round in 0...max(1, rounds) {
          let pass = Self.nanoseconds {
            layer.forward(input: input.baseAddress!, rows: rows, output: output, workspace: workspace, team: team)
          }
          let backward = try Self.nanoseconds {
            try layer.gradient(
              GradientRows(
                input: input.baseAddress!, gradOutput: gradOutput.baseAddress!, count: rows, output: output,
                gradInput: gradInput, weights: gradients),
              workspace: workspace, team: team)
          }
          if round == 0 { continue }  // makes the transposed weights
          forward = min(forward, pass)
          gradient = min(gradient, backward)
        }
      }
    }
    return "  " + rows.description.padded(4) + (forward / 1000).shown(1).padded(12)
      + (gradient / 1000).shown(1).padded(13) + (gradient / forward).shown(2).padded(8)
  }

  static func nanoseconds(_ body: () throws -> Void) rethrows -> Double {
    let duration = try ContinuousClock().measure(body).components
    return Double(duration.seconds) * 1e9 + Double(duration.attoseconds) / 1e9
  }

  /// Numbers in [−scale, scale) without a pattern.
  static func values(count: Int, scale: Float) -> [Float] {
    var state: UInt64 = 1
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (Float(state >> 40) * 0x1p-23 - 1) * scale
    }
  }
}

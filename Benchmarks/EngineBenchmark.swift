import ArgumentParser
import FeedForward

/// GFLOP/s and GB/s of the forward pass, and their shares of what the machine could do in the same moment.
///
/// Every round runs the multiply–add peak, a plain read of the packed weights and each number of rows in turns. The
/// shares are medians over the rounds of the ratio within a round, so that a neighbour's load falls on both sides.
struct EngineBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engine", abstract: "GFLOP/s and GB/s of the forward pass, beside the machine's own limits.")

  @Option(help: "Layer shapes, dModel x dFF.")
  var shapes = "512x2048,2048x8192"

  @Option(help: "Numbers of rows.")
  var rows = "1,8,64,256"

  @Option(help: "Threads of the team.")
  var threads = 2

  @Option(help: "Kernel set; the fastest that can run here unless given.")
  var kernels: String?

  @Option(help: "How the weights are stored: f32 or bf16.")
  var stored = "f32"

  @Option(help: "Arithmetic: f32 or bf16.")
  var arithmetic = "f32"

  @Option(help: "Rounds over all numbers of rows.")
  var rounds = 21

  @Option(help: "The layers' gate.")
  var gate = "swiglu"

  @Flag(help: "Print JSON lines instead of a table.")
  var lines = false

  func run() throws {
    let kernels = try self.kernels.map { try Kernels.named($0) } ?? Kernels.best()
    guard let gate = Gate(wireName: gate) else { throw ValidationError("no gate of that name: \(self.gate)") }
    guard let arithmetic = Arithmetic(rawValue: arithmetic),
      let stored = WeightType(rawValue: stored.uppercased()), stored != .f16
    else { throw ValidationError("f32 or bf16, not \(self.arithmetic) of \(self.stored)") }
    let team = Team(threads: threads)
    defer { team.dismiss() }
    for shape in shapes.split(separator: ",") {
      let sizes = shape.split(separator: "x").compactMap { Int($0) }
      guard sizes.count == 2 else { throw ValidationError("not a shape: \(shape)") }
      let bench = try LayerBench(
        LayerBench.layer(
          dModel: sizes[0], dFF: sizes[1], gate: gate, stored: stored, kernels: kernels, arithmetic: arithmetic),
        rows: rows.split(separator: ",").compactMap { Int($0) }, team: team)
      for _ in 0..<max(1, rounds) { bench.round() }
      for line in lines ? bench.jsonLines(threads: threads) : bench.table(threads: threads) { print(line) }
    }
  }
}

/// One layer shape and what has been measured of it.
private final class LayerBench {
  private let layer: FeedForwardLayer
  private let yardsticks: Yardsticks
  private let team: Team
  private let workspace = Workspace()
  private let input: [Float]
  private var output: [Float]
  private var peaks: [Double] = []
  private var reads: [Double] = []
  /// Nanoseconds of a pass, by number of rows, in the order asked for.
  private var passes: [(rows: Int, nanoseconds: [Double])]

  init(_ layer: FeedForwardLayer, rows: [Int], team: Team) {
    self.layer = layer
    self.team = team
    yardsticks = Yardsticks(kernels: layer.kernels, arithmetic: layer.arithmetic, team: team)
    passes = rows.map { ($0, []) }
    let most = rows.max() ?? 1
    input = LayerBench.values(count: most * layer.dIn, scale: 1)
    output = [Float](repeating: 0, count: most * layer.dOut)
    workspace.reserve(for: layer, rows: most)
  }

  func round() {
    _ = yardsticks.multiplyAdds()  // the helpers are awake from here on
    let flops = { 2 * Double(self.yardsticks.multiplyAdds()) }
    peaks.append(rate(flops))
    for index in passes.indices {
      reads.append(rate { Double(yardsticks.readWeights(of: layer)) })
      let rows = passes[index].rows
      let nanoseconds = elapsed {
        input.withUnsafeBufferPointer { input in
          output.withUnsafeMutableBufferPointer { output in
            layer.forward(
              input: input.baseAddress!, rows: rows, output: output.baseAddress!, workspace: workspace, team: team)
          }
        }
      }
      passes[index].nanoseconds.append(nanoseconds)
    }
  }

  func table(threads: Int) -> [String] {
    var lines = [
      "\(layer.dIn)x\(layer.dFF), \(layer.arithmetic.rawValue) of \(layer.storedType.rawValue), \(layer.kernels.name),"
        + " \(threads) threads: multiply-adds \(peaks.median.shown(0)) GFLOP/s, plain read \(reads.median.shown(1)) GB/s",
      "  rows    median µs      best µs    GFLOP/s  of peak     GB/s  of read",
    ]
    for figure in figures {
      lines.append(
        "  " + figure.rows.description.padded(4) + figure.median.shown(1).padded(13) + figure.best.shown(1).padded(13)
          + figure.gigaflops.shown(1).padded(11) + (100 * figure.shareOfPeak).shown(0).padded(8) + "%"
          + figure.gigabytes.shown(1).padded(9) + (100 * figure.shareOfRead).shown(0).padded(8) + "%")
    }
    return lines
  }

  func jsonLines(threads: Int) -> [String] {
    figures.map { figure in
      "{\"engine\":\"sluice\",\"kernels\":\"\(layer.kernels.name)\",\"dtype\":\"\(layer.arithmetic.rawValue)\",\"stored\":\"\(layer.storedType.rawValue)\",\"threads\":\(threads),"
        + "\"d\":\(layer.dIn),\"ff\":\(layer.dFF),\"m\":\(figure.rows),\"median_us\":\(figure.median.shown(1)),"
        + "\"min_us\":\(figure.best.shown(1)),\"gflops\":\(figure.gigaflops.shown(1)),"
        + "\"gbs\":\(figure.gigabytes.shown(2)),\"of_peak\":\(figure.shareOfPeak.shown(3)),"
        + "\"of_read\":\(figure.shareOfRead.shown(3))}"
    }
  }

  private struct Figure {
    var rows: Int
    var median: Double
    var best: Double
    var gigaflops: Double
    var gigabytes: Double
    var shareOfPeak: Double
    var shareOfRead: Double
  }

  private var figures: [Figure] {
    passes.enumerated().map { position, pass in
      let flops = 6 * Double(pass.rows * layer.dIn * layer.dFF)
      let bytes = Double(layer.residentBytes)
      let ofPeak = zip(pass.nanoseconds, peaks).map { flops / $0 / $1 }
      let ofRead = pass.nanoseconds.enumerated().map { bytes / $1 / reads[$0 * passes.count + position] }
      let median = pass.nanoseconds.median
      return Figure(
        rows: pass.rows, median: median / 1000, best: (pass.nanoseconds.min() ?? 0) / 1000, gigaflops: flops / median,
        gigabytes: bytes / median, shareOfPeak: ofPeak.median, shareOfRead: ofRead.median)
    }
  }

  private func elapsed(_ body: () -> Void) -> Double {
    let duration = ContinuousClock().measure(body).components
    return Double(duration.seconds) * 1e9 + Double(duration.attoseconds) / 1e9
  }

  /// What `body` returns, per nanosecond.
  private func rate(_ body: () -> Double) -> Double {
    var amount = 0.0
    let nanoseconds = elapsed { amount = body() }
    return amount / nanoseconds
  }

  static func layer(
    dModel: Int, dFF: Int, gate: Gate, stored: WeightType, kernels: Kernels, arithmetic: Arithmetic
  ) throws -> FeedForwardLayer {
    let values = values(count: dModel * dFF, scale: 0.02)
    let halves = stored == .bf16 ? values.map { UInt16($0.bitPattern >> 16) } : []
    func pack(_ bytes: UnsafeRawBufferPointer) throws -> FeedForwardLayer {
      let matrix = MatrixView(base: bytes.baseAddress!, type: stored, rows: dFF, columns: dModel)
      return try FeedForwardLayer(
        LayerWeights(gate: gate, gateProj: matrix, upProj: matrix, downProj: matrix.transposed), kernels: kernels,
        arithmetic: arithmetic)
    }
    return stored == .bf16 ? try halves.withUnsafeBytes(pack) : try values.withUnsafeBytes(pack)
  }

  /// Numbers in [−scale, scale) without a pattern.
  private static func values(count: Int, scale: Float) -> [Float] {
    var state: UInt64 = 1
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (Float(state >> 40) * 0x1p-23 - 1) * scale
    }
  }
}

extension [Double] {
  var median: Double { isEmpty ? 0 : sorted()[count / 2] }
}

extension Double {
  /// With `digits` digits after the point.
  func shown(_ digits: Int) -> String {
    guard isFinite else { return description }
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((magnitude * scale).rounded())
    let fraction = String(scaled % Int(scale)).leading(zerosTo: digits)
    return (self < 0 ? "-" : "") + "\(scaled / Int(scale))" + (digits > 0 ? ".\(fraction)" : "")
  }
}

extension String {
  func padded(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }

  fileprivate func leading(zerosTo width: Int) -> String {
    String(repeating: "0", count: max(0, width - count)) + self
  }
}

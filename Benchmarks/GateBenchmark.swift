import ArgumentParser
import FeedForward

/// Each gate alone on arrays beyond the caches, in turns with a plain read of as many bytes as it moves: two operands
/// read, one result written. A share above 1 is a store that costs less than a read.
struct GateBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gates", abstract: "Gates without weights, beside a plain read of as many bytes.")

  @Option(help: "Elements of each array.")
  var elements = 32 << 20

  @Option(help: "Rounds over each gate.")
  var rounds = 15

  func run() throws {
    let kernels = Kernels.best()
    guard let stretch = MemoryStretch(bytes: 3 * elements * MemoryLayout<Float>.stride) else {
      throw ValidationError("no memory for \(elements) elements")
    }
    let team = Team(threads: 1)
    defer { team.dismiss() }
    let yardsticks = Yardsticks(kernels: kernels, arithmetic: .f32, team: team)
    var state: UInt64 = 3
    func values() -> [Float] {
      (0..<elements).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Float(state >> 40) * 0x1p-22 - 2
      }
    }
    let (a, b) = (values(), values())
    var y = [Float](repeating: 0, count: elements)
    print("\(elements) elements, \(kernels.name), 1 thread")
    print("  gate              GB/s   of a plain read")
    for gate in Gate.all {
      var (rates, shares) = ([Double](), [Double]())
      for _ in 0..<max(1, rounds) {
        let read = elapsed { _ = yardsticks.read(stretch) }
        let applied = elapsed { kernels.apply(gate, a: a, b: b, output: &y, count: elements) }
        rates.append(Double(3 * elements * MemoryLayout<Float>.stride) / applied)
        shares.append(read / applied)
      }
      let rate = rates.median.shown(1).padded(22 - gate.wireName.count)
      print("  " + gate.wireName + rate + shares.median.shown(2).padded(17))
    }
  }

  /// Nanoseconds.
  private func elapsed(_ body: () -> Void) -> Double {
    let duration = ContinuousClock().measure(body).components
    return Double(duration.seconds) * 1e9 + Double(duration.attoseconds) / 1e9
  }
}

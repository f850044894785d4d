import FeedForward
import Foundation
import Testing

@Suite struct GateDerivativeTests {
  static let kernels = Kernels.available.map(\.name)
  static let gates = Gate.all + [.swiglu(beta: -0.5), .swiglu(beta: 1.702), .swigluClamped(alpha: 0.5, limit: 2)]

  /// One activation's derivative, reached through a gate whose other operand leaves it as it is.
  struct Activation: CustomTestStringConvertible, Sendable {
    var name: String
    var gate: Gate
    var scansB = false
    var other: Float = 1
    var exact: @Sendable (Double) -> Slope
    /// What GateDerivatives.h states: the error is at most k·2⁻²³·size + m·2⁻¹⁴⁸.
    var k: @Sendable (Double) -> Double
    var m: @Sendable (Double) -> Double
    var testDescription: String { name }
  }

  static let cubic: @Sendable (Double) -> Double = { 1.6 * abs($0) + 0.0714 * abs($0 * $0 * $0) }

  static let activations: [Activation] = [
    Activation(
      name: "σ′", gate: .glu, scansB: true, exact: { Slope(Oracle.sigmoidSlope($0)) }, k: { _ in 4.5 }, m: { _ in 1 }),
    Activation(
      name: "tanh′", gate: .gtu, other: .infinity, exact: { Slope(Oracle.tanhSlope($0)) }, k: { _ in 4.5 },
      m: { _ in 4 }),
    Activation(
      name: "gelu′", gate: .geglu, exact: Oracle.geluSlope, k: { _ in 4 }, m: { max(1, min(abs($0), 14.5)) }),
    Activation(
      name: "silu′", gate: .swiglu, exact: { Oracle.sigmoidProductSlope($0, $0) }, k: { 3 + min(abs($0), 104) },
      m: { max(1, min(abs($0), 104)) }),
    Activation(
      name: "gelu_quick′", gate: .gegluQuick, exact: { Oracle.sigmoidProductSlope(1.702 * $0, 1.702 * $0) },
      k: { 3 + min(1.702 * abs($0), 104) }, m: { max(1, min(1.702 * abs($0), 104)) }),
    Activation(
      name: "gelu_tanh′", gate: .gegluTanh, exact: Oracle.geluTanhSlope, k: { 3 + 2 * min(cubic($0), 104) },
      m: { max(1, min(3 * cubic($0), 400)) }),
    Activation(name: "relu′", gate: .reglu, exact: { Slope(Oracle.reluSlope($0)) }, k: { _ in 0 }, m: { _ in 0 }),
  ]

  @Test(arguments: activations, kernels)
  func slopeWithinItsBound(_ test: Activation, kernels: String) throws {
    let inputs = GateTests.patterns(step: GateTests.step).filter { !$0.isInfinite }
    let others = [Float](repeating: test.other, count: inputs.count)
    let derivatives = try Kernels.named(kernels).derivatives(
      test.gate, test.scansB ? others : inputs, test.scansB ? inputs : others)
    var worst = (share: 0.0, x: Float(0))
    for (x, y) in zip(inputs, test.scansB ? derivatives.b : derivatives.a) {
      if x.isNaN {
        #expect(y.isNaN)
        continue
      }
      let exact = test.exact(Double(x))
      let bound = test.k(Double(x)) * 0x1p-23 * exact.size + test.m(Double(x)) * 0x1p-148
      let error = abs(Double(y) - exact.value)
      let share = error == 0 ? 0 : error / bound
      if !(share <= worst.share) { worst = (share, x) }
    }
    #expect(worst.share <= 1, "at \(worst.x): \(worst.share) of the bound")
  }

  /// The oracle itself, by central differences of the gates' formulas in float64; the steps cross no kink.
  @Test(arguments: gates)
  func oracleIsTheSlopeOfTheFormula(_ gate: Gate) {
    let values = [-9.03, -5.5, -2.51, -1.3, -0.75, -0.3, -0.011, 0.017, 0.4, 1.21, 1.77, 3.3, 6.4, 7.3, 11]
    let h = 1e-5
    for a in values {
      for b in values {
        let exact = Oracle.derivatives(gate, a, b)
        let byA = (Oracle.apply(gate, a + h, b) - Oracle.apply(gate, a - h, b)) / (2 * h)
        let byB = (Oracle.apply(gate, a, b + h) - Oracle.apply(gate, a, b - h)) / (2 * h)
        #expect(abs(exact.a.value - byA) <= 1e-8 * max(1, abs(byA)), "∂a at \(a), \(b)")
        #expect(abs(exact.b.value - byB) <= 1e-8 * max(1, abs(byB)), "∂b at \(a), \(b)")
      }
    }
  }

  /// Every gate at every pair of special and ordinary operands, against its derivatives in float64, and the same bits
  /// from every kernel set.
  @Test(arguments: gates)
  func everyPairOfOperands(_ gate: Gate) throws {
    let values: [Float] = [
      0, -0.0, 1, -1, 0.3, -0.3, 0.7518, -0.7518, 1.2785, -1.2785, 2, -2, 2.5, -2.5, 7, -7, 7.1, -7.1, 20, -20, 88, -88,
      104, -104, 150, -150, 0x1p-133, -0x1p-133, 0x1p-149, 1e-30, 1e30, -1e30, .greatestFiniteMagnitude,
      -.greatestFiniteMagnitude,
    ]
    var a: [Float] = []
    var b: [Float] = []
    for x in values { for y in values { (a, b) = (a + [x], b + [y]) } }
    let reference = try Kernels.named("scalar").derivatives(gate, a, b)
    for i in a.indices {
      let exact = Oracle.derivatives(gate, Double(a[i]), Double(b[i]))
      // A subnormal factor is off by 2⁻¹⁵⁰, and the others multiply it.
      let floor = 0x1p-148 * 400 * Double(max(1, abs(a[i]))) * Double(max(1, abs(b[i])))
      for (found, exact) in [(reference.a[i], exact.a), (reference.b[i], exact.b)] {
        let error = abs(Double(found) - exact.value)
        let isOverflow = abs(exact.value) > Double(Float.greatestFiniteMagnitude) && found == Float(exact.value)
        #expect(error <= 4e-5 * exact.size + floor || isOverflow, "\(a[i]), \(b[i]): \(found), \(exact.value)")
      }
    }
    for kernels in Kernels.available {
      let found = kernels.derivatives(gate, a, b)
      #expect(found.a.map(\.canonicalBits) == reference.a.map(\.canonicalBits), "\(kernels.name)")
      #expect(found.b.map(\.canonicalBits) == reference.b.map(\.canonicalBits), "\(kernels.name)")
    }
  }

  @Test(arguments: kernels)
  func kinksInfinitiesAndNaN(_ name: String) throws {
    let kernels = try Kernels.named(name)
    // max(0, x)′ at −0, 0, and at the smallest number beside it.
    let smallest = Float.leastNonzeroMagnitude
    #expect(kernels.derivatives(.reglu, [-0.0, 0, -smallest, smallest], [1, 1, 1, 1]).a == [0, 0, 0, 1])
    #expect(kernels.derivatives(.regluSigmoid, [-0.0, 0, 1], [0, 0, 0]).a == [0, 0, 0.5])
    #expect(kernels.derivatives(.relu2glu, [-0.0, 0, smallest], [1, 1, 1]).a == [0, 0, 2 * smallest])
    // A clamp's is 1 at its bounds and 0 from the next number on; α = 0 makes σ one half.
    let clamped = Gate.swigluClamped(alpha: 0, limit: 7)
    #expect(kernels.derivatives(clamped, [7, Float(7).nextUp, -1e30], [1, 1, 1]).a == [1, 0, 1])
    #expect(
      kernels.derivatives(clamped, [2, 2, 2, 2], [7, Float(7).nextUp, -7, Float(-7).nextDown]).b == [1, 0, 1, 0])
    // At an infinity a derivative has its limit.
    let infinities: [Float] = [.infinity, -.infinity]
    for gate in [Gate.reglu, .geglu, .gegluTanh, .gegluQuick, .swiglu] {
      #expect(kernels.derivatives(gate, infinities, [1, 1]).a == [1, 0], "\(gate.wireName)")
    }
    #expect(kernels.derivatives(.gtu, infinities, [1, 1]).a == [0, 0])
    #expect(kernels.derivatives(.glu, [1, 1], infinities).b == [0, 0])
    #expect(kernels.derivatives(.glu, [1, 1], infinities).a == [1, 0])
    #expect(kernels.derivatives(.swigluClamped, infinities, [1, 1]).a == [0, 0])
    // NaN in the operand of an activation stays NaN.
    for gate in Gate.all {
      #expect(kernels.derivatives(gate, [.nan], [0.5]).b[0].isNaN, "\(gate.wireName)")
      #expect(kernels.derivatives(gate, [0.5], [.nan]).a[0].isNaN, "\(gate.wireName)")
      if ![.glu, .bilinear, .relu2glu].contains(gate) {
        #expect(kernels.derivatives(gate, [.nan], [0.5]).a[0].isNaN, "\(gate.wireName)")
      }
    }
    #expect(kernels.derivatives(.swigluClamped, [0.5], [.nan]).b[0].isNaN)
  }

  /// PyTorch's gradients in float64 of both halves, for a given gradient of the output.
  @Test(arguments: [
    ("glu", Gate.glu), ("gtu", .gtu), ("reglu", .reglu), ("geglu", .geglu), ("swiglu", .swiglu),
  ])
  func publishedGradients(_ name: String, _ gate: Gate) throws {
    let golden = try Golden("grad_gate_" + name)
    let input = try golden("input")
    let upstream = try golden("grad_output").floats
    let expected = try golden("grad.input").floats
    let width = input.shape[1] / 2
    for row in 0..<input.shape[0] {
      let both = input.floats[(row * 2 * width)..<((row + 1) * 2 * width)]
      let found = Kernels.best().derivatives(gate, Array(both.prefix(width)), Array(both.suffix(width)))
      for (column, slope) in (found.a + found.b).enumerated() {
        let gradient = Double(slope) * Double(upstream[row * width + column % width])
        let want = Double(expected[row * 2 * width + column])
        #expect(abs(gradient - want) <= 1e-6 * max(1, abs(want)))
      }
    }
  }

  /// Every count around a vector's width.
  @Test(arguments: kernels)
  func anyCount(_ name: String) throws {
    var random = SplitMix(seed: 12)
    let a = random.floats(70, scale: 4)
    let b = random.floats(70, scale: 4)
    let kernels = try Kernels.named(name)
    let all = kernels.derivatives(.geglu, a, b)
    for count in 0...70 {
      let some = kernels.derivatives(.geglu, Array(a[..<count]), Array(b[..<count]))
      #expect(some.a == Array(all.a[..<count]))
      #expect(some.b == Array(all.b[..<count]))
    }
  }
}

extension Kernels {
  func derivatives(_ gate: Gate, _ a: [Float], _ b: [Float]) -> (a: [Float], b: [Float]) {
    var byA = [Float](repeating: .nan, count: a.count)
    var byB = byA
    byA.withUnsafeMutableBufferPointer { byA in
      byB.withUnsafeMutableBufferPointer { byB in
        guard !a.isEmpty else { return }
        GateDerivatives(of: gate, kernels: self).evaluate(
          a: a, b: b, byA: byA.baseAddress!, byB: byB.baseAddress!, count: a.count)
      }
    }
    return (byA, byB)
  }
}

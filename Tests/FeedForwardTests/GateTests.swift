import FeedForward
import Foundation
import Testing

@Suite struct GateTests {
  @Test func namesAreTheVocabulary() {
    #expect(
      Gate.all.map(\.wireName) == [
        "glu", "gtu", "bilinear", "reglu", "geglu", "geglu_tanh", "geglu_quick", "swiglu", "relu2glu", "swiglu_clamped",
        "reglu_sigmoid", "geglu_sigmoid",
      ])
    for gate in Gate.all { #expect(Gate(wireName: gate.wireName) == gate) }
    #expect(Gate(wireName: "GEGLU") == nil)
  }

  @Test func parametersBelongToTheirFormulas() {
    #expect(Gate.swiglu.setting(.beta, to: 1.702) == .swiglu(beta: 1.702))
    #expect(Gate.swiglu.setting(.beta, to: .infinity) == nil)
    #expect(Gate.swiglu.setting(.limit, to: 7) == nil)
    #expect(Gate.geglu.setting(.beta, to: 1) == nil)
    #expect(Gate.swigluClamped.setting(.alpha, to: -1) == .swigluClamped(alpha: -1, limit: 7))
    #expect(Gate.swigluClamped.setting(.limit, to: 3) == .swigluClamped(alpha: 1.702, limit: 3))
    #expect(Gate.swigluClamped.setting(.limit, to: 0) == nil)
    #expect(Gate.swigluClamped.parameters.map(\.name) == [.alpha, .limit])
  }

  static let kernels = Kernels.available.map(\.name)

  /// One activation, reached through a gate whose other operand leaves it as it is.
  struct Activation: CustomTestStringConvertible, Sendable {
    var name: String
    var gate: Gate
    /// The operand that is scanned, and the value of the other.
    var scansB = false
    var other: Float = 1
    var exact: @Sendable (Double) -> Double
    /// Units in the last place allowed at x.
    var bound: @Sendable (Double) -> Double
    var testDescription: String { name }
  }

  /// The bounds that GateMath.h states. An activation of the form x·σ(u) inherits u's rounding, which the exponential
  /// turns into a relative error in proportion to |u|; a subnormal σ or Φ, off by 2⁻¹⁵⁰, is multiplied by |x|.
  static let activations: [Activation] = [
    Activation(name: "sigmoid", gate: .glu, scansB: true, exact: Oracle.sigmoid, bound: { _ in 2.5 }),
    Activation(name: "tanh", gate: .gtu, other: .infinity, exact: { tanh($0) }, bound: { _ in 1.5 }),
    Activation(
      name: "gelu", gate: .geglu, exact: Oracle.gelu, bound: { x in x < -12.9 ? abs(x) : 6.5 }),
    Activation(
      name: "silu", gate: .swiglu, exact: { $0 * Oracle.sigmoid($0) }, bound: { x in x < -87 ? abs(x) : 3.3 }),
    Activation(
      name: "gelu_quick", gate: .gegluQuick, exact: { $0 * Oracle.sigmoid(1.702 * $0) },
      bound: { x in x < -51 ? 3 * abs(x) : 3 + 2 * abs(min(x, 0)) }),
    Activation(
      name: "gelu_tanh", gate: .gegluTanh, exact: Oracle.geluTanh,
      bound: { x in x < -9.9 ? 30 * abs(x) : x < 0 ? 3 + 3 * abs(1.6 * x + 0.0714 * x * x * x) : 3 }),
    Activation(name: "relu", gate: .reglu, exact: Oracle.relu, bound: { _ in 0 }),
    Activation(name: "relu²", gate: .relu2glu, exact: { Oracle.relu($0) * Oracle.relu($0) }, bound: { _ in 0.5 }),
  ]

  /// Every `step`-th bit pattern of a float32, infinities and NaN among them.
  static func patterns(step: UInt32) -> [Float] {
    stride(from: UInt32(0), to: .max - step, by: Int(step)).map(Float.init(bitPattern:))
      + [0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 150, -150, 0.625, 14.5]
  }

  #if DEBUG
    static let step: UInt32 = 64_007
  #else
    static let step: UInt32 = 257
  #endif

  @Test(arguments: activations, kernels)
  func activationWithinItsBound(_ test: Activation, kernels: String) throws {
    let inputs = Self.patterns(step: Self.step)
    let others = [Float](repeating: test.other, count: inputs.count)
    let outputs = try Kernels.named(kernels).apply(
      test.gate, test.scansB ? others : inputs, test.scansB ? inputs : others)
    var worst = (units: 0.0, x: Float(0))
    for (x, y) in zip(inputs, outputs) {
      let exact = test.exact(Double(x))
      // An infinite x gives what float32's formula gives, which the next test states.
      if x.isInfinite { continue }
      let share = unitsInTheLastPlace(y, from: exact) / max(test.bound(Double(x)), .leastNonzeroMagnitude)
      if !(share <= worst.units) { worst = (share, x) }
    }
    #expect(worst.units <= 1, "at \(worst.x): \(worst.units) of the bound")
  }

  @Test(arguments: kernels)
  func infinitiesAndNaNFollowTheFormula(_ name: String) throws {
    let kernels = try Kernels.named(name)
    let special: [Float] = [.infinity, -.infinity, .nan]
    let ones: [Float] = [1, 1, 1]
    // σ(−∞) = Φ(−∞) = 0, so −∞·0 is NaN, as in PyTorch.
    let cases: [(Gate, [Float])] = [
      (.bilinear, [.infinity, -.infinity, .nan]), (.reglu, [.infinity, 0, .nan]), (.relu2glu, [.infinity, 0, .nan]),
      (.geglu, [.infinity, .nan, .nan]), (.gegluTanh, [.infinity, .nan, .nan]), (.gegluQuick, [.infinity, .nan, .nan]),
      (.swiglu, [.infinity, .nan, .nan]), (.swigluClamped, [14 * 0.9999933, .nan, .nan]),
    ]
    for (gate, expected) in cases {
      for (y, want) in zip(kernels.apply(gate, special, ones), expected) {
        #expect(y == want || (y.isNaN && want.isNaN) || abs(y - want) < 1e-5, "\(gate.wireName)")
      }
    }
    #expect(kernels.apply(.glu, [2, 2], [.infinity, -.infinity]) == [2, 0])
    #expect(kernels.apply(.gtu, [.infinity, -.infinity], [.infinity, .infinity]) == [1, -1])
    #expect(kernels.apply(.gtu, [-0.0], [.infinity])[0].sign == .minus)
    let undefined = kernels.apply(.glu, ones, [.nan, .nan, .nan])
    #expect(undefined.allSatisfy { $0.isNaN })
  }

  /// The activations of `transformers`, in float64; its gelu cancels below zero, hence the absolute floor.
  @Test(arguments: [
    ("gelu", Gate.geglu), ("gelu_new", .gegluTanh), ("gelu_pytorch_tanh", .gegluTanh), ("quick_gelu", .gegluQuick),
    ("silu", .swiglu), ("relu", .reglu), ("relu2", .relu2glu), ("linear", .bilinear), ("sigmoid", .glu), ("tanh", .gtu),
  ])
  func publishedActivations(_ name: String, _ gate: Gate) throws {
    let golden = try Golden("activation_scalars")
    let x = try golden("input").floats
    let constant = [Float](repeating: name == "tanh" ? .infinity : 1, count: x.count)
    let outputs = Kernels.best().apply(gate, name == "sigmoid" ? constant : x, name == "sigmoid" ? x : constant)
    for ((x, y), want) in zip(zip(x, outputs), try golden("output." + name).floats) {
      let error = abs(Double(y) - Double(want))
      #expect(y == want || error <= max(1e-13, abs(Double(want)) * (2e-7 + 6e-8 * pow(abs(Double(x)), 3))), "at \(x)")
    }
  }

  @Test(arguments: [("reglu_sigmoid", Gate.regluSigmoid), ("geglu_sigmoid", .gegluSigmoid)])
  func tutorialGates(_ name: String, _ gate: Gate) throws {
    let golden = try Golden("blog_" + name)
    let input = try golden("input")
    let width = input.shape[1] / 2
    let expected = try golden("output").floats
    for row in 0..<input.shape[0] {
      let both = input.floats[(row * 2 * width)..<((row + 1) * 2 * width)]
      let outputs = Kernels.best().apply(gate, Array(both.prefix(width)), Array(both.suffix(width)))
      for (y, want) in zip(outputs, expected[(row * width)...]) { #expect(abs(y - want) <= 5e-7 * max(1, abs(want))) }
    }
  }

  /// Every gate at every pair of special and ordinary operands, against its formula in float64, and the same bits
  /// from every kernel set.
  @Test(arguments: Gate.all + [.swiglu(beta: -0.5), .swiglu(beta: 1.702), .swigluClamped(alpha: 0.5, limit: 2)])
  func everyPairOfOperands(_ gate: Gate) throws {
    let values: [Float] = [
      0, -0.0, 1, -1, 0.3, -0.3, 2.5, -2.5, 6.9, -6.9, 7.1, -7.1, 20, -20, 88, -88, 104, -104, 150, -150, 0x1p-133,
      -0x1p-133,
      1e-30, 1e30, -1e30, .greatestFiniteMagnitude, -.greatestFiniteMagnitude,
    ]
    var a: [Float] = []
    var b: [Float] = []
    for x in values { for y in values { (a, b) = (a + [x], b + [y]) } }
    let reference = try Kernels.named("scalar").apply(gate, a, b)
    for i in a.indices {
      let exact = Oracle.apply(gate, Double(a[i]), Double(b[i]))
      // Where the activated operand alone is beyond float32, so is what comes of it.
      if abs(Oracle.apply(gate, Double(a[i]), 1)) > Double(Float.greatestFiniteMagnitude) { continue }
      let error = abs(Double(reference[i]) - exact)
      // A subnormal factor is off by 2⁻¹⁵⁰, and the others multiply it.
      let floor = 0x1p-148 * Double(max(1, abs(a[i]))) * Double(max(1, abs(b[i])))
      let isOverflow = abs(exact) > Double(Float.greatestFiniteMagnitude) && reference[i] == Float(exact)
      #expect(error <= 4e-5 * abs(exact) + floor || isOverflow, "\(a[i]), \(b[i]): \(reference[i]), \(exact)")
    }
    for kernels in Kernels.available {
      #expect(kernels.apply(gate, a, b).map(\.canonicalBits) == reference.map(\.canonicalBits), "\(kernels.name)")
    }
  }

  /// Zeros, infinities, NaN and the smallest numbers on both sides, as the formulas in float64 have them: the sign of a
  /// zero and of an infinity too. Only where float32 rounds an inner result to 0 or to infinity may it differ.
  @Test(arguments: Gate.all, kernels)
  func specialValuesFollowTheFormula(_ gate: Gate, name: String) throws {
    let values: [Float] = [
      0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude,
      -.leastNormalMagnitude, 1, -1, 100, -100,
    ]
    var (a, b) = ([Float](), [Float]())
    for x in values { for y in values { (a, b) = (a + [x], b + [y]) } }
    let found = try Kernels.named(name).apply(gate, a, b)
    for place in a.indices {
      let (x, y, result) = (a[place], b[place], found[place])
      if x.isNaN || y.isNaN {
        // A ReLU of a number is that number, and 0·NaN is NaN: every formula uses both operands.
        #expect(result.isNaN, "\(x), \(y): \(result)")
        continue
      }
      let exact = Oracle.apply(gate, Double(x), Double(y))
      // σ(−∞) = Φ(−∞) = 0, and −∞·0 is NaN in the formula as it is written; the oracle may know the limit.
      if exact.isNaN || result.isNaN {
        #expect(x.isInfinite || y.isInfinite, "\(x), \(y): \(result), \(exact)")
        continue
      }
      if exact.isInfinite {
        #expect(result == Float(exact), "\(x), \(y)")
        continue
      }
      // A subnormal factor is off by 2⁻¹⁵⁰, and the others multiply it; a clamp makes 7 of an infinity, and 8 of that.
      let size = [x, y].reduce(1) { $0 * ($1.isInfinite ? 8 : max(1, Double(abs($1)))) }
      #expect(abs(Double(result) - exact) <= 4e-5 * abs(exact) + 0x1p-148 * size, "\(x), \(y): \(result), \(exact)")
      if exact != 0, result != 0 { #expect((result < 0) == (exact < 0), "\(x), \(y)") }
    }
  }

  /// Arrays beyond the caches go another way, wherever they begin and in place as well.
  @Test(arguments: kernels, [0, 3])
  func largeArraysAreTheSameNumbers(_ name: String, offset: Int) throws {
    let kernels = try Kernels.named(name)
    let count = 1 << 20 + 37
    var random = SplitMix(seed: 13)
    let pattern = random.floats(997, scale: 4)
    let a = (0..<count + offset).map { pattern[$0 % 997] }
    let b = (0..<count + offset).map { pattern[$0 * 7 % 997] }
    var y = [Float](repeating: .nan, count: count + offset + 1)
    for gate in [Gate.swiglu, .gtu] {
      // The pattern's own products, by the way of small arrays, which the tests above hold against float64.
      let right = kernels.apply(gate, pattern, (0..<997).map { pattern[$0 * 7 % 997] })
      y.withUnsafeMutableBufferPointer { y in
        a.withUnsafeBufferPointer { a in
          b.withUnsafeBufferPointer { b in
            kernels.apply(
              gate, a: a.baseAddress! + offset, b: b.baseAddress! + offset, output: y.baseAddress! + offset,
              count: count)
          }
        }
      }
      #expect((offset..<count + offset).allSatisfy { y[$0] == right[$0 % 997] })
      #expect(y[count + offset].isNaN && (0..<offset).allSatisfy { y[$0].isNaN })
      var inPlace = a
      inPlace.withUnsafeMutableBufferPointer { inPlace in
        b.withUnsafeBufferPointer { b in
          kernels.apply(
            gate, a: inPlace.baseAddress! + offset, b: b.baseAddress! + offset, output: inPlace.baseAddress! + offset,
            count: count)
        }
      }
      #expect((offset..<count + offset).allSatisfy { inPlace[$0] == right[$0 % 997] })
    }
  }

  /// Every count around a vector's width, in place as well.
  @Test(arguments: kernels)
  func anyCount(_ name: String) throws {
    var random = SplitMix(seed: 11)
    let a = random.floats(70, scale: 4)
    let b = random.floats(70, scale: 4)
    let kernels = try Kernels.named(name)
    let all = kernels.apply(.swiglu, a, b)
    for count in 0...70 {
      #expect(kernels.apply(.swiglu, Array(a[..<count]), Array(b[..<count])) == Array(all[..<count]))
    }
    var inPlace = a
    inPlace.withUnsafeMutableBufferPointer {
      kernels.apply(.swiglu, a: $0.baseAddress!, b: b, output: $0.baseAddress!, count: 70)
    }
    #expect(inPlace == all)
  }
}

extension Kernels {
  func apply(_ gate: Gate, _ a: [Float], _ b: [Float]) -> [Float] {
    [Float](unsafeUninitializedCapacity: a.count) { output, count in
      if !a.isEmpty { apply(gate, a: a, b: b, output: output.baseAddress!, count: a.count) }
      count = a.count
    }
  }
}

extension Float {
  /// The bits, with one pattern for every NaN.
  var canonicalBits: UInt32 { isNaN ? 0x7FC0_0000 : bitPattern }
}

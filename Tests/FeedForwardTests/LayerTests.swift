import FeedForward
import Testing

@Suite struct LayerTests {
  static let kernels = Kernels.available.map(\.name)

  struct Shape: CustomTestStringConvertible, Sendable {
    var dIn: Int
    var dFF: Int
    var dOut: Int
    var testDescription: String { "\(dIn)→\(dFF)→\(dOut)" }
  }

  /// Sizes below, at, above and not at a multiple of what the kernels count in: 16 columns of a pair, 32 of a panel,
  /// 128 of a group, 512 terms of a block.
  static let shapes: [Shape] = [
    Shape(dIn: 1, dFF: 1, dOut: 1), Shape(dIn: 4, dFF: 8, dOut: 4), Shape(dIn: 3, dFF: 15, dOut: 31),
    Shape(dIn: 16, dFF: 16, dOut: 32), Shape(dIn: 17, dFF: 17, dOut: 33), Shape(dIn: 255, dFF: 64, dOut: 127),
    Shape(dIn: 512, dFF: 65, dOut: 128), Shape(dIn: 511, dFF: 80, dOut: 129), Shape(dIn: 40, dFF: 512, dOut: 20),
    Shape(dIn: 513, dFF: 515, dOut: 97), Shape(dIn: 30, dFF: 50, dOut: 0), Shape(dIn: 1030, dFF: 129, dOut: 0),
  ]

  /// Against float64: a sum of n terms in blocks of 512 is off by at most (512 + n/512)·2⁻²⁴ of its terms' magnitudes;
  /// random signs leave a small part of it.
  @Test(arguments: shapes, kernels)
  func agreesWithTheOracle(_ shape: Shape, kernels: String) throws {
    var random = SplitMix(seed: UInt64(shape.dIn * 1000 + shape.dFF))
    let gate = Gate.all[random.number(in: 0...11)]
    let dense = DenseLayer.random(gate, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, random: &random)
    let layer = try dense.packed(kernels: .named(kernels))
    let rows = 3
    let input = random.floats(rows * shape.dIn, scale: 2)
    let result = layer.apply(to: input, activations: true)
    for row in 0..<rows {
      let want = Oracle.forward(dense, row: input[(row * shape.dIn)..<((row + 1) * shape.dIn)])
      let dOut = layer.dOut
      #expect(worst(result.output[(row * dOut)..<((row + 1) * dOut)], want.output) <= 2e-5, "\(gate.wireName)")
      for (got, want) in [(result.gate, want.gate), (result.up, want.up), (result.hidden, want.hidden)] {
        #expect(worst(got[(row * shape.dFF)..<((row + 1) * shape.dFF)], want) <= 2e-5, "\(gate.wireName)")
      }
    }
  }

  private func worst(_ got: ArraySlice<Float>, _ want: [Double]) -> Double {
    zip(got, want).map { got, want in got.isNaN ? .infinity : abs(Double(got) - want) / max(1, abs(want)) }.max() ?? 0
  }

  /// One order of every sum on every kernel set: the same bits, activations included.
  @Test(arguments: shapes)
  func everyKernelSetGivesTheScalarBits(_ shape: Shape) throws {
    var random = SplitMix(seed: 7)
    let dense = DenseLayer.random(.geglu, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, random: &random)
    let input = random.floats(5 * shape.dIn, scale: 2)
    let reference = try dense.packed(kernels: .named("scalar")).apply(to: input, activations: true)
    for kernels in Kernels.available {
      let result = try dense.packed(kernels: kernels).apply(to: input, activations: true)
      #expect(result.output == reference.output, "\(kernels.name)")
      #expect(result.gate == reference.gate && result.up == reference.up, "\(kernels.name)")
      #expect(result.hidden == reference.hidden, "\(kernels.name)")
    }
  }

  /// Weights stored as bf16 stay so in memory, and give the bits that their float32 values give.
  @Test(arguments: shapes, kernels)
  func halfTheMemoryForTheSameBits(_ shape: Shape, kernels: String) throws {
    var random = SplitMix(seed: 13)
    let dense = DenseLayer.random(.swiglu, dIn: shape.dIn, dFF: shape.dFF, dOut: shape.dOut, random: &random).cutToBF16
    let wide = try dense.packed(kernels: .named(kernels))
    let narrow = try dense.packed(kernels: .named(kernels), type: .bf16)
    #expect(narrow.storedType == .bf16)
    #expect(narrow.residentBytes < wide.residentBytes || shape.dIn == 1)
    for rows in [1, 2, 5, 14] {
      let input = random.floats(rows * shape.dIn, scale: 2)
      #expect(narrow.apply(to: input).output == wide.apply(to: input).output)
    }
  }

  /// The promise of the engine: a row's bits depend on the row alone. Every batch of 1…70 rows, cut out of one sequence
  /// of rows at another place each time.
  @Test(arguments: kernels)
  func sameRowSameBitsInEveryBatch(_ name: String) throws {
    var random = SplitMix(seed: 99)
    let dense = DenseLayer.random(.swiglu, dIn: 600, dFF: 70, dOut: 45, random: &random)
    let layer = try dense.packed(kernels: .named(name))
    let available = 80
    let input = random.floats(available * layer.dIn, scale: 2)
    let alone = (0..<available).map { layer.apply(to: Array(input[($0 * 600)..<(($0 + 1) * 600)])).output }
    let workspace = Workspace()
    let step = name == "scalar" ? 9 : 1
    for rows in stride(from: 1, through: 70, by: step) {
      let first = random.number(in: 0...(available - rows))
      let result = layer.apply(to: Array(input[(first * 600)..<((first + rows) * 600)]), workspace: workspace)
      #expect(result.output == Array(alone[first..<(first + rows)].joined()), "\(rows) rows from \(first)")
    }
  }

  /// A batch beyond one chunk, and a workspace that has served a larger layer before.
  @Test func longBatchesPassInChunks() throws {
    var random = SplitMix(seed: 3)
    let dense = DenseLayer.random(.gegluTanh, dIn: 20, dFF: 30, dOut: 10, random: &random)
    let layer = try dense.packed(kernels: .best())
    let wide = DenseLayer.random(.glu, dIn: 300, dFF: 300, dOut: 300, random: &random)
    let workspace = Workspace()
    workspace.reserve(for: try wide.packed(kernels: .best()), rows: 64)
    let rows = 2 * Workspace.chunkRows + 3
    workspace.reserve(for: layer, rows: rows)
    let reserved = workspace.byteCount
    let input = random.floats(rows * 20, scale: 2)
    let result = layer.apply(to: input, activations: true, workspace: workspace)
    #expect(workspace.byteCount == reserved)
    for row in [0, 255, 256, rows - 1] {
      let alone = layer.apply(to: Array(input[(row * 20)..<((row + 1) * 20)]), activations: true)
      #expect(Array(result.output[(row * 10)..<((row + 1) * 10)]) == alone.output)
      #expect(Array(result.hidden[(row * 30)..<((row + 1) * 30)]) == alone.hidden)
      #expect(Array(result.up[(row * 30)..<((row + 1) * 30)]) == alone.up)
    }
  }

  /// A NaN or an infinity in one row stays in that row, and in one weight's column stays in that column.
  @Test(arguments: kernels)
  func nonFiniteValuesStayWhereTheyAre(_ name: String) throws {
    var random = SplitMix(seed: 5)
    let dense = DenseLayer.random(.bilinear, dIn: 33, dFF: 40, dOut: 0, random: &random)
    var poisoned = dense
    poisoned.gateProj[17 * 33 + 2] = .nan
    let kernels = try Kernels.named(name)
    var input = random.floats(20 * 33, scale: 1)
    let clean = try dense.packed(kernels: kernels).apply(to: input).output
    input[6 * 33 + 32] = .infinity
    let dirty = try poisoned.packed(kernels: kernels).apply(to: input).output
    for row in 0..<20 {
      for column in 0..<40 {
        let (before, after) = (clean[row * 40 + column], dirty[row * 40 + column])
        if column == 17 {
          #expect(after.isNaN)
        } else if row == 6 {
          #expect(!after.isFinite)
        } else {
          #expect(before == after)
        }
      }
    }
  }

  /// Sums beyond float32 and below its normal range go where IEEE arithmetic takes them.
  @Test(arguments: kernels)
  func extremeMagnitudes(_ name: String) throws {
    let dense = DenseLayer(
      gate: .bilinear, dIn: 2, dFF: 2, dOut: 0, gateProj: [1e30, 0, 1e-30, 0], upProj: [0, 1, 0, 1], downProj: [])
    let layer = try dense.packed(kernels: .named(name))
    #expect(layer.apply(to: [1e30, 1]).output == [.infinity, 1])
    #expect(layer.apply(to: [1e-12, 1]).output == [1e18, Float(1e-30) * Float(1e-12)])
    #expect(layer.apply(to: [1e-25, 1]).output == [Float(1e30) * Float(1e-25), 0])
  }
}

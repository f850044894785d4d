import FeedForward
import Testing

/// A packed layer is held against its stored weights: the right ones pass by far, wrong ones fail by far.
@Suite struct ProbeTests {
  /// The weights of a dense layer as views, for as long as `body` runs.
  static func withWeights<R>(_ dense: DenseLayer, _ body: (BlockWeights) throws -> R) throws -> R {
    try dense.gateProj.withUnsafeBytes { gate in
      try dense.upProj.withUnsafeBytes { up in
        try dense.downProj.withUnsafeBytes { down in
          func matrix(_ bytes: UnsafeRawBufferPointer, _ rows: Int, _ columns: Int) -> MatrixView {
            MatrixView(base: bytes.baseAddress!, type: .f32, rows: rows, columns: columns)
          }
          return try body(
            .layer(
              LayerWeights(
                gate: dense.gate, gateProj: matrix(gate, dense.dFF, dense.dIn),
                upProj: matrix(up, dense.dFF, dense.dIn),
                downProj: dense.dOut == 0 ? nil : matrix(down, dense.dOut, dense.dFF))))
        }
      }
    }
  }

  static func dense(_ gate: Gate, dOut: Int = 70, seed: UInt64 = 4) -> DenseLayer {
    var random = SplitMix(seed: seed)
    return DenseLayer.random(gate, dIn: 600, dFF: 130, dOut: dOut, random: &random)
  }

  @Test(arguments: Gate.all, Arithmetic.allCases)
  func theRightWeightsPass(_ gate: Gate, _ arithmetic: Arithmetic) throws {
    for dOut in [70, 0] {
      var layer = Self.dense(gate, dOut: dOut)
      (layer.gateBias, layer.upBias, layer.downBias) = (nil, nil, nil)
      let packed = try layer.packed(kernels: .best(), arithmetic: arithmetic)
      let error = try Self.withWeights(layer) { Block.layer(packed).probe(against: $0) }
      let found = try #require(error)
      #expect(found < arithmetic.faultThreshold)
      // Rounding shows: what is called bf16 is not float32 in disguise.
      #expect(arithmetic == .f32 ? found < 1e-5 : found > 1e-4)
    }
  }

  /// One wrong projection, a swapped gate, another activation.
  @Test func wrongWeightsFail() throws {
    var layer = Self.dense(.swiglu)
    (layer.gateBias, layer.upBias, layer.downBias) = (nil, nil, nil)
    let block = Block.layer(try layer.packed(kernels: .best()))
    let other = Self.dense(.swiglu, seed: 5)
    var flaws = [layer, layer, layer, layer]
    flaws[0].downProj = other.downProj
    flaws[1].upProj = other.upProj
    (flaws[2].gateProj, flaws[2].upProj) = (layer.upProj, layer.gateProj)
    flaws[3].downProj[0] = .nan
    for flaw in flaws.prefix(3) {
      #expect(try #require(try Self.withWeights(flaw) { block.probe(against: $0) }) > 0.1)
    }
    #expect(try Self.withWeights(flaws[3]) { block.probe(against: $0) } == nil)
  }

  /// Ranges that are packed by several threads leave no trace: all outputs are those of one thread's packing.
  @Test(arguments: Arithmetic.allCases)
  func packingByATeamGivesTheSameBits(_ arithmetic: Arithmetic) throws {
    let team = Team(threads: 3)
    defer { team.dismiss() }
    var random = SplitMix(seed: 6)
    var dense = DenseLayer.random(.geglu, dIn: 700, dFF: 2100, dOut: 650, random: &random)
    (dense.gateBias, dense.upBias, dense.downBias) = (nil, nil, nil)
    let alone = try dense.packed(kernels: .best(), arithmetic: arithmetic)
    let input = random.floats(3 * 700, scale: 2)
    for shelf in [nil, PanelShelf()] {
      let together = try Self.withWeights(dense) { weights in
        guard case .layer(let weights) = weights else { preconditionFailure("a layer's weights") }
        return try FeedForwardLayer(
          weights, kernels: .best(), arithmetic: arithmetic, packing: Packing(team: team, shelf: shelf))
      }
      #expect(together.apply(to: input).output == alone.apply(to: input).output)
      #expect(together.residentBytes == alone.residentBytes)
    }
  }

  /// What one packing has left on a shelf is what the next one finds there, weight for weight, without its sources.
  @Test(arguments: Arithmetic.allCases)
  func aShelfKeepsWhatWasPacked(_ arithmetic: Arithmetic) throws {
    var random = SplitMix(seed: 7)
    var dense = DenseLayer.random(.reglu, dIn: 100, dFF: 90, dOut: 80, random: &random)
    (dense.gateBias, dense.upBias, dense.downBias) = (nil, nil, nil)
    func pack(_ dense: DenseLayer, on shelf: PanelShelf) throws -> FeedForwardLayer {
      try Self.withWeights(dense) { weights in
        guard case .layer(let weights) = weights else { preconditionFailure("a layer's weights") }
        return try FeedForwardLayer(weights, kernels: .best(), arithmetic: arithmetic, packing: Packing(shelf: shelf))
      }
    }
    let first = PanelShelf()
    let original = try pack(dense, on: first)
    #expect(!first.isAsStored && first.pieces.bytes.count == 2)
    var zeros = dense
    zeros.gateProj = zeros.gateProj.map { _ in 0 }
    zeros.downProj = zeros.downProj.map { _ in 0 }
    let second = PanelShelf(first.pieces.bytes, of: first)
    let restored = try pack(zeros, on: second)
    #expect(second.isAsStored)
    let input = random.floats(100, scale: 1)
    #expect(restored.apply(to: input).output == original.apply(to: input).output)

    // Pieces of another size are another layer's: packed anew.
    let stale = PanelShelf(first.pieces.bytes.reversed(), of: first)
    #expect(try pack(dense, on: stale).apply(to: input).output == original.apply(to: input).output)
    #expect(!stale.isAsStored)
  }
}

/// The layout in which panels are packed, told by what it makes of a few numbers.
package enum PanelLayout {
  /// Differs where the same weights would be packed into other bytes: by another version of the program that orders,
  /// rounds or scales them in another way. The same on every instruction set.
  package static func fingerprint(of arithmetic: Arithmetic) -> UInt64 {
    // More terms than a block, and a last group and a last panel that are not full.
    let (rows, columns) = (150, 600)
    let numbers = (0..<rows * columns).map { Float(($0 * 2_654_435_761) % 65_521) / 65_521 - 0.5 }
    // Unsafe: the views are read while the panels are packed, inside of the array's scope.
    return numbers.withUnsafeBytes { bytes in
      let matrix = MatrixView(base: bytes.baseAddress!, type: .f32, rows: rows, columns: columns)
      let shelf = PanelShelf()
      let packing = Packing(shelf: shelf)
      guard (try? PackedPanels(matrix, bias: nil, arithmetic: arithmetic, packing: packing)) != nil,
        (try? PackedPanels(
          a: matrix, aBias: nil, b: matrix.rows(0..<rows), bBias: nil, arithmetic: arithmetic, packing: packing)) != nil
      else { return 0 }
      // Fowler, Noll and Vo's hash, FNV-1a, over words.
      var hash: UInt64 = 0xCBF2_9CE4_8422_2325
      for piece in shelf.pieces.bytes {
        for place in stride(from: 0, to: piece.count, by: 4) {
          hash = (hash ^ UInt64(piece.load(fromByteOffset: place, as: UInt32.self))) &* 0x100_0000_01B3
        }
      }
      return hash
    }
  }
}

extension BlockWeights {
  /// Every matrix that is packed, in the order in which it is.
  package var matrices: [MatrixView] {
    switch self {
    case .layer(let layer): layer.matrices
    case .mixture(let mixture):
      [mixture.router] + (mixture.sharedGate.map { [$0] } ?? []) + mixture.experts.flatMap(\.matrices)
        + (mixture.shared?.matrices ?? [])
    case .convolution(let stack): stack.layers.flatMap(\.matrices)
    }
  }
}

extension LayerWeights {
  fileprivate var matrices: [MatrixView] { [gateProj, upProj] + (downProj.map { [$0] } ?? []) }
}

extension ConvolutionWeights {
  fileprivate var matrices: [MatrixView] {
    let magnitudes = magnitude.map {
      MatrixView(base: $0.base, type: $0.type, rows: $0.count, columns: 1, rowStride: $0.stride)
    }
    return (0..<kernel.width).flatMap { [kernel.tap($0, half: 0), kernel.tap($0, half: 1)] }
      + (magnitudes.map { [$0] } ?? [])
  }
}

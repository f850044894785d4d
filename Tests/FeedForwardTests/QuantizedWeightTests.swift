import FeedForward
import Testing

/// Weights of eight and four bits and their scales, decoded while a layer is packed, against float64 arithmetic on the
/// formats' definitions.
@Suite struct QuantizedWeightTests {
  /// OCP 8-bit Floating Point Specification 1.0, table 1: S.E.M, bias 7.
  static func e4m3(_ byte: UInt8) -> Double {
    let (exponent, fraction) = (Int(byte >> 3 & 15), Double(byte & 7))
    if byte & 0x7F == 0x7F { return .nan }
    let magnitude = exponent == 0 ? fraction / 512 : (1 + fraction / 8) * power(exponent - 7)
    return byte & 0x80 == 0 ? magnitude : -magnitude
  }

  static func e2m1(_ nibble: UInt8) -> Double {
    let magnitude = [0, 0.5, 1, 1.5, 2, 3, 4, 6][Int(nibble & 7)]
    return nibble & 8 == 0 ? magnitude : -magnitude
  }

  static func power(_ exponent: Int) -> Double { Double(sign: .plus, exponent: exponent, significand: 1) }

  /// The elements of a matrix as the engine reads them: the gate's branch for the rows of the identity.
  static func decoded(_ matrix: MatrixView, arithmetic: Arithmetic = .f32) throws -> [[Float]] {
    let ones = [Float](repeating: 0, count: matrix.rows * matrix.columns)
    let layer = try ones.withUnsafeBytes { bytes in
      try FeedForwardLayer(
        LayerWeights(
          gate: .bilinear, gateProj: matrix,
          upProj: MatrixView(base: bytes.baseAddress!, type: .f32, rows: matrix.rows, columns: matrix.columns)),
        arithmetic: arithmetic)
    }
    var result = Array(repeating: [Float](repeating: .nan, count: matrix.columns), count: matrix.rows)
    for column in 0..<matrix.columns {
      var input = [Float](repeating: 0, count: matrix.columns)
      input[column] = 1
      let row = layer.apply(to: input, activations: true).gate
      for index in 0..<matrix.rows { result[index][column] = row[index] }
    }
    return result
  }

  @Test func everyPatternOfF8() throws {
    let patterns = (0...255).map { UInt8($0) }
    let values = try patterns.withUnsafeBytes {
      try Self.decoded(MatrixView(base: $0.baseAddress!, type: .f8E4M3, rows: 256, columns: 1))
    }
    for (byte, row) in zip(patterns, values) {
      let exact = Float(Self.e4m3(byte))
      #expect(row[0] == exact || row[0].isNaN && exact.isNaN, "\(byte)")
    }
  }

  /// Rows, halves, every second row and the transposed matrix, over blocks that end within them.
  @Test(arguments: [Arithmetic.f32, .bf16])
  func blocksOfScales(arithmetic: Arithmetic) throws {
    let (rows, columns, block) = (22, 13, (rows: 4, columns: 5))
    var random = SplitMix(seed: 3)
    // Finite patterns of both signs.
    let bytes = (0..<rows * columns).map { _ in UInt8(random.next() % 127) | UInt8(random.next() % 2) << 7 }
    let scaleColumns = (columns + block.columns - 1) / block.columns
    let scales = random.floats((rows + block.rows - 1) / block.rows * scaleColumns, scale: 3)
    func exact(_ row: Int, _ column: Int) -> Float {
      let scale = scales[row / block.rows * scaleColumns + column / block.columns]
      // 4 and 24 bits of significand: float64 holds the product, so it is rounded once.
      let value = Float(Self.e4m3(bytes[row * columns + column]) * Double(scale))
      guard arithmetic == .bf16 else { return value }
      let bits = value.bitPattern
      return Float(bitPattern: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) & 0xFFFF_0000)
    }
    try bytes.withUnsafeBytes { bytes in
      try scales.withUnsafeBytes { scales in
        let matrix = MatrixView(
          base: bytes.baseAddress!, type: .f8E4M3, rows: rows, columns: columns,
          scales: WeightScales(
            base: scales.baseAddress!, type: .f32, rows: .init(block: block.rows, stride: scaleColumns),
            columns: .init(block: block.columns, stride: 1)))
        func expect(_ view: MatrixView, _ place: (Int, Int) -> (Int, Int)) throws {
          for (r, row) in try Self.decoded(view, arithmetic: arithmetic).enumerated() {
            for (c, value) in row.enumerated() {
              let (row, column) = place(r, c)
              #expect(value == exact(row, column), "\(row), \(column)")
            }
          }
        }
        try expect(matrix) { ($0, $1) }
        try expect(matrix.rows(11..<22)) { (11 + $0, $1) }
        try expect(matrix.rows(1..<22, step: 2)) { (1 + 2 * $0, $1) }
        try expect(matrix.rows(3..<22, step: 3).rows(1..<5)) { (6 + 3 * $0, $1) }
        try expect(matrix.transposed) { ($1, $0) }
        try expect(matrix.rows(5..<20).transposed) { (5 + $1, $0) }
      }
    }
  }

  /// Every element under every scale, each in the lower and in the upper half of its byte.
  @Test func everyElementAndScaleOfMXFP4() throws {
    let columns = 32
    let rows = 256
    let bytes = (0..<rows).flatMap { _ in (0..<16).map { UInt8($0) | UInt8(15 - $0) << 4 } }
    let scales = (0..<rows).map { UInt8($0) }
    try bytes.withUnsafeBytes { bytes in
      try scales.withUnsafeBytes { scales in
        let matrix = MatrixView(
          base: bytes.baseAddress!, type: .mxfp4, rows: rows, columns: columns,
          scales: WeightScales(
            base: scales.baseAddress!, type: .f8E8M0, rows: .init(block: 1, stride: 1),
            columns: .init(block: 32, stride: 1)))
        for (scale, row) in try Self.decoded(matrix).enumerated() {
          // From 2¹²⁶ on a 6 is infinite, and a row's product with the identity is nowhere finite any more.
          if scale >= 253 {
            #expect(row.allSatisfy { !$0.isFinite })
            continue
          }
          for (column, value) in row.enumerated() {
            let nibble = UInt8(column.isMultiple(of: 2) ? column / 2 : 15 - column / 2)
            #expect(value == Float(Self.e2m1(nibble) * Self.power(scale - 127)), "2^\(scale - 127), \(nibble)")
          }
        }
        let odd = try Self.decoded(matrix.rows(120..<131, step: 2))
        let all = try Self.decoded(matrix)
        #expect(odd == stride(from: 120, to: 131, by: 2).map { all[$0] })
      }
    }
  }

  /// What bf16 holds exactly takes half the memory, and float32 arithmetic sees the same numbers.
  @Test func packedInHalfTheMemoryWhereExact() throws {
    let bytes = [UInt8](repeating: 0x34, count: 64 * 64)
    let one: [Float] = [1]
    func bytesOf(_ matrix: MatrixView) throws -> Int {
      try FeedForwardLayer(LayerWeights(gate: .bilinear, gateProj: matrix, upProj: matrix)).residentBytes
    }
    try bytes.withUnsafeBytes { bytes in
      try one.withUnsafeBytes { one in
        let base = bytes.baseAddress!
        let scales = WeightScales(
          base: one.baseAddress!, type: .f32, rows: .init(block: 64, stride: 0), columns: .init(block: 64, stride: 0))
        let exact = try bytesOf(MatrixView(base: base, type: .f8E4M3, rows: 64, columns: 64))
        let scaled = try bytesOf(MatrixView(base: base, type: .f8E4M3, rows: 64, columns: 64, scales: scales))
        #expect(scaled - exact == 64 * 64 * 2 * 2)
      }
    }
  }
}

internal import CKernels

/// Products `Gᵀ·X` of two matrices that have the rows of a chunk, `[rows, n]` and `[rows, columns]`: the gradients of
/// weights. X is packed like a projection's weights, G passes by in slices of transposed rows, so the sums have the
/// kernels' order: over the rows of a chunk one chain, then chunk by chunk.
///
/// Unsafe pointers: into the scratch that ``GradientScratch/reserveForWeights(of:rows:)`` has made long enough, and
/// into matrices of the lengths that the parameters give.
struct WeightProducts {
  let rows: Int
  /// Whether results are set; they are added to what is there otherwise.
  let isFirst: Bool
  let scratch: GradientScratch
  let functions: ffn_arithmetic
  let helpers: Team?
  let totals: UnsafeMutablePointer<Float>

  /// Packs X, `[rows, columns]`, row-major.
  func pack(_ x: UnsafePointer<Float>, columns: Int) {
    var source = ffn_matrix(
      base: x, type: FFN_F32, rows: columns, columns: rows, row_stride: 1, column_stride: columns, scales: ffn_scales())
    ffn_pack_panels(&source, FFN_F32, 0, Self.panels(columns), scratch.panels!.words)
  }

  /// `result[n, columns] (+)= Gᵀ·X` with the X that was packed last.
  func multiply(_ g: Columns, columns: Int, into result: UnsafeMutablePointer<Float>) {
    let slice = scratch.slice!.base
    for first in stride(from: 0, to: g.count, by: GradientScratch.sliceRows) {
      let count = min(GradientScratch.sliceRows, g.count - first)
      for row in 0..<rows {
        g.forEachRun(of: row, first..<first + count) { column, values, length in
          let target = slice + (column - first) * FFN_BLOCK_STRIDE + row
          for i in 0..<length { target[i * FFN_BLOCK_STRIDE] = values[i] }
        }
      }
      var job = ffn_project()
      job.panels = ffn_panels(
        weights: scratch.panels!.words, type: FFN_F32, bias: scratch.noBias!.base, terms: rows,
        panels: Self.panels(columns), columns: columns)
      job.x = ffn_rows(base: slice, block_step: count * FFN_BLOCK_STRIDE, rows: count)
      let target = result + first * columns
      job.y = isFirst ? target : scratch.product!.base
      functions.run(job, helpers: helpers, totals: totals)
      if !isFirst { for i in 0..<count * columns { target[i] += job.y[i] } }
    }
  }

  /// `result[n] (+)= Σ_row G[row]`
  func sum(_ g: Columns, into result: UnsafeMutablePointer<Float>) {
    let sums = scratch.product!.base
    for first in stride(from: 0, to: g.count, by: GradientScratch.sliceRows) {
      let count = min(GradientScratch.sliceRows, g.count - first)
      sums.update(repeating: 0, count: count)
      for row in 0..<rows {
        g.forEachRun(of: row, first..<first + count) { column, values, length in
          for i in 0..<length { sums[column - first + i] += values[i] }
        }
      }
      for i in 0..<count { result[first + i] = isFirst ? sums[i] : result[first + i] + sums[i] }
    }
  }

  private static func panels(_ columns: Int) -> Int { (columns + FFN_PANEL_COLUMNS - 1) / FFN_PANEL_COLUMNS }
}

extension WeightProducts {
  /// Neighbouring columns of a matrix whose rows lie in one piece each, or in blocks.
  ///
  /// Unsafe pointers: as above.
  struct Columns {
    let base: UnsafePointer<Float>
    /// The first column, among those that `base` has.
    var first = 0
    let count: Int
    let layout: Layout

    enum Layout {
      /// Rows of so many columns.
      case rows(of: Int)
      /// Row blocks of so many rows.
      case blocks(rows: Int)
    }

    /// Calls `body` with stretches of a row that lie in one piece; `column` counts from the first column of all.
    func forEachRun(
      of row: Int, _ columns: Range<Int>, _ body: (_ column: Int, _ values: UnsafePointer<Float>, _ length: Int) -> Void
    ) {
      switch layout {
      case .rows(let width):
        body(columns.lowerBound, base + row * width + first + columns.lowerBound, columns.count)
      case .blocks(let rows):
        var column = columns.lowerBound
        while column < columns.upperBound {
          let term = first + column
          let length = min(columns.upperBound - column, FFN_BLOCK_TERMS - term % FFN_BLOCK_TERMS)
          body(column, base + (term / FFN_BLOCK_TERMS * rows + row) * FFN_BLOCK_STRIDE + term % FFN_BLOCK_TERMS, length)
          column += length
        }
      }
    }
  }
}

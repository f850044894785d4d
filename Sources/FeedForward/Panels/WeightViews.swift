/// How a weight is stored: all are computed in float32.
package enum WeightType: String, Sendable {
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"

  /// Bytes of one element.
  package var byteCount: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    }
  }
}

/// A weight matrix `[rows, columns]` = `[out, in]` in somebody else's memory: a mapped checkpoint, a request's body.
///
/// Element `(r, c)` stands `r·rowStride + c·columnStride` elements after `base`, little-endian, at any alignment.
/// The strides express every published layout without a copy: a range of rows of a fused tensor, every second row of
/// an interleaved one, a transposed one.
///
/// `@unchecked Sendable`: only ever read, and whoever makes the view keeps the memory alive and unwritten while it is
/// in use; a layer reads its views while it is made, and not after.
package struct MatrixView: @unchecked Sendable {
  package let base: UnsafeRawPointer
  package let type: WeightType
  /// Outputs of the projection.
  package let rows: Int
  /// Inputs of the projection.
  package let columns: Int
  /// Elements from one row to the next.
  package let rowStride: Int
  /// Elements from one column to the next.
  package let columnStride: Int

  /// A matrix at `base`; without strides it is row-major and contiguous.
  package init(
    base: UnsafeRawPointer, type: WeightType, rows: Int, columns: Int, rowStride: Int? = nil, columnStride: Int = 1
  ) {
    self.base = base
    self.type = type
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride ?? columns
    self.columnStride = columnStride
  }

  /// Rows `range.lowerBound, range.lowerBound + step, …` below `range.upperBound`: one half of a fused tensor, or with
  /// `step` 2 of an interleaved one.
  package func rows(_ range: Range<Int>, step: Int = 1) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows && step > 0)
    return MatrixView(
      base: base + range.lowerBound * rowStride * type.byteCount, type: type,
      rows: (range.count + step - 1) / step, columns: columns, rowStride: rowStride * step, columnStride: columnStride)
  }

  /// Where rows lie that are a stretch of memory of their own; nil where the matrix is stored by columns.
  func bytes(ofRows range: Range<Int>) -> UnsafeRawBufferPointer? {
    guard columnStride > 0, rowStride >= columnStride, !range.isEmpty else { return nil }
    let elements = (range.count - 1) * rowStride + (columns - 1) * columnStride + 1
    return UnsafeRawBufferPointer(
      start: base + range.lowerBound * rowStride * type.byteCount, count: elements * type.byteCount)
  }

  /// From the first element to the last.
  var allBytes: UnsafeRawBufferPointer {
    let elements = (rows - 1) * rowStride + (columns - 1) * columnStride + 1
    return UnsafeRawBufferPointer(start: base, count: elements * type.byteCount)
  }

  /// The same memory read as `[columns, rows]`: a tensor stored `[in, out]` becomes `[out, in]`.
  package var transposed: MatrixView {
    MatrixView(
      base: base, type: type, rows: columns, columns: rows, rowStride: columnStride, columnStride: rowStride)
  }
}

/// A bias in somebody else's memory: element `i` stands `i·stride` elements after `base`, at any alignment.
///
/// `@unchecked Sendable` for the reason that ``MatrixView`` gives.
package struct VectorView: @unchecked Sendable {
  package let base: UnsafeRawPointer
  package let type: WeightType
  package let count: Int
  /// Elements from one to the next.
  package let stride: Int

  /// A vector at `base`; without a stride it is contiguous.
  package init(base: UnsafeRawPointer, type: WeightType, count: Int, stride: Int = 1) {
    self.base = base
    self.type = type
    self.count = count
    self.stride = stride
  }

  /// Elements `range.lowerBound, range.lowerBound + step, …` below `range.upperBound`.
  package func elements(_ range: Range<Int>, step: Int = 1) -> VectorView {
    precondition(range.lowerBound >= 0 && range.upperBound <= count && step > 0)
    return VectorView(
      base: base + range.lowerBound * stride * type.byteCount, type: type,
      count: (range.count + step - 1) / step, stride: stride * step)
  }
}

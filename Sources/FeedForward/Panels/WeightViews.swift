/// How a weight is stored: all are computed in float32.
package enum WeightType: String, Sendable {
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  /// Four bits of exponent, three of fraction, no infinities (OCP 8-bit Floating Point Specification 1.0).
  case f8E4M3 = "F8_E4M3"
  /// ±0, ½, 1, 1½, 2, 3, 4, 6, two in a byte (OCP Microscaling Formats Specification 1.0: E2M1).
  case mxfp4 = "MXFP4"
  /// A power of two, as scales are stored.
  case f8E8M0 = "F8_E8M0"

  /// Bits of one element.
  package var bits: Int {
    switch self {
    case .f32: 32
    case .f16, .bf16: 16
    case .f8E4M3, .f8E8M0: 8
    case .mxfp4: 4
    }
  }
}

/// What the elements of a matrix are multiplied with as they are read: a scale for every block of rows and columns.
///
/// The product is float32, rounded once.
///
/// Unsafe pointer: as the matrix's beside it.
// @unchecked Sendable: the pointer is only ever read, and nobody writes to what it points to.
package struct WeightScales: @unchecked Sendable {
  /// Where the scales change along one dimension: row or column `i` has scale `(first + i·step) / block`.
  package struct Axis: Sendable {
    package private(set) var first = 0
    package private(set) var step = 1
    /// Rows or columns of the stored tensor that share a scale.
    package let block: Int
    /// Scales from one to the next.
    package let stride: Int

    package init(block: Int, stride: Int) {
      self.block = block
      self.stride = stride
    }

    /// Which scale a row or a column has, counted from the first of the tensor's.
    fileprivate func place(of index: Int) -> Int { (first + index * step) / block * stride }

    fileprivate func narrowed(from place: Int, step: Int) -> Axis {
      var axis = self
      axis.first += place * self.step
      axis.step *= step
      return axis
    }
  }

  package let base: UnsafeRawPointer
  package let type: WeightType
  package let rows: Axis
  package let columns: Axis

  package init(base: UnsafeRawPointer, type: WeightType, rows: Axis, columns: Axis) {
    (self.base, self.type, self.rows, self.columns) = (base, type, rows, columns)
  }
}

/// A weight matrix `[rows, columns]` = `[out, in]` in somebody else's memory: a mapped checkpoint, a request's body.
///
/// Element `(r, c)` stands `r·rowStride + c·columnStride` elements after `base`, little-endian, at any alignment.
/// The strides express every published layout without a copy: a range of rows of a fused tensor, every second row of
/// an interleaved one, a transposed one.
///
/// Unsafe pointer: whoever makes the view keeps the memory alive and unwritten while a layer is made from it.
// @unchecked Sendable: the pointer is only ever read, and nobody writes to what it points to.
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
  package let scales: WeightScales?

  /// A matrix at `base`; without strides it is row-major and contiguous.
  package init(
    base: UnsafeRawPointer, type: WeightType, rows: Int, columns: Int, rowStride: Int? = nil, columnStride: Int = 1,
    scales: WeightScales? = nil
  ) {
    self.base = base
    self.type = type
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride ?? columns
    self.columnStride = columnStride
    self.scales = scales
  }

  /// Whether bf16 holds every element: float32 arithmetic then keeps them so, in half the memory.
  ///
  /// An MXFP4 element times its power of two has two significant bits and is at least 2⁻¹²⁸, an F8_E4M3 one has four;
  /// times any other scale they need all of float32.
  var isExactInBF16: Bool {
    switch type {
    case .bf16, .f8E4M3, .f8E8M0: scales == nil
    case .mxfp4: scales.map { $0.type == .f8E8M0 } ?? true
    case .f32, .f16: false
    }
  }

  /// Rows `range.lowerBound, range.lowerBound + step, …` below `range.upperBound`: one half of a fused tensor, or with
  /// `step` 2 of an interleaved one.
  package func rows(_ range: Range<Int>, step: Int = 1) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows && step > 0)
    let bits = range.lowerBound * rowStride * type.bits
    precondition(bits.isMultiple(of: 8), "rows of packed elements begin with a byte")
    let scales = scales.map {
      let rows = $0.rows.narrowed(from: range.lowerBound, step: step)
      return WeightScales(base: $0.base, type: $0.type, rows: rows, columns: $0.columns)
    }
    return MatrixView(
      base: base + bits / 8, type: type, rows: (range.count + step - 1) / step, columns: columns,
      rowStride: rowStride * step, columnStride: columnStride, scales: scales)
  }

  /// Where rows lie that are a stretch of memory of their own; nil where the matrix is stored by columns.
  func bytes(ofRows range: Range<Int>) -> UnsafeRawBufferPointer? {
    guard columnStride > 0, rowStride >= columnStride, !range.isEmpty else { return nil }
    let elements = (range.count - 1) * rowStride + (columns - 1) * columnStride + 1
    return UnsafeRawBufferPointer(
      start: base + range.lowerBound * rowStride * type.bits / 8, count: (elements * type.bits + 7) / 8)
  }

  /// From the first element to the last.
  var allBytes: UnsafeRawBufferPointer {
    let elements = (rows - 1) * rowStride + (columns - 1) * columnStride + 1
    return UnsafeRawBufferPointer(start: base, count: (elements * type.bits + 7) / 8)
  }

  /// From the first scale to the last that an element has.
  var scaleBytes: UnsafeRawBufferPointer? {
    guard let scales else { return nil }
    let last = scales.rows.place(of: rows - 1) + scales.columns.place(of: columns - 1)
    return UnsafeRawBufferPointer(start: scales.base, count: (last + 1) * scales.type.bits / 8)
  }

  /// The same memory read as `[columns, rows]`: a tensor stored `[in, out]` becomes `[out, in]`.
  package var transposed: MatrixView {
    MatrixView(
      base: base, type: type, rows: columns, columns: rows, rowStride: columnStride, columnStride: rowStride,
      scales: scales.map { WeightScales(base: $0.base, type: $0.type, rows: $0.columns, columns: $0.rows) })
  }
}

/// A bias in somebody else's memory: element `i` stands `i·stride` elements after `base`, at any alignment.
///
/// Unsafe pointer: as a matrix's.
// @unchecked Sendable: the pointer is only ever read, and nobody writes to what it points to.
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
      base: base + range.lowerBound * stride * type.bits / 8, type: type,
      count: (range.count + step - 1) / step, stride: stride * step)
  }
}

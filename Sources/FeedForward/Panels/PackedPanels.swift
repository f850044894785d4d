internal import CKernels

/// One projection, or the gate and up projections together, in the panels that every kernel set reads.
///
/// The layout and the order of every sum are described at `ffn_panels` in CKernels.
///
/// ``Arithmetic/panelType(isExactInBF16:)`` says what the stored weights become; their scales stand among them.
///
/// Unsafe pointers: what the kernels are given, into memory that lives as long as this value.
struct PackedPanels: Sendable {
  /// `[panels][steps][words]`, grouped, of ``type``
  private let weights: AlignedFloats
  private let type: ffn_type
  /// `[panels][32]`; zeros where there is no bias and beyond the last column
  private let bias: AlignedFloats
  /// Terms of every sum: the projection's inputs.
  let terms: Int
  /// Outputs, of each operand in a pair.
  let columns: Int
  let panels: Int

  var byteCount: Int { weights.byteCount + bias.byteCount }

  var packedWeights: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: weights.base, count: weights.count) }

  /// Packs `[columns, terms]`, a panel for every 32 rows.
  init(
    _ matrix: MatrixView, bias: VectorView?, arithmetic: Arithmetic, packing: Packing
  ) throws(LayerError) {
    let panels = (matrix.rows + FFN_PANEL_COLUMNS - 1) / FFN_PANEL_COLUMNS
    let type = arithmetic.panelType(isExactInBF16: matrix.isExactInBF16)
    let isPacked: Bool
    (self, isPacked) = try Self.empty(
      type: type, panels: panels, terms: matrix.columns, columns: matrix.rows, packing: packing)
    if !isPacked {
      let (weights, code) = (weights, type.rawValue)
      try packing.pack(panels, of: [matrix], run: FFN_PANEL_COLUMNS) { range in
        var source = ffn_matrix(matrix)
        ffn_pack_panels(&source, ffn_type(code), range.lowerBound, range.upperBound, weights.words)
      }
    }
    if let bias { widen(bias, into: 0, run: FFN_PANEL_COLUMNS) }
  }

  /// Packs two matrices `[columns, terms]` side by side, a panel for every 16 rows of both: operand a's outputs first.
  init(
    a: MatrixView, aBias: VectorView?, b: MatrixView, bBias: VectorView?, arithmetic: Arithmetic, packing: Packing
  ) throws(LayerError) {
    let run = FFN_PAIR_COLUMNS
    let panels = (a.rows + run - 1) / run
    let type = arithmetic.panelType(isExactInBF16: a.isExactInBF16 && b.isExactInBF16)
    let isPacked: Bool
    (self, isPacked) = try Self.empty(
      type: type, panels: panels, terms: a.columns, columns: a.rows, packing: packing)
    if !isPacked {
      let (weights, code) = (weights, type.rawValue)
      try packing.pack(panels, of: [a, b], run: run) { range in
        var first = ffn_matrix(a)
        var second = ffn_matrix(b)
        ffn_pack_pair_panels(&first, &second, ffn_type(code), range.lowerBound, range.upperBound, weights.words)
      }
    }
    if let aBias { widen(aBias, into: 0, run: run) }
    if let bBias { widen(bBias, into: run, run: run) }
  }

  /// The transposed weights of panels, without their bias: what was an output is a term. The outputs of a pair become
  /// the terms of one projection, operand a's first. Of bytes and nibbles it is the values that they stand for, as
  /// float32.
  ///
  /// - Parameter operands: 2 where `source` holds a pair.
  init(transposing source: PackedPanels, operands: Int, packing: Packing) throws(LayerError) {
    let panels = (source.terms + FFN_PANEL_COLUMNS - 1) / FFN_PANEL_COLUMNS
    let isInteger = source.type == FFN_INT8 || source.type == FFN_INT4
    (self, _) = try Self.empty(
      type: isInteger ? FFN_F32 : source.type, panels: panels, terms: operands * source.columns, columns: source.terms,
      packing: packing)
    var panelsOfSource = source.kernelPanels
    if isInteger {
      ffn_transpose_integer_panels(&panelsOfSource, operands, weights.words)
    } else {
      ffn_transpose_panels(&panelsOfSource, operands, 0, panels, weights.words)
    }
  }

  /// Panels with zeros for biases, and whether their weights stand there already.
  private static func empty(
    type: ffn_type, panels: Int, terms: Int, columns: Int, packing: Packing
  ) throws(LayerError) -> (PackedPanels, isPacked: Bool) {
    // No overflow in a panel: 32 rows like it are in memory.
    let (count, overflow) = ffn_panel_words(terms, type).multipliedReportingOverflow(by: panels)
    guard !overflow, let bias = AlignedFloats(count: panels * FFN_PANEL_COLUMNS) else {
      throw .outOfMemory(bytes: count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride).partialValue)
    }
    let (weights, isPacked) = try packing.panels(words: count)
    bias.base.initialize(repeating: 0, count: bias.count)
    let empty = PackedPanels(weights: weights, type: type, bias: bias, terms: terms, columns: columns, panels: panels)
    return (empty, isPacked)
  }

  private init(weights: AlignedFloats, type: ffn_type, bias: AlignedFloats, terms: Int, columns: Int, panels: Int) {
    self.weights = weights
    self.type = type
    self.bias = bias
    self.terms = terms
    self.columns = columns
    self.panels = panels
  }

  /// Spreads a bias over the panels: `run` elements from `column` on in each.
  private func widen(_ vector: VectorView, into column: Int, run: Int) {
    var source = ffn_matrix(vector)
    for first in stride(from: 0, to: vector.count, by: run) {
      let panel = bias.base + first / run * FFN_PANEL_COLUMNS
      ffn_widen(&source, first, panel + column, min(run, vector.count - first))
    }
  }

  /// The panels as the kernels take them; valid while this value is.
  var kernelPanels: ffn_panels {
    ffn_panels(weights: weights.words, type: type, bias: bias.base, terms: terms, panels: panels, columns: columns)
  }
}

extension ffn_matrix {
  init(_ view: MatrixView) {
    self.init(
      base: view.base, type: view.type.kernelType, rows: view.rows, columns: view.columns,
      row_stride: view.rowStride, column_stride: view.columnStride, scales: ffn_scales(view.scales))
  }

  /// A vector as a matrix of one column, whose row `i` starts at element `i`.
  init(_ view: VectorView) {
    self.init(
      base: view.base, type: view.type.kernelType, rows: view.count, columns: 1,
      row_stride: view.stride, column_stride: view.stride, scales: ffn_scales())
  }
}

extension VectorView {
  /// The elements as float32.
  ///
  /// - Throws: ``LayerError/outOfMemory(bytes:)``.
  func widened() throws(LayerError) -> AlignedFloats {
    guard let floats = AlignedFloats(count: count) else {
      throw .outOfMemory(bytes: count * MemoryLayout<Float>.stride)
    }
    var source = ffn_matrix(self)
    ffn_widen(&source, 0, floats.base, count)
    return floats
  }
}

extension ffn_scales {
  fileprivate init(_ scales: WeightScales?) {
    self.init()
    guard let scales else { return }
    (base, type) = (scales.base, scales.type.kernelType)
    (rows, columns) = (ffn_scale_axis(scales.rows), ffn_scale_axis(scales.columns))
  }
}

extension ffn_scale_axis {
  fileprivate init(_ axis: WeightScales.Axis) {
    self.init(first: axis.first, step: axis.step, block: axis.block, stride: axis.stride)
  }
}

extension WeightType {
  fileprivate var kernelType: ffn_type {
    switch self {
    case .f32: FFN_F32
    case .f16: FFN_F16
    case .bf16: FFN_BF16
    case .f8E4M3: FFN_F8_E4M3
    case .mxfp4: FFN_F4_E2M1
    case .f8E8M0: FFN_F8_E8M0
    }
  }
}

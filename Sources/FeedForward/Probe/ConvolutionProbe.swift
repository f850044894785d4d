internal import CKernels

/// A packed convolution held against its kernel as it is stored: a sequence as long as the kernel, of normally
/// distributed inputs, goes through it, and a sample of its last position's sums, which meet every tap, is done again
/// in float64.
///
/// Unsafe pointers: arrays of this probe's own, as long as the convolution's widths ask for.
struct ConvolutionProbe {
  let layer: ConvolutionLayer
  let weights: ConvolutionWeights
  let source: SourceAccess?

  /// The relative error of the norm of the sampled outputs.
  ///
  /// - Returns: nil where it cannot be told: the sums themselves are not finite, or there is no memory for a probe.
  func error() -> Double? {
    let (width, channels) = (layer.width, layer.channelsIn)
    guard let input = LayerProbe.normalRows(width, channels),
      let output = AlignedFloats(count: width * layer.channelsOut)
    else { return nil }
    layer.forward(
      [ConvolutionSequence(input: input.base, length: width, output: output.base)], workspace: Workspace(), team: nil)
    var error = Discrepancy()
    for channel in LayerProbe.sample(of: layer.channelsOut) {
      error.add(
        found: output.base[(width - 1) * layer.channelsOut + channel],
        expected: layer.gate.reference(sum(channel, input), sum(layer.channelsOut + channel, input)))
    }
    source?.release(kernel.allBytes)
    return error.relative
  }

  /// `[outputs, channelsIn·width]`
  private var kernel: MatrixView {
    MatrixView(
      base: weights.kernel.base, type: weights.kernel.type, rows: weights.kernel.outputs,
      columns: layer.channelsIn * layer.width)
  }

  /// What output `output` sums up at the last position; NaN where the file cannot be read.
  private func sum(_ output: Int, _ input: AlignedFloats) -> Double {
    let kernel = kernel
    if let source, let bytes = kernel.bytes(ofRows: output..<output + 1), !source.acquire(bytes) { return .nan }
    let row = kernel.row(output)
    var (sum, squares) = (0.0, 0.0)
    for channel in 0..<layer.channelsIn {
      for tap in 0..<layer.width {
        let weight = Double(row[channel * layer.width + tap])
        sum += weight * Double(input.base[tap * layer.channelsIn + channel])
        squares += weight * weight
      }
    }
    if let magnitude = weights.magnitude { sum *= element(output, of: magnitude) / squares.squareRoot() }
    return sum + (weights.bias.map { element(output, of: $0) } ?? 0)
  }

  private func element(_ index: Int, of vector: VectorView) -> Double {
    var source = ffn_matrix(vector)
    var value: Float = 0
    ffn_widen(&source, index, &value, 1)
    return Double(value)
  }
}

extension ConvolutionStack {
  /// The worst of the layers' errors; nil where one cannot be told.
  func error(against weights: ConvolutionStackWeights, source: SourceAccess?) -> Double? {
    zip(layers, weights.layers).reduce(0) { worst, pair in
      guard let worst, let error = ConvolutionProbe(layer: pair.0, weights: pair.1, source: source).error() else {
        return nil
      }
      return max(worst, error)
    }
  }
}

internal import CKernels

/// One gated convolution, packed: a pair of panels for each tap, all of which read the same row blocks of the input.
///
/// Always float32 arithmetic; weights stored as bf16 stay bf16 in memory. A position has the same bits whatever
/// sequences are computed beside it: its sum goes tap by tap, the earliest input first, inside a tap in the order of a
/// layer's.
///
/// Unsafe pointers: sequences are read and written where the caller has them; scratch is the workspace's, reserved
/// here.
final class ConvolutionLayer: Sendable {
  let gate: Gate
  let channelsIn: Int
  let channelsOut: Int
  /// Taps of the kernel.
  let width: Int
  private let taps: [PackedPanels]
  private let kernels: Kernels

  var byteCount: Int { taps.reduce(0) { $0 + $1.byteCount } }

  /// Packs `weights`, whose views are read now and not needed afterwards.
  init(_ weights: ConvolutionWeights, kernels: Kernels, packing: Packing) throws(ConvolutionError) {
    try weights.validate()
    gate = weights.gate
    (channelsIn, channelsOut, width) = (weights.channelsIn, weights.channelsOut, weights.kernel.width)
    self.kernels = kernels
    let normalised = try weights.magnitude.map { magnitude throws(ConvolutionError) in
      try weights.kernel.normalised(to: magnitude, access: packing.source)
    }
    // What has been resolved lies in memory of its own and not in a file's pages.
    let packing = normalised == nil ? packing : Packing(team: packing.team, shelf: packing.shelf)
    defer { withExtendedLifetime(normalised) {} }
    let kernel = normalised.map { weights.kernel.replacing($0) } ?? weights.kernel
    let (value, gating) = (0..<weights.channelsOut, weights.channelsOut..<weights.kernel.outputs)
    var taps: [PackedPanels] = []
    for tap in 0..<weights.kernel.width {
      // The bias is added once, with the first tap's panels.
      let bias = tap == 0 ? weights.bias : nil
      do {
        taps.append(
          try PackedPanels(
            a: kernel.tap(tap, half: 0), aBias: bias?.elements(value), b: kernel.tap(tap, half: 1),
            bBias: bias?.elements(gating), arithmetic: .f32, packing: packing))
      } catch {
        switch error {
        case .outOfMemory(let bytes): throw .outOfMemory(bytes: bytes)
        case .unreadable: throw .unreadable
        case .shape, .empty, .biasWithoutProjection, .hiddenNorm:
          preconditionFailure("the taps have one shape: \(error)")
        }
      }
    }
    self.taps = taps
  }

  /// Positions of a sequence among the rows that a chunk computes, from `row` on. The rows before the first position of
  /// any piece but the first hold its history and what comes out there is nobody's.
  private struct Piece {
    let sequence: ConvolutionSequence
    let first: Int
    let count: Int
    let row: Int
  }

  /// Convolves sequences, side by side in chunks of rows, with `width − 1` rows of history before each.
  func forward(_ sequences: [ConvolutionSequence], workspace: Workspace, team: Team?) {
    var chunk: [Piece] = []
    var rows = 0
    for sequence in sequences {
      var first = 0
      while first < sequence.length {
        let rest = sequence.length - first
        let row = chunk.isEmpty ? 0 : rows + width - 1
        // A sequence is cut only where it fills a chunk by itself.
        guard chunk.isEmpty || rest <= Workspace.chunkRows - row else {
          convolve(chunk, rows: rows, workspace, team)
          chunk = []
          continue
        }
        let count = min(rest, Workspace.chunkRows - row)
        chunk.append(Piece(sequence: sequence, first: first, count: count, row: row))
        rows = row + count
        first += count
      }
    }
    if !chunk.isEmpty { convolve(chunk, rows: rows, workspace, team) }
  }

  private func convolve(_ pieces: [Piece], rows: Int, _ workspace: Workspace, _ team: Team?) {
    let inputRows = rows + width - 1
    workspace.reserve(terms: 1, rows: rows)
    workspace.convolution.reserve(inputRows: inputRows, channelsIn: channelsIn, outputs: rows * channelsOut)
    let blocks = workspace.convolution.blocks!.base
    for piece in pieces { fill(blocks, rows: inputRows, with: piece) }
    // A sequence alone in its chunk is written where it belongs, others by way of the scratch.
    let isAlone = pieces.count == 1
    let hidden =
      isAlone ? pieces[0].sequence.output + pieces[0].first * channelsOut : workspace.convolution.hidden!.base
    taps.map(\.kernelPanels).withUnsafeBufferPointer { panels in
      var first = ffn_gate_up()
      first.panels = panels[0]
      first.x = ffn_rows(base: blocks, block_step: inputRows * FFN_BLOCK_STRIDE, rows: rows)
      first.gate = gate.kernelGate
      first.hidden = hidden
      let job = ffn_convolution(first: first, taps: panels.baseAddress, tap_count: width)
      let totals = workspace.totals!.base
      guard let team else { return kernels.convolve(job, helpers: nil, totals: totals) }
      let isWorthSplitting = rows * width * channelsIn * 2 * channelsOut / 100 > 40_000
      team.engaging(isWorthSplitting) { helped in
        kernels.convolve(job, helpers: helped ? team : nil, totals: totals)
      }
    }
    if isAlone { return }
    for piece in pieces {
      (piece.sequence.output + piece.first * channelsOut).update(
        from: hidden + piece.row * channelsOut, count: piece.count * channelsOut)
    }
  }

  /// Copies a piece's positions into the row blocks, with the `width − 1` before them: zeros before the sequence's
  /// start.
  private func fill(_ blocks: UnsafeMutablePointer<Float>, rows: Int, with piece: Piece) {
    for channel in stride(from: 0, to: channelsIn, by: FFN_BLOCK_TERMS) {
      let count = min(FFN_BLOCK_TERMS, channelsIn - channel)
      for place in 0..<piece.count + width - 1 {
        let row = blocks + (channel / FFN_BLOCK_TERMS * rows + piece.row + place) * FFN_BLOCK_STRIDE
        let position = piece.first + place - (width - 1)
        if position < 0 {
          row.update(repeating: 0, count: count)
        } else {
          row.update(from: piece.sequence.input + position * channelsIn + channel, count: count)
        }
      }
    }
  }
}

extension Kernels {
  private typealias Convolve =
    @convention(c) (UnsafePointer<ffn_convolution>?, Int, Int, UnsafeMutablePointer<Float>?) -> Void

  private struct Convolution {
    var job: ffn_convolution
    let convolve: Convolve
  }

  /// All panels of all taps, with the helpers' help if there are any.
  fileprivate func convolve(_ job: ffn_convolution, helpers: Team?, totals: UnsafeMutablePointer<Float>) {
    var phase = PanelPhase(
      job: Convolution(job: job, convolve: table.pointee.convolve), functions: functions(of: .f32),
      panels: job.first.panels.panels, threads: helpers?.threads)
    guard let helpers else { return phase.job.convolve(&phase.job.job, 0, phase.panels, totals) }
    helpers.run(chunks: phase.chunks, context: &phase, scratch: totals) { context, chunk, totals in
      var phase = context.load(as: PanelPhase<Convolution>.self)
      let panels = phase.panels(ofChunk: chunk)
      phase.job.convolve(&phase.job.job, panels.lowerBound, panels.upperBound, totals)
    }
  }
}

extension KernelView {
  /// The kernel of the same shape in `floats`, which the caller keeps.
  fileprivate func replacing(_ floats: AlignedFloats) -> KernelView {
    KernelView(
      base: UnsafeRawPointer(floats.base), type: .f32, outputs: outputs, channelsIn: channelsIn, width: width)
  }

  /// The kernel whose output c has the direction of this one's and the length `magnitude[c]`, in float32. An output
  /// whose direction is all zeros becomes NaN, as in PyTorch.
  ///
  /// - Throws: `.outOfMemory`, `.unreadable`.
  fileprivate func normalised(
    to magnitude: VectorView, access: SourceAccess?
  ) throws(ConvolutionError) -> AlignedFloats {
    let terms = channelsIn * width
    if let access {
      let bytes = UnsafeRawBufferPointer(start: base, count: outputs * terms * type.bits / 8)
      guard access.acquire(bytes) else { throw .unreadable }
    }
    guard let floats = AlignedFloats(count: outputs * terms), let lengths = AlignedFloats(count: outputs) else {
      throw .outOfMemory(bytes: outputs * terms * MemoryLayout<Float>.stride)
    }
    var directions = ffn_matrix(
      MatrixView(base: base, type: type, rows: 1, columns: outputs * terms))
    var magnitudes = ffn_matrix(magnitude)
    ffn_widen(&directions, 0, floats.base, outputs * terms)
    ffn_widen(&magnitudes, 0, lengths.base, outputs)
    for output in 0..<outputs {
      let row = floats.base + output * terms
      var squares = 0.0
      for term in 0..<terms { squares += Double(row[term]) * Double(row[term]) }
      let factor = Double(lengths.base[output]) / squares.squareRoot()
      for term in 0..<terms { row[term] = Float(Double(row[term]) * factor) }
    }
    return floats
  }
}

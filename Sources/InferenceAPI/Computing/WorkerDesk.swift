internal import Batching
internal import FeedForward
internal import TensorCoding

/// What one seat of a worker computes in: the engine's workspace, and the memory in which the rows of several requests
/// lie side by side. Both grow to the largest layer that came by and stay; a forward pass after that allocates nothing.
///
/// Unsafe pointers: into storages that the batch's entries and the desk hold while it is computed.
// @unchecked Sendable: a desk belongs to one seat, and a seat holds one batch at a time.
final class WorkerDesk: @unchecked Sendable {
  private let kernels: Kernels
  private let team: Team?
  private let slices: SliceSize
  private let workspace = Workspace()
  /// `[rows, dIn]`, `[rows, dOut]`, what a row brings of experts and each activation that somebody wants, of a joined
  /// batch.
  private var joined = FloatStorage(capacity: 0)

  /// - Parameter team: helps with large layers where other workers leave a core idle.
  init(kernels: Kernels, team: Team?, slices: SliceSize) {
    self.kernels = kernels
    self.team = team
    self.slices = slices
  }

  /// Computes a batch and completes each of its entries.
  ///
  /// - Parameter pause: lets short batches of other layers pass, and returns the nanoseconds that they took. To the
  ///   entries of this batch they are time in the line.
  func compute(_ batch: Batch, pause: () -> Nanoseconds) {
    let started = MonotonicClock.now()
    var passed: Nanoseconds = 0
    func letOthersPass() { passed += pause() }
    let first = batch.entries[0].inference
    do throws(APIError) {
      try pass(batch, first, between: letOthersPass)
    } catch {
      for entry in batch.entries { entry.inference.completion(.failure(error)) }
      return
    }
    let compute = MonotonicClock.now() - started - passed
    for (place, entry) in batch.entries.enumerated() {
      entry.inference.completion(
        entry.inference.result(
          queue: started - min(entry.enqueuedAt, started) + passed, compute: compute, batchRows: batch.rows,
          batchRequests: batch.entries.count, standsForBatch: place == 0))
    }
  }

  /// - Throws: `.weights` or `.convolution`, where there is no memory for what has to be packed.
  private func pass(
    _ batch: Batch, _ first: Inference.Entry, between: () -> Void
  ) throws(APIError) {
    switch first.request.subject {
    case .packed(.convolution(let stack)):
      convolve(stack, batch.entries.flatMap(\.inference.sequences), between: between)
    case .packed(let block):
      do {
        if batch.entries.count == 1 {
          try forward(block, first, workspace, between: between)
        } else {
          try forward(block, batch, between: between)
        }
      } catch {
        throw .weights(error)
      }
    // Weights of a request have a workspace of their own: a layer of any shape leaves nothing behind.
    case .given(let given):
      do { try forward(.layer(try given.packed(kernels: kernels)), first, Workspace(), between: between) } catch {
        throw .weights(error)
      }
    case .givenConvolution(let given):
      do { try given.packed(kernels: kernels).forward(first.sequences, workspace: Workspace(), team: team) } catch {
        throw .convolution(error)
      }
    }
  }

  /// Whole sequences, as many at a time as fill a slice.
  private func convolve(_ stack: ConvolutionStack, _ sequences: [ConvolutionSequence], between: () -> Void) {
    let size = slices.rows(of: .convolution(stack))
    var slice: [ConvolutionSequence] = []
    var positions = 0
    for sequence in sequences {
      if positions >= size {
        stack.forward(slice, workspace: workspace, team: team)
        between()
        (slice, positions) = ([], 0)
      }
      slice.append(sequence)
      positions += sequence.length
    }
    stack.forward(slice, workspace: workspace, team: team)
  }

  /// One request, from its own memory into its own memory.
  private func forward(
    _ block: Block, _ entry: Inference.Entry, _ workspace: Workspace, between: () -> Void
  ) throws(LayerError) {
    try Rows(
      input: entry.request.input.storage.baseAddress, count: entry.request.rows,
      experts: entry.request.experts.map {
        ($0.indices.storage.baseAddress, $0.weights.storage.baseAddress, $0.choices)
      }, output: entry.output.mutableAddress, activations: entry.activations.planes,
      gradient: entry.gradient?.planes
    ).pass(through: block, workspace, team, slices, between: between)
  }

  /// Several requests: their rows are laid side by side, computed in one pass, and copied back to where they belong.
  private func forward(
    _ block: Block, _ batch: Batch, between: () -> Void
  ) throws(LayerError) {
    let wanted = batch.entries.reduce(into: ActivationSet()) { $0.formUnion($1.inference.kept) }
    let widths = ActivationWidths(block)
    let choices = batch.entries[0].inference.request.experts?.choices
    let isGradient = batch.entries[0].inference.gradient != nil
    reserve(
      batch.rows
        * ((isGradient ? 2 : 1) * (block.dIn + block.dOut) + (isGradient ? 3 : 2) * (choices ?? 0)
          + widths.total(of: wanted)))
    var free = joined.mutableAddress
    func plane(_ width: Int) -> UnsafeMutablePointer<Float> {
      defer { free += batch.rows * width }
      return free
    }
    let input = plane(block.dIn)
    let output = plane(block.dOut)
    let experts = choices.map { (indices: plane($0), weights: plane($0), choices: $0) }
    let gradient = isGradient ? (output: plane(block.dOut), input: plane(block.dIn)) : nil
    let gradExperts = isGradient ? choices.map { plane($0) } : nil
    var planes = ActivationPlanes()
    for activation in Activation.allCases where wanted.contains(activation) {
      planes[activation] = plane(widths[activation])
    }

    var row = 0
    for entry in batch.entries {
      let request = entry.inference.request
      Self.copy(request.input, to: input, row: row)
      if let experts, let own = request.experts {
        Self.copy(own.indices, to: experts.indices, row: row)
        Self.copy(own.weights, to: experts.weights, row: row)
      }
      if let gradient, let own = request.gradient { Self.copy(own.gradOutput, to: gradient.output, row: row) }
      row += entry.rows
    }
    try Rows(
      input: input, count: batch.rows, experts: experts.map { (UnsafePointer($0), UnsafePointer($1), $2) },
      output: output, activations: planes,
      gradient: gradient.map {
        GradientPlanes(
          gradOutput: UnsafePointer($0.output), gradInput: $0.input, gradExpertWeights: gradExperts, weights: nil)
      }
    ).pass(through: block, workspace, team, slices, between: between)
    row = 0
    for entry in batch.entries {
      entry.inference.output.mutableAddress.update(from: output + row * block.dOut, count: entry.rows * block.dOut)
      if let gradient {
        entry.inference.gradient?.input.mutableAddress.update(
          from: gradient.input + row * block.dIn, count: entry.rows * block.dIn)
      }
      if let gradExperts, let choices {
        entry.inference.gradient?.expertWeights?.mutableAddress.update(
          from: gradExperts + row * choices, count: entry.rows * choices)
      }
      let own = entry.inference.activations.planes
      for activation in Activation.allCases {
        guard let source = planes[activation], let destination = own[activation] else { continue }
        destination.update(from: source + row * widths[activation], count: entry.rows * widths[activation])
      }
      row += entry.rows
    }
  }

  /// Copies a request's rows into the batch's, from `row` on.
  private static func copy(_ tensor: Tensor, to batch: UnsafeMutablePointer<Float>, row: Int) {
    (batch + row * tensor.shape.last).update(from: tensor.storage.baseAddress, count: tensor.shape.count)
  }

  private func reserve(_ floats: Int) {
    if joined.capacity < floats { joined = FloatStorage(capacity: floats) }
  }
}

/// Addresses of one pass: rows in, rows out.
private struct Rows {
  let input: UnsafePointer<Float>
  let count: Int
  let experts: (indices: UnsafePointer<Float>, weights: UnsafePointer<Float>, choices: Int)?
  let output: UnsafeMutablePointer<Float>
  let activations: ActivationPlanes
  let gradient: GradientPlanes?

  /// Computes the rows in slices.
  ///
  /// - Parameter between: called between one slice and the next.
  func pass(
    through block: Block, _ workspace: Workspace, _ team: Team?, _ slices: SliceSize, between: () -> Void
  ) throws(LayerError) {
    // The gradient of a weight is a sum over all rows, in an order of its own.
    let size = gradient?.weights == nil ? slices.rows(of: block) : count
    for first in stride(from: 0, to: count, by: size) {
      if first > 0 { between() }
      try slice(from: first, count: min(size, count - first), of: block).pass(through: block, workspace, team)
    }
  }

  private func slice(from first: Int, count: Int, of block: Block) -> Rows {
    Rows(
      input: input + first * block.dIn, count: count,
      experts: experts.map { ($0 + first * $2, $1 + first * $2, $2) },
      output: output + first * block.dOut, activations: activations.advanced(by: first, ActivationWidths(block)),
      gradient: gradient.map {
        GradientPlanes(
          gradOutput: $0.gradOutput + first * block.dOut, gradInput: $0.gradInput + first * block.dIn,
          gradExpertWeights: $0.gradExpertWeights.map { $0 + first * (experts?.choices ?? 0) }, weights: $0.weights)
      })
  }

  private func pass(through block: Block, _ workspace: Workspace, _ team: Team?) throws(LayerError) {
    switch block {
    case .layer(let layer):
      if let gradient {
        var weights: WeightGradientOutputs?
        if case .layer(let outputs)? = gradient.weights { weights = outputs }
        return try layer.gradient(
          GradientRows(
            input: input, gradOutput: gradient.gradOutput, count: count, output: output,
            gradInput: gradient.gradInput, activations: activations.ofLayer, weights: weights),
          workspace: workspace, team: team)
      }
      layer.forward(
        input: input, rows: count, output: output, activations: activations.ofLayer, workspace: workspace,
        team: team)
    case .mixture(let mixture):
      if let gradient { return try differentiate(mixture, gradient, workspace, team) }
      guard let experts else {
        return mixture.forward(
          input: input, rows: count, output: output, routes: activations.ofRouter, workspace: workspace, team: team)
      }
      mixture.forward(
        input: input, rows: count, indices: experts.indices, weights: experts.weights, choices: experts.choices,
        output: output, workspace: workspace, team: team)
    case .convolution:
      preconditionFailure("a convolution computes sequences, not rows")
    }
  }

  private func differentiate(
    _ mixture: MixtureLayer, _ gradient: GradientPlanes, _ workspace: Workspace, _ team: Team?
  ) throws(LayerError) {
    var weights: MixtureGradientOutputs?
    if case .mixture(let outputs)? = gradient.weights { weights = outputs }
    let chosen = experts.map {
      ChosenExperts(indices: $0, weights: $1, choices: $2, gradWeights: gradient.gradExpertWeights)
    }
    try mixture.gradient(
      MixtureGradientRows(
        input: input, gradOutput: gradient.gradOutput, count: count, output: output, gradInput: gradient.gradInput,
        routes: activations.ofRouter, chosen: chosen, weights: weights),
      workspace: workspace, team: team)
  }
}

extension Inference.Entry {
  /// The sequences of a request for a convolution, from its own memory into its own memory.
  fileprivate var sequences: [ConvolutionSequence] {
    let shape = request.input.shape
    let length = shape[shape.rank - 2]
    let channelsOut = output.capacity / request.rows
    return (0..<request.rows / length).map { index in
      ConvolutionSequence(
        input: request.input.storage.baseAddress + index * length * shape.last, length: length,
        output: output.mutableAddress + index * length * channelsOut)
    }
  }

  /// The result, once the engine has filled the entry's memory; `.experts` where a row needs an expert that is not here
  /// and the request does not go without it.
  fileprivate func result(
    queue: Nanoseconds, compute: Nanoseconds, batchRows: Int, batchRequests: Int, standsForBatch: Bool
  ) -> Result<ForwardResult, APIError> {
    let missing = rowsWithoutExperts
    if request.missing == .refuse, let row = missing.first {
      return .failure(.experts(.routedAbsent(row: row.row, expert: row.experts[0])))
    }
    func tensor(_ storage: FloatStorage) -> Tensor {
      storage.setCount(storage.capacity)
      return Tensor(shape: request.input.shape.replacingLast(with: storage.capacity / request.rows), storage: storage)
    }
    return .success(
      ForwardResult(
        output: tensor(output),
        activations: Activation.allCases.compactMap { name in
          request.activations.contains(name) ? activations[name].map { (name: name, tensor: tensor($0)) } : nil
        },
        gradient: gradient?.result(), missing: missing, queue: queue, compute: compute, batchRows: batchRows,
        batchRequests: batchRequests, standsForBatch: standsForBatch))
  }

  private var rowsWithoutExperts: [RowWithoutExperts] {
    guard let mixture = request.partialMixture else { return [] }
    let given = request.experts?.indices
    let choices = given?.shape.last ?? mixture.topK
    guard let indices = given?.storage.baseAddress ?? activations[.expertIndices]?.baseAddress else { return [] }
    return (0..<request.rows).compactMap { row in
      // Whole numbers: the router's own, or checked when the request was decoded.
      let missing = (0..<choices).map { Int(indices[row * choices + $0]) }.filter { !mixture.holds($0) }
      return missing.isEmpty ? nil : RowWithoutExperts(row: row, experts: missing)
    }
  }
}

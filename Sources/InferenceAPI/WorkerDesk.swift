internal import Batching
internal import FeedForward
internal import TensorCoding

/// What one worker computes in: the engine's workspace, and the memory in which the rows of several requests lie side
/// by side. Both grow to the largest layer that came by and stay; a forward pass after that allocates nothing.
///
/// `@unchecked Sendable`: a desk belongs to one worker, and a worker is a serial queue.
final class WorkerDesk: @unchecked Sendable {
  private let kernels: Kernels
  private let workspace = Workspace()
  /// `[rows, dIn]`, `[rows, dOut]` and `[rows, dFF]` for each activation that somebody wants, of a joined batch.
  private var joined = FloatStorage(capacity: 0)

  init(kernels: Kernels) {
    self.kernels = kernels
  }

  /// Computes a batch and completes each of its entries.
  func compute(_ batch: Batch<Inference.Key, Inference.Entry>) {
    let started = MonotonicClock.now()
    let first = batch.entries[0].payload
    do {
      switch first.request.subject {
      case .packed(let layer):
        if batch.entries.count == 1 {
          forward(layer, first, workspace)
        } else {
          forward(layer, batch)
        }
      case .given(let given):
        // Its own workspace: a layer of any shape leaves nothing behind.
        forward(try given.packed(kernels: kernels), first, Workspace())
      }
    } catch {
      for entry in batch.entries { entry.payload.completion(.failure(.weights(error))) }
      return
    }
    let compute = MonotonicClock.now() - started
    for entry in batch.entries {
      entry.payload.completion(
        .success(
          entry.payload.result(
            queue: started - min(entry.enqueuedAt, started), compute: compute, batchRows: batch.rows,
            batchRequests: batch.entries.count)))
    }
  }

  /// One request, from its own memory into its own memory.
  private func forward(_ layer: FeedForwardLayer, _ entry: Inference.Entry, _ workspace: Workspace) {
    layer.forward(
      input: entry.request.input.storage.baseAddress, rows: entry.request.rows, output: entry.output.mutableAddress,
      activations: entry.activations.outputs, workspace: workspace)
  }

  /// Several requests: their rows are laid side by side, computed in one pass, and copied back to where they belong.
  private func forward(_ layer: FeedForwardLayer, _ batch: Batch<Inference.Key, Inference.Entry>) {
    let wanted = batch.entries.reduce(into: ActivationSet()) { $0.formUnion($1.payload.request.activations) }
    reserve(batch.rows * (layer.dIn + layer.dOut + wanted.count * layer.dFF))
    let input = joined.mutableAddress
    let output = input + batch.rows * layer.dIn
    var free = output + batch.rows * layer.dOut
    func plane(_ activation: Activation) -> UnsafeMutablePointer<Float>? {
      guard wanted.contains(activation) else { return nil }
      defer { free += batch.rows * layer.dFF }
      return free
    }
    let planes = ActivationOutputs(gate: plane(.gate), up: plane(.up), hidden: plane(.hidden))

    var row = 0
    for entry in batch.entries {
      (input + row * layer.dIn).update(
        from: entry.payload.request.input.storage.baseAddress, count: entry.rows * layer.dIn)
      row += entry.rows
    }
    layer.forward(
      input: input, rows: batch.rows, output: output, activations: planes, workspace: workspace)
    row = 0
    for entry in batch.entries {
      entry.payload.output.mutableAddress.update(from: output + row * layer.dOut, count: entry.rows * layer.dOut)
      let own = entry.payload.activations.outputs
      let range = row * layer.dFF..<(row + entry.rows) * layer.dFF
      Self.copy(planes.gate, range, to: own.gate)
      Self.copy(planes.up, range, to: own.up)
      Self.copy(planes.hidden, range, to: own.hidden)
      row += entry.rows
    }
  }

  private static func copy(
    _ source: UnsafeMutablePointer<Float>?, _ range: Range<Int>, to destination: UnsafeMutablePointer<Float>?
  ) {
    guard let source, let destination else { return }
    destination.update(from: source + range.lowerBound, count: range.count)
  }

  private func reserve(_ floats: Int) {
    if joined.capacity < floats { joined = FloatStorage(capacity: floats) }
  }
}

extension Inference.Entry {
  /// The result, once the engine has filled the entry's memory.
  fileprivate func result(
    queue: Nanoseconds, compute: Nanoseconds, batchRows: Int, batchRequests: Int
  ) -> ForwardResult {
    func tensor(_ storage: FloatStorage) -> Tensor {
      storage.setCount(storage.capacity)
      return Tensor(shape: request.input.shape.replacingLast(with: storage.capacity / request.rows), storage: storage)
    }
    return ForwardResult(
      output: tensor(output),
      activations: Activation.allCases.compactMap { name in
        activations[name].map { (name: name, tensor: tensor($0)) }
      },
      queue: queue, compute: compute, batchRows: batchRows, batchRequests: batchRequests)
  }
}

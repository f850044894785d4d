internal import CKernels

/// What this machine's threads could do at most with a kernel set's instructions: the measures that a forward pass is
/// held against, taken in turns with it.
package struct Yardsticks {
  private let kernels: Kernels
  private let team: Team
  private let scratch: AlignedFloats

  /// Measures on as many threads as `team` has.
  package init(kernels: Kernels, team: Team) {
    self.kernels = kernels
    self.team = team
    guard let scratch = AlignedFloats(count: 16) else { preconditionFailure("no memory for a cache line") }
    self.scratch = scratch
  }

  /// Runs independent chains of multiply–adds on every thread, and returns how many multiply–adds there were.
  package func multiplyAdds() -> Int {
    let chunks = 16 * team.threads
    var context = Context(table: kernels.table)
    run(chunks: chunks, &context) { context, _, sink in
      sink.pointee = 0.9999
      _ = context.load(as: Context.self).table.pointee.multiply_adds(Context.chunkSteps, sink)
    }
    let inAStep = Int(kernels.table.pointee.multiply_adds(1, scratch.base))
    return chunks * Context.chunkSteps * inAStep
  }

  /// Reads the packed weights of `layer` once, in order, shared among the threads; returns the bytes read.
  package func readWeights(of layer: FeedForwardLayer) -> Int {
    layer.packedWeights.reduce(0) { bytes, weights in
      var context = Context(table: kernels.table, floats: weights)
      run(chunks: (weights.count + Context.chunkFloats - 1) / Context.chunkFloats, &context) { context, chunk, _ in
        let context = context.load(as: Context.self)
        let first = chunk * Context.chunkFloats
        let count = min(Context.chunkFloats, context.floats.count - first)
        _ = context.table.pointee.read_floats(context.floats.baseAddress! + first, count)
      }
      return bytes + weights.count * MemoryLayout<Float>.stride
    }
  }

  private func run(chunks: Int, _ context: inout Context, _ work: Team.Work) {
    team.engaging(true) { helped in
      if helped { return team.run(chunks: chunks, context: &context, scratch: scratch.base, work) }
      for chunk in 0..<chunks { work(&context, chunk, scratch.base) }
    }
  }

  private struct Context {
    var table: UnsafePointer<ffn_kernels>
    var floats = UnsafeBufferPointer<Float>(start: nil, count: 0)

    /// About 20 µs.
    static let chunkSteps = 4000

    /// 512 KiB: short enough to share evenly, long enough to be one stream.
    static let chunkFloats = 1 << 17
  }
}

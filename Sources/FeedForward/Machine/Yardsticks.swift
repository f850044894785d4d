internal import CKernels

/// What this machine's threads could do at most with a kernel set's instructions: the measures that a forward pass is
/// held against, taken in turns with it.
///
/// Unsafe pointers: the kernels' own way to read weights that the layer holds meanwhile.
package struct Yardsticks {
  private let kernels: Kernels
  private let arithmetic: Arithmetic
  private let team: Team
  private let scratch: AlignedFloats

  /// Measures on as many threads as `team` has.
  package init(kernels: Kernels, arithmetic: Arithmetic, team: Team) {
    self.kernels = kernels
    self.arithmetic = arithmetic
    self.team = team
    guard let scratch = AlignedFloats(count: 16) else { preconditionFailure("no memory for a cache line") }
    self.scratch = scratch
  }

  /// Runs independent chains of multiply–adds on every thread, and returns how many multiply–adds there were.
  package func multiplyAdds() -> Int {
    let chunks = 16 * team.threads
    var context = Context(multiplyAdds: kernels.multiplyAdds(of: arithmetic))
    run(chunks: chunks, &context) { context, _, sink in
      sink.pointee = 0.9999
      _ = context.load(as: Context.self).multiplyAdds(Context.chunkSteps, sink)
    }
    let inAStep = Int(context.multiplyAdds(1, scratch.base))
    return chunks * Context.chunkSteps * inAStep
  }

  /// Reads the packed weights of `layer` once, in order, shared among the threads; returns the bytes read.
  package func readWeights(of layer: FeedForwardLayer) -> Int {
    layer.packedWeights.reduce(0) { bytes, weights in bytes + read(weights) }
  }

  /// Reads `stretch` once, in order, shared among the threads; returns the bytes read.
  package func read(_ stretch: MemoryStretch) -> Int { read(stretch.floats) }

  private func read(_ floats: UnsafeBufferPointer<Float>) -> Int {
    var context = Context(read: kernels.table.pointee.read_floats, floats: floats)
    run(chunks: (floats.count + Context.chunkFloats - 1) / Context.chunkFloats, &context) { context, chunk, _ in
      let context = context.load(as: Context.self)
      let first = chunk * Context.chunkFloats
      let count = min(Context.chunkFloats, context.floats.count - first)
      _ = context.read(context.floats.baseAddress! + first, count)
    }
    return floats.count * MemoryLayout<Float>.stride
  }

  private func run(chunks: Int, _ context: inout Context, _ work: Team.Work) {
    team.engaging(true) { helped in
      if helped { return team.run(chunks: chunks, context: &context, scratch: scratch.base, work) }
      for chunk in 0..<chunks { work(&context, chunk, scratch.base) }
    }
  }

  private struct Context {
    var multiplyAdds: (@convention(c) (Int, UnsafeMutablePointer<Float>?) -> UInt64)!
    var read: (@convention(c) (UnsafePointer<Float>?, Int) -> UInt32)!
    var floats = UnsafeBufferPointer<Float>(start: nil, count: 0)

    /// About 20 µs.
    static let chunkSteps = 4000

    /// 512 KiB: short enough to share evenly, long enough to be one stream.
    static let chunkFloats = 1 << 17
  }
}

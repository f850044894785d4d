import FeedForward
import Testing

/// Copies of arrays at addresses that last, for views.
final class ViewMemory {
  private var allocations: [UnsafeMutablePointer<Float>] = []

  deinit { for allocation in allocations { allocation.deallocate() } }

  private func copy(_ floats: some Collection<Float>) -> UnsafeRawPointer {
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(floats.count, 1))
    _ = memory.initialize(fromContentsOf: floats)
    allocations.append(memory.baseAddress!)
    return UnsafeRawPointer(memory.baseAddress!)
  }

  /// Of `rows` rows.
  func matrix(_ floats: some Collection<Float>, rows: Int) -> MatrixView {
    MatrixView(base: copy(floats), type: .f32, rows: rows, columns: floats.count / rows)
  }

  func vector(_ floats: some Collection<Float>) -> VectorView {
    VectorView(base: copy(floats), type: .f32, count: floats.count)
  }
}

extension MixtureWeights {
  /// A mixture of random experts, each of the order that keeps outputs near 1.
  static func random(
    _ routing: Routing, topK: Int, experts: Int, dIn: Int, dFF: Int, hasShared: Bool, memory: ViewMemory,
    random: inout SplitMix
  ) -> MixtureWeights {
    func layer(dFF: Int) -> LayerWeights {
      LayerWeights(
        gate: .swiglu, gateProj: memory.matrix(random.floats(dFF * dIn, scale: 2 / Float(dIn).squareRoot()), rows: dFF),
        upProj: memory.matrix(random.floats(dFF * dIn, scale: 2 / Float(dIn).squareRoot()), rows: dFF),
        downProj: memory.matrix(random.floats(dIn * dFF, scale: 2 / Float(dFF).squareRoot()), rows: dIn))
    }
    return MixtureWeights(
      routing: routing, topK: topK, router: memory.matrix(random.floats(experts * dIn, scale: 0.5), rows: experts),
      routerBias: memory.vector(random.floats(experts, scale: 0.5)),
      correctionBias: memory.vector(random.floats(experts, scale: 0.2)),
      experts: (0..<experts).map { _ in layer(dFF: dFF) }, shared: hasShared ? layer(dFF: dFF + 5) : nil,
      sharedGate: hasShared ? memory.matrix(random.floats(dIn, scale: 0.5), rows: 1) : nil)
  }
}

extension MixtureLayer {
  /// What one forward pass returns.
  struct Result: Equatable {
    var output: [Float]
    var logits: [Float]
    var indices: [Float]
    var weights: [Float]
  }

  func apply(to input: [Float], workspace: Workspace = Workspace(), team: Team? = nil) -> Result {
    let rows = input.count / dIn
    // NaN where nothing has been written, so that a hole can't pass for a result.
    func holes(_ count: Int) -> [Float] { [Float](repeating: .nan, count: rows * count) }
    var result = Result(
      output: holes(dOut), logits: holes(experts.count), indices: holes(topK), weights: holes(topK))
    result.output.withUnsafeMutableBufferPointer { output in
      result.logits.withUnsafeMutableBufferPointer { logits in
        result.indices.withUnsafeMutableBufferPointer { indices in
          result.weights.withUnsafeMutableBufferPointer { weights in
            forward(
              input: input, rows: rows, output: output.baseAddress!,
              routes: RouteOutputs(
                logits: logits.baseAddress, indices: indices.baseAddress, weights: weights.baseAddress),
              workspace: workspace, team: team)
          }
        }
      }
    }
    return result
  }
}

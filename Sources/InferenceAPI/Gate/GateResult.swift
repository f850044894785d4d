internal import FeedForward
internal import TensorCoding

/// What a gate gave, each tensor of the operands' shape.
struct GateResult: Sendable {
  let output: Tensor
  /// ∂output/∂a and ∂output/∂b, element by element, where they were asked for.
  let derivative: (a: Tensor, b: Tensor)?
}

// Unsafe: the kernels take addresses. Operands are read within their shapes, which the request holds; results are
// written here, before anybody else has them, in runs that together cover their shape once.
extension GateRequest {
  /// Computes the result: a worker's affair.
  func result(kernels: Kernels) -> GateResult {
    let shape = operands.shape
    let output = FloatStorage(capacity: shape.count)
    let byA = FloatStorage(capacity: wantsDerivative ? shape.count : 0)
    let byB = FloatStorage(capacity: wantsDerivative ? shape.count : 0)
    let derivatives = GateDerivatives(of: gate, kernels: kernels)
    operands.forEachRun { first, a, b, count in
      kernels.apply(gate, a: a, b: b, output: output.mutableAddress + first, count: count)
      guard wantsDerivative else { return }
      derivatives.evaluate(
        a: a, b: b, byA: byA.mutableAddress + first, byB: byB.mutableAddress + first, count: count)
    }
    func tensor(_ storage: FloatStorage) -> Tensor {
      storage.setCount(shape.count)
      return Tensor(shape: shape, storage: storage)
    }
    return GateResult(
      output: tensor(output), derivative: wantsDerivative ? (a: tensor(byA), b: tensor(byB)) : nil)
  }
}

extension GateOperands {
  /// A run's operands and results stay in the second-level cache from the gate to its derivatives.
  private static let runFloats = 4096

  /// Below so many neighbouring floats, copying several pieces into one run costs less than a call for each.
  private static let worthwhileRun = 256

  fileprivate typealias Run = (
    _ first: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int
  ) -> Void

  /// Calls `body` with stretches of both operands, in the order of the result; `first` is the result's index.
  fileprivate func forEachRun(_ body: Run) {
    switch self {
    case .pair(let a, let b):
      Self.cut(0, a.storage.baseAddress, b.storage.baseAddress, a.shape.count, body)
    case .halves(let input, let axis):
      // [outer, 2, half]: what stands before the dimension, its two halves, and what stands in each.
      let half = (axis..<input.shape.rank).reduce(1) { $0 * input.shape[$1] } / 2
      let outer = input.shape.count / (2 * half)
      let base = input.storage.baseAddress
      if half < Self.worthwhileRun { return Self.gather(base, outer: outer, half: half, body) }
      for index in 0..<outer {
        let a = base + 2 * half * index
        Self.cut(half * index, a, a + half, half, body)
      }
    }
  }

  /// Operands that lie in one piece each.
  private static func cut(
    _ first: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ count: Int, _ body: Run
  ) {
    for start in stride(from: 0, to: count, by: runFloats) {
      body(first + start, a + start, b + start, min(runFloats, count - start))
    }
  }

  /// Short halves, copied side by side.
  private static func gather(_ base: UnsafePointer<Float>, outer: Int, half: Int, _ body: Run) {
    let piecesPerRun = runFloats / half
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * piecesPerRun * half) { scratch in
      let a = scratch.baseAddress!
      let b = a + piecesPerRun * half
      for start in stride(from: 0, to: outer, by: piecesPerRun) {
        let pieces = min(piecesPerRun, outer - start)
        for piece in 0..<pieces {
          let source = base + 2 * half * (start + piece)
          for index in 0..<half {
            a[piece * half + index] = source[index]
            b[piece * half + index] = source[half + index]
          }
        }
        body(half * start, a, b, pieces * half)
      }
    }
  }
}

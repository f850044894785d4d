internal import CKernels

/// The two partial derivatives of a gate, in closed form, element by element.
///
/// max(0, x) has the derivative 0 at 0, a clamp has 1 at its bounds. All kernel sets return the same bits; how far
/// these are from the formula stands in GateDerivatives.h.
package struct GateDerivatives: Sendable {
  private let gate: Gate
  private let kernels: Kernels

  package init(of gate: Gate, kernels: Kernels = .best()) {
    self.gate = gate
    self.kernels = kernels
  }

  /// `byA[i] = g[i]·∂gate/∂a` and `byB[i] = g[i]·∂gate/∂b` at `(a[i], b[i])`, for `count` elements; without `upstream`,
  /// which is g, the derivatives alone. The results must overlap neither each other nor the operands.
  ///
  /// Unsafe pointers: the caller owns all arrays, which hold `count` floats each.
  package func evaluate(
    a: UnsafePointer<Float>, b: UnsafePointer<Float>, upstream: UnsafePointer<Float>? = nil,
    byA: UnsafeMutablePointer<Float>, byB: UnsafeMutablePointer<Float>, count: Int
  ) {
    var gate = gate.kernelGate
    kernels.table.pointee.gate_derivatives(&gate, a, b, upstream, byA, byB, count)
  }
}

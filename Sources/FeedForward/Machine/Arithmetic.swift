internal import CKernels

/// In which numbers a layer multiplies; sums are float32 in each.
package enum Arithmetic: String, Sendable, CaseIterable {
  /// Exact float32 values of the stored weights, float32 inputs and hidden values.
  case f32
  /// Weights, inputs and hidden values rounded to bf16, to nearest, ties to even: half the memory of float32 weights,
  /// and twice the rate on processors that multiply pairs of bf16. Relative error of the output's norm about 0.3% on
  /// ordinary layers.
  case bf16
}

extension Kernels {
  /// The kernels of one arithmetic.
  func functions(of arithmetic: Arithmetic) -> ffn_arithmetic {
    switch arithmetic {
    case .f32: table.pointee.f32
    case .bf16: table.pointee.bf16
    }
  }
}

internal import CKernels

/// In which numbers a layer multiplies. Errors are those of the norm of the output, relative, on normally distributed
/// inputs and weights.
package enum Arithmetic: String, Sendable, CaseIterable {
  /// Exact float32 values of the stored weights, float32 inputs, hidden values and sums.
  case f32
  /// Weights, inputs and hidden values rounded to bf16, to nearest, ties to even, summed in float32: half the memory of
  /// float32 weights, and twice the rate on processors that multiply pairs of bf16. Error about 0.3%, at most 0.5%.
  case bf16
  /// Weights, inputs and hidden values as bytes, turned by blocks of 512 terms and scaled by the block's largest one,
  /// summed exactly: a quarter of the memory, and twice bf16's rate on processors with VNNI. Error about 1.8%, at most
  /// 2%.
  case int8
  /// The same with weights of 4 bits in groups of 32 terms, each with a scale of 16 bits: a seventh of the memory, for
  /// the latency of few rows. The weights themselves err by 8%, hence the output by about 14%; beside that the
  /// arithmetic errs by 1.3%, at most 2%.
  case int4

  /// The arithmetic that takes the weights as they are stored; f16 and scaled F8 are widened to float32, MXFP4 to bf16.
  package static func `default`(for type: WeightType) -> Arithmetic {
    switch type {
    case .f32, .f16, .f8E4M3: .f32
    case .bf16, .mxfp4, .f8E8M0: .bf16
    }
  }

  /// Whether inputs and hidden values are bytes: each row is quantised before its products.
  var isInteger: Bool {
    switch self {
    case .f32, .bf16: false
    case .int8, .int4: true
    }
  }

  /// What weights become in panels: those that bf16 holds exactly stay so in float32 arithmetic, which is half the
  /// memory for the same bits.
  func panelType(isExactInBF16: Bool) -> ffn_type {
    switch self {
    case .f32: isExactInBF16 ? FFN_BF16 : FFN_F32
    case .bf16: FFN_BF16
    case .int8: FFN_INT8
    case .int4: FFN_INT4
    }
  }
}

extension Kernels {
  /// The kernels of one arithmetic.
  func functions(of arithmetic: Arithmetic) -> ffn_arithmetic {
    switch arithmetic {
    case .f32: table.pointee.f32.pointee
    case .bf16: table.pointee.bf16.pointee
    case .int8, .int4: table.pointee.integer.pointee
    }
  }

  /// The processor's peak in one arithmetic, as a yardstick.
  func multiplyAdds(of arithmetic: Arithmetic) -> @convention(c) (Int, UnsafeMutablePointer<Float>?) -> UInt64 {
    // Unsafe: a constant of the C library, which is given its sink by whoever calls it.
    switch arithmetic {
    case .f32: table.pointee.f32_multiply_adds
    case .bf16: table.pointee.bf16_multiply_adds
    case .int8, .int4: table.pointee.integer_multiply_adds
    }
  }
}

internal import CKernels

/// A set of kernels for one instruction set, chosen once; all sets read the same packed panels, and in float32 and
/// integer arithmetic return the same bits.
// @unchecked Sendable: points to a constant table of the C library, never written and never freed.
package struct Kernels: @unchecked Sendable {
  let table: UnsafePointer<ffn_kernels>

  /// `avx512_bf16`, `avx512_vnni`, `avx512`, `avx2`, `neon` or `scalar`.
  package var name: String { String(cString: table.pointee.name) }

  /// What this processor and its operating system can run, the fastest first; never empty.
  package static let available: [Kernels] = {
    var sets: [Kernels] = []
    while let table = ffn_available_kernels(sets.count) { sets.append(Kernels(table: table)) }
    return sets
  }()

  /// The fastest set that can run here.
  package static func best() -> Kernels { available[0] }

  /// The set of that name.
  package static func named(_ name: String) throws(KernelsError) -> Kernels {
    guard let kernels = available.first(where: { $0.name == name }) else {
      throw .unavailable(name, available: available.map(\.name))
    }
    return kernels
  }

  /// `output[i] = gate(a[i], b[i])`, for `count` elements; `output` may be `a` or `b`.
  ///
  /// It is the function that a layer applies, so the same operands give the same bits here and there.
  package func apply(
    _ gate: Gate, a: UnsafePointer<Float>, b: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, count: Int
  ) {
    var gate = gate.kernelGate
    table.pointee.gate(&gate, a, b, output, count)
  }
}

/// Why there are no kernels of a name: a refusal at start.
package enum KernelsError: Error, Equatable {
  /// There is no set of that name, or this processor can't run it.
  case unavailable(String, available: [String])
}

extension Gate {
  /// The gate as the kernels take it.
  var kernelGate: ffn_gate {
    switch self {
    case .glu: ffn_gate(kind: FFN_GLU, slope: 1, limit: 0)
    case .gtu: ffn_gate(kind: FFN_GTU, slope: 1, limit: 0)
    case .bilinear: ffn_gate(kind: FFN_BILINEAR, slope: 1, limit: 0)
    case .reglu: ffn_gate(kind: FFN_REGLU, slope: 1, limit: 0)
    case .geglu: ffn_gate(kind: FFN_GEGLU, slope: 1, limit: 0)
    case .gegluTanh: ffn_gate(kind: FFN_GEGLU_TANH, slope: 1, limit: 0)
    case .gegluQuick: ffn_gate(kind: FFN_GEGLU_QUICK, slope: 1, limit: 0)
    case .swiglu(let beta): ffn_gate(kind: FFN_SWIGLU, slope: beta, limit: 0)
    case .relu2glu: ffn_gate(kind: FFN_RELU2GLU, slope: 1, limit: 0)
    case .swigluClamped(let alpha, let limit): ffn_gate(kind: FFN_SWIGLU_CLAMPED, slope: alpha, limit: limit)
    case .regluSigmoid: ffn_gate(kind: FFN_REGLU_SIGMOID, slope: 1, limit: 0)
    case .gegluSigmoid: ffn_gate(kind: FFN_GEGLU_SIGMOID, slope: 1, limit: 0)
    }
  }
}

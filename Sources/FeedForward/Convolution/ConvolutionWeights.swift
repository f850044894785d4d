/// The kernel of a one-dimensional convolution in somebody else's memory, `[2·channelsOut, channelsIn, width]`
/// row-major as `torch.nn.Conv1d` stores it: the value's outputs first, then the gate's.
///
/// Unsafe pointer: whoever makes the view keeps the memory alive and unwritten while a convolution is packed from it.
// @unchecked Sendable: the pointer is only ever read, and nobody writes to what it points to.
package struct KernelView: @unchecked Sendable {
  package let base: UnsafeRawPointer
  package let type: WeightType
  /// Of value and gate together.
  package let outputs: Int
  package let channelsIn: Int
  package let width: Int

  package init(base: UnsafeRawPointer, type: WeightType, outputs: Int, channelsIn: Int, width: Int) {
    self.base = base
    self.type = type
    self.outputs = outputs
    self.channelsIn = channelsIn
    self.width = width
  }

  /// What one tap has of half the outputs: `[channelsOut, channelsIn]`.
  func tap(_ tap: Int, half: Int) -> MatrixView {
    // Unsafe: within the kernel, whose sizes `ConvolutionWeights.validate` has checked.
    MatrixView(
      base: base + (half * (outputs / 2) * channelsIn * width + tap) * type.bits / 8, type: type, rows: outputs / 2,
      columns: channelsIn, rowStride: channelsIn * width, columnStride: width)
  }
}

/// What a gated convolution is made of, before it is packed (Dauphin et al. 2017, eq. 1).
///
/// `h(X)_t = gate(Σ_j x_{t−k+1+j}·A_jᵀ + a, Σ_j x_{t−k+1+j}·B_jᵀ + b)`, k the kernel's width: causal, with k − 1 zeros
/// before the first position, so that output t sees the inputs up to t and the length is kept.
package struct ConvolutionWeights: Sendable {
  /// `glu` or `gtu`.
  package var gate: Gate
  package var kernel: KernelView
  /// `[2·channelsOut]`
  package var bias: VectorView?
  /// Weight normalisation (Salimans & Kingma 2016): `kernel` is the direction, and output c's weights are
  /// `magnitude[c]·kernel[c]/‖kernel[c]‖`. `[2·channelsOut]`
  package var magnitude: VectorView?

  package init(gate: Gate, kernel: KernelView, bias: VectorView? = nil, magnitude: VectorView? = nil) {
    self.gate = gate
    self.kernel = kernel
    self.bias = bias
    self.magnitude = magnitude
  }

  package var channelsIn: Int { kernel.channelsIn }
  package var channelsOut: Int { kernel.outputs / 2 }

  /// The widest kernel: a chunk of positions is read with so many before it.
  package static let widthLimit = 1024

  /// Whether the shapes make a gated convolution.
  package func validate() throws(ConvolutionError) {
    guard kernel.outputs > 0, kernel.channelsIn > 0, kernel.width > 0 else { throw .empty }
    guard kernel.outputs.isMultiple(of: 2) else { throw .oddOutputs(kernel.outputs) }
    guard kernel.width <= Self.widthLimit else { throw .width(kernel.width, limit: Self.widthLimit) }
    for (part, vector) in [(ConvolutionVector.bias, bias), (.magnitude, magnitude)] {
      guard let vector, vector.count != kernel.outputs else { continue }
      throw .length(part, found: vector.count, expected: kernel.outputs)
    }
    guard gate == .glu || gate == .gtu else { throw .gate(gate) }
  }
}

/// The layers of a stack, the first one's input first.
package struct ConvolutionStackWeights: Sendable {
  /// Never empty.
  package var layers: [ConvolutionWeights]
  /// Whether residual blocks add their input to their output; see ``ConvolutionStack``.
  package var hasResiduals: Bool

  package init(layers: [ConvolutionWeights], hasResiduals: Bool) {
    precondition(!layers.isEmpty, "a stack has layers")
    self.layers = layers
    self.hasResiduals = hasResiduals
  }

  /// Whether each layer is one and takes what the one before it gives.
  package func validate() throws(ConvolutionError) {
    for layer in layers { try layer.validate() }
    for (index, (before, after)) in zip(layers, layers.dropFirst()).enumerated()
    where before.channelsOut != after.channelsIn {
      throw .channels(layer: index + 1, found: after.channelsIn, expected: before.channelsOut)
    }
  }

  /// The residual blocks, by their layers; see ``ConvolutionStack``.
  package var blocks: [Range<Int>] {
    guard hasResiduals, layers.count > 1 else { return [] }
    var blocks: [Range<Int>] = []
    var first = 0
    while first < layers.count {
      let channels = layers[first].channelsIn
      if let last = layers[first...].firstIndex(where: { $0.channelsOut == channels }) {
        blocks.append(first..<last + 1)
        first = last
      }
      first += 1
    }
    return blocks
  }
}

/// A vector beside a gated convolution's kernel.
package enum ConvolutionVector: Sendable {
  case bias, magnitude
}

/// Why weights make no gated convolution. In a request a 422 at the tensor's pointer; in a checkpoint, a refusal.
package enum ConvolutionError: Error, Equatable {
  case length(ConvolutionVector, found: Int, expected: Int)
  /// A dimension of the kernel is zero.
  case empty
  /// Value and gate have as many outputs each.
  case oddOutputs(Int)
  case width(Int, limit: Int)
  /// The gate is neither `glu` nor `gtu`.
  case gate(Gate)
  /// A layer of a stack takes other channels than the one before it gives.
  case channels(layer: Int, found: Int, expected: Int)
  /// The machine has no memory for the packed weights.
  case outOfMemory(bytes: Int)
  /// The file behind the weights could not be read.
  case unreadable
}

extension ConvolutionError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .length(.bias, let found, let expected): "the bias has \(found) elements, expected \(expected)"
    case .length(.magnitude, let found, let expected):
      "the weight norm's magnitudes are \(found), expected one for each of \(expected) outputs"
    case .empty: "the kernel has a dimension of size 0"
    case .oddOutputs(let outputs): "the kernel has \(outputs) outputs, an odd number: value and gate have half each"
    case .width(let width, let limit): "the kernel is \(width) wide, at most \(limit) are served"
    case .gate(let gate): "\(gate.wireName) is no gate of a convolution: glu and gtu are"
    case .channels(let layer, let found, let expected):
      "layer \(layer) takes \(found) channels, the one before it gives \(expected)"
    case .unreadable: "the file behind the weights cannot be read"
    case .outOfMemory(let bytes): "there are no \(bytes) bytes of memory for the packed weights"
    }
  }
}

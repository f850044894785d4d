import Checkpoint
import FeedForward
import InferenceAPI

/// One layer in one arithmetic: what a benchmark packs and measures at a time.
struct BenchmarkSubject {
  enum Weights {
    /// Made up.
    case shape(LayerShape, Gate, WeightType)
    /// The first of `count` layers that look alike.
    case layer(LayerSource, model: String, count: Int)
  }

  let weights: Weights
  let arithmetic: Arithmetic

  /// The distinct layers of a checkpoint: one for each shape, gate and stored type.
  static func layers(of checkpoint: Checkpoint, model: String) -> [Weights] {
    var kinds: [(key: String, source: LayerSource, count: Int)] = []
    for source in checkpoint.layers {
      let key = "\(source.dModel)x\(source.dFF) \(source.storedType) \(source.rule)"
      if let index = kinds.firstIndex(where: { $0.key == key }) {
        kinds[index].count += 1
      } else {
        kinds.append((key, source, 1))
      }
    }
    return kinds.map { .layer($0.source, model: model, count: $0.count) }
  }

  var shape: LayerShape {
    switch weights {
    case .shape(let shape, _, _): shape
    case .layer(let source, _, _): LayerShape(source.dModel, source.dFF)
    }
  }

  var storedType: String {
    switch weights {
    case .shape(_, _, let type): type.rawValue
    case .layer(let source, _, _): source.storedType
    }
  }

  /// The layer's place among those of its model.
  var layerName: (model: String, layer: String, count: Int)? {
    switch weights {
    case .shape: nil
    case .layer(let source, let model, let count): (model, source.name, count)
    }
  }

  /// `512x2048 bf16`, and where it comes from.
  var title: String {
    let name = "\(shape) \(arithmetic.rawValue)"
    return layerName.map { "\(name) (\($0.model), \($0.layer))" } ?? name
  }

  /// Weights of the layer, in a mixture of all experts.
  private var weightCount: Int {
    switch weights {
    case .shape(let shape, _, _): return 3 * shape.dModel * shape.dFF
    case .layer(let source, _, _):
      switch source.weights {
      case .layer(let weights): return weights.count
      case .mixture(let mixture):
        return (mixture.experts + [mixture.shared].compactMap(\.self)).reduce(0) { $0 + $1.count }
      case .convolution(let stack):
        return stack.layers.reduce(0) { $0 + $1.kernel.outputs * $1.channelsIn * $1.kernel.width }
      }
    }
  }

  /// Memory while it is packed, at most, but for a few rows: the packed weights, and what is made up for them. Weights
  /// that are stored in less than float32 stay so.
  var bytesNeeded: Int {
    let packed = weightCount * (arithmetic == .f32 && storedType.contains("F32") ? 4 : 2)
    switch weights {
    case .shape(let shape, _, let type): return packed + shape.dModel * shape.dFF * (type == .bf16 ? 6 : 4)
    case .layer: return packed
    }
  }

  /// Packs the weights.
  ///
  /// - Throws: `.benchmark` where there is no memory, and what a server says of a checkpoint that it refuses.
  func pack(_ kernels: Kernels) throws(StartError) -> Block {
    switch weights {
    case .shape(let shape, let gate, let type):
      do { return .layer(try MadeUpWeights.layer(shape, gate, type, kernels, arithmetic)) } catch {
        throw .benchmark("\(title): \(error)")
      }
    case .layer(let source, let model, _):
      do { return try ModelPacking(kernels: kernels, arithmetic: arithmetic).pack(source, of: model).block } catch {
        throw .store(error)
      }
    }
  }
}

extension LayerWeights {
  /// Weights of the three projections.
  fileprivate var count: Int {
    gateProj.rows * gateProj.columns + upProj.rows * upProj.columns + (downProj.map { $0.rows * $0.columns } ?? 0)
  }
}

/// Numbers without a pattern, as a layer's weights and inputs.
enum MadeUpWeights {
  /// A layer all of whose projections have the same numbers: how long a pass takes does not depend on them.
  ///
  /// The numbers are of a size that leaves hidden values and outputs near 1 for inputs in [−1, 1).
  static func layer(
    _ shape: LayerShape, _ gate: Gate, _ type: WeightType, _ kernels: Kernels, _ arithmetic: Arithmetic
  ) throws(LayerError) -> FeedForwardLayer {
    let values = numbers(shape.dModel * shape.dFF, within: 2 / Float(shape.dModel).squareRoot())
    func pack(_ bytes: UnsafeRawBufferPointer) -> Result<FeedForwardLayer, LayerError> {
      // Unsafe: the views are read while the layer is packed, inside of the array's scope.
      let matrix = MatrixView(base: bytes.baseAddress!, type: type, rows: shape.dFF, columns: shape.dModel)
      let weights = LayerWeights(gate: gate, gateProj: matrix, upProj: matrix, downProj: matrix.transposed)
      return Result { () throws(LayerError) in
        try FeedForwardLayer(weights, kernels: kernels, arithmetic: arithmetic)
      }
    }
    guard type == .bf16 else { return try values.withUnsafeBytes(pack).get() }
    return try values.map { UInt16($0.bitPattern >> 16) }.withUnsafeBytes(pack).get()
  }

  /// `count` numbers in [−bound, bound).
  static func numbers(_ count: Int, within bound: Float) -> [Float] {
    var state: UInt64 = 1
    return (0..<count).map { _ in
      // A linear congruential generator of 64 bits, of which the upper ones are good (Knuth, MMIX).
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (Float(state >> 40) * 0x1p-23 - 1) * bound
    }
  }
}

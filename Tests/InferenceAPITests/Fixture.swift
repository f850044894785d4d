import FeedForward
import InferenceAPI

/// Models made on the spot.
enum Fixture {
  /// Two bilinear layers: `first.mlp` takes rows of 4 and `second.mlp` rows of 2, all weights being `weight`.
  static func model(_ name: String, weight: Float = 1) throws -> GivenModel {
    let layers = [
      ServedLayer(name: "first.mlp", storedType: "F32", block: .layer(try layer(dModel: 4, weight))),
      ServedLayer(name: "second.mlp", storedType: "F32", block: .layer(try layer(dModel: 2, weight))),
    ]
    return GivenModel(
      name: name,
      source: .made { name, _ in ServedModel(name: name, family: "fixture", rule: "bilinear", layers: layers) })
  }

  private static func layer(dModel: Int, _ weight: Float) throws -> FeedForwardLayer {
    let dFF = 3
    let weights = [Float](repeating: weight, count: dModel * dFF)
    return try weights.withUnsafeBytes { bytes in
      let view = MatrixView(base: bytes.baseAddress!, type: .f32, rows: dFF, columns: dModel)
      let down = MatrixView(base: bytes.baseAddress!, type: .f32, rows: dModel, columns: dFF)
      return try FeedForwardLayer(
        LayerWeights(gate: .bilinear, gateProj: view, upProj: view, downProj: down), kernels: .best())
    }
  }
}

package import FeedForward
internal import TensorCoding

/// The model that answers where none was given: one layer for each gate, named after it, small enough that a request
/// and its answer fit a line of a terminal and a sceptic recomputes them by hand.
///
/// All layers have the same weights, so that what differs between their answers is the gate. With `f` the hidden unit
/// (0 ..< 8) and `d` the model dimension (0 ..< 4):
///
///     gate_proj[f][d] = ((3·f + 5·d + 1) mod 11 − 5) / 8
///     up_proj[f][d]   = ((5·f + 7·d + 2) mod 13 − 6) / 8
///     down_proj[d][f] = ((7·d + 3·f + 4) mod  9 − 4) / 8
///
/// Every weight is a multiple of 1/8 and exact in all datatypes. There are no biases.
package enum DemoModel {
  package static let name = "demo"
  package static let dModel = 4
  package static let dFF = 8

  /// The layer that answers where a request names none.
  private static let defaultGate = Gate.swiglu(beta: 1)

  /// - Throws: `.layer` where there is no memory.
  package static func make(
    named name: String = Self.name, kernels: Kernels
  ) throws(ModelStoreError) -> ServedModel {
    var layers: [ServedLayer] = []
    for gate in Gate.all {
      do {
        let block = Block.layer(try layer(gate, kernels))
        layers.append(ServedLayer(name: gate.wireName, storedType: WeightType.f32.rawValue, block: block))
      } catch {
        throw .layer(model: name, layer: gate.wireName, error)
      }
    }
    return ServedModel(
      name: name, family: "demo", rule: "a layer for each gate, named after it", layers: layers,
      defaultLayer: Gate.all.firstIndex(of: defaultGate) ?? 0)
  }

  private static func layer(_ gate: Gate, _ kernels: Kernels) throws(LayerError) -> FeedForwardLayer {
    let gateProj = matrix(dFF, dModel) { f, d in (3 * f + 5 * d + 1) % 11 - 5 }
    let upProj = matrix(dFF, dModel) { f, d in (5 * f + 7 * d + 2) % 13 - 6 }
    let downProj = matrix(dModel, dFF) { d, f in (7 * d + 3 * f + 4) % 9 - 4 }
    // Unsafe: the views are read while the layer is packed, and the matrices live until then.
    defer { withExtendedLifetime((gateProj, upProj, downProj)) {} }
    func view(_ storage: FloatStorage, _ rows: Int, _ columns: Int) -> MatrixView {
      MatrixView(base: UnsafeRawPointer(storage.baseAddress), type: .f32, rows: rows, columns: columns)
    }
    return try FeedForwardLayer(
      LayerWeights(
        gate: gate, gateProj: view(gateProj, dFF, dModel), upProj: view(upProj, dFF, dModel),
        downProj: view(downProj, dModel, dFF)),
      kernels: kernels)
  }

  private static func matrix(_ rows: Int, _ columns: Int, eighths: (Int, Int) -> Int) -> FloatStorage {
    FloatStorage((0..<rows * columns).map { Float(eighths($0 / columns, $0 % columns)) / 8 })
  }
}

import FeedForward

/// A layer whose tensors are called `gate_proj`, `up_proj` and `down_proj` and nothing else, in a file of its own.
///
/// Its gate is the metadata's `variant`, with `beta`, `alpha` and `limit` beside it where the gate has them.
struct BareLayer {
  private static let projections = Family.Projections.separate(gate: "gate_proj", up: "up_proj", down: "down_proj")

  let source: LayerSource
  let notes: [String]

  /// Whether the files have tensors of that kind.
  static func isIn(_ files: WeightFiles) -> Bool {
    files.tensors["gate_proj.weight"] != nil || files.tensors["up_proj.weight"] != nil
  }

  /// - Parameter path: for errors.
  init(_ files: WeightFiles, path: String) throws(CheckpointError) {
    let named = files.metadata["variant"]
    let variant = named ?? Gate.swiglu.wireName
    guard var gate = Gate(wireName: variant) else { throw .unknownVariant(path: path, found: variant) }
    for parameter in GateParameter.allCases {
      guard let text = files.metadata[parameter.rawValue] else { continue }
      guard let value = Float(text), let set = gate.setting(parameter, to: value) else {
        throw .variantParameter(path: path, variant: variant, parameter: parameter.rawValue, found: text)
      }
      gate = set
    }
    var assembly = LayerAssembly(tensors: files.tensors, prefix: "")
    source = try assembly.layer(Self.projections, gate: gate, index: 0)
    notes = named == nil ? ["the metadata names no variant: \(variant)"] : []
  }
}

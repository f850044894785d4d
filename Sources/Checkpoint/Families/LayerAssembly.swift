import FeedForward

/// What a model's configuration says about its layers, to be held against their tensors.
///
/// Sizes always come from the tensors; a member that is absent says nothing.
struct LayerExpectation {
  var dModel: (member: String, value: Int)?
  /// More than one value where the configuration leaves it open.
  var dFF: (member: String, values: [Int])?
  /// Whether the projections have biases.
  var bias: (member: String, value: Bool)?
  /// The norm of the hidden rows: its name below the prefix, and ε.
  var hiddenNorm: (name: String, epsilon: Float)?
  /// Where the weights are quantised: which elements share a scale.
  var scaleBlock: ScaleBlock?
}

/// Gathers one layer's tensors: each is looked up by its name, checked against the sizes that are known so far, and
/// becomes a view of its mapping.
struct LayerAssembly {
  enum Size {
    case exactly(Int)
    case any(String)
  }

  let tensors: [String: WeightFiles.StoredTensor]
  private(set) var prefix: String
  private(set) var expectation: LayerExpectation
  private var types: [WeightType] = []
  private var bytes = 0
  private var files: [MappedFile] = []

  /// - Parameters:
  ///   - tensors: all of the checkpoint's, by name.
  ///   - prefix: what stands before the names of the projections, with its last dot; empty for a bare layer.
  init(
    tensors: [String: WeightFiles.StoredTensor], prefix: String, expectation: LayerExpectation = LayerExpectation()
  ) {
    self.tensors = tensors
    self.prefix = prefix
    self.expectation = expectation
  }

  /// The layer whose tensors have the names of `projections`.
  ///
  /// A bare layer (no prefix) may lack its down projection, and then ends at the gate, or put out another width than
  /// it takes in.
  ///
  /// - Parameter index: the layer's place among those that are loaded.
  /// - Throws: ``CheckpointError`` with the tensor that is missing, of another shape, contradicts the configuration,
  ///   or is of a type that is not computed from.
  mutating func layer(
    _ projections: Family.Projections, gate: Gate, index: Int
  ) throws(CheckpointError) -> LayerSource {
    let weights = try weights(projections, gate: gate)
    return source(
      .layer(weights), index: index, dModel: weights.gateProj.columns, dFF: weights.gateProj.rows,
      rule: projections.rule(gate, hasDown: weights.downProj != nil, norm: expectation.hiddenNorm?.name))
  }

  /// What has been gathered, as a layer of the checkpoint.
  func source(_ weights: BlockWeights, index: Int, dModel: Int, dFF: Int, rule: String) -> LayerSource {
    LayerSource(
      name: prefix.isEmpty ? LayerSource.bareName : String(prefix.dropLast()), index: index, weights: weights,
      dModel: dModel, dFF: dFF, storedType: types.map(\.rawValue).joined(separator: "+"), storedBytes: bytes,
      rule: rule, files: files)
  }

  /// Gathers a part of the layer, whose names begin with `path` and of which something else is expected.
  mutating func at<Part>(
    _ path: String, expecting partExpectation: LayerExpectation,
    _ gather: (inout LayerAssembly) throws(CheckpointError) -> Part
  ) throws(CheckpointError) -> Part {
    let (outerPrefix, outerExpectation) = (prefix, expectation)
    defer { (prefix, expectation) = (outerPrefix, outerExpectation) }
    (prefix, expectation) = (path, partExpectation)
    return try gather(&self)
  }

  /// The weights of the layer at the prefix; what ``layer(_:gate:index:)`` says of it goes here too.
  mutating func weights(
    _ projections: Family.Projections, gate: Gate
  ) throws(CheckpointError) -> LayerWeights {
    let isBare = prefix.isEmpty
    var weights: LayerWeights
    switch projections {
    case .separate(let gateName, let upName, _):
      let gateProj = try matrix(gateName, .any("d_ff"), .any("d_model"))
      try confirm(dModel: gateProj.columns, dFF: gateProj.rows, by: gateName)
      let upProj = try matrix(upName, .exactly(gateProj.rows), .exactly(gateProj.columns))
      weights = LayerWeights(gate: gate, gateProj: gateProj, upProj: upProj)
      weights.gateBias = try bias(gateName, count: gateProj.rows)
      weights.upBias = try bias(upName, count: upProj.rows)
    case .fused(let name, let halves, _):
      let both = try matrix(name, .any("2·d_ff"), .any("d_model"))
      guard both.rows.isMultiple(of: 2) else {
        throw .misshapenTensor(name: weight(name), expected: "[2·d_ff, d_model]", found: [both.rows, both.columns])
      }
      try confirm(dModel: both.columns, dFF: both.rows / 2, by: name)
      let first = 0..<both.rows / 2
      let second = both.rows / 2..<both.rows
      let (gateRows, upRows) = halves.first == .gate ? (first, second) : (second, first)
      weights = LayerWeights(gate: gate, gateProj: both.rows(gateRows), upProj: both.rows(upRows))
      let biases = try bias(name, count: both.rows)
      weights.gateBias = biases?.elements(gateRows)
      weights.upBias = biases?.elements(upRows)
    }
    let (dModel, dFF) = (weights.gateProj.columns, weights.gateProj.rows)
    let down = projections.down
    if !isBare {
      weights.downProj = try matrix(down, .exactly(dModel), .exactly(dFF))
    } else if tensors[weight(down)] != nil || tensors[biasName(down)] != nil {
      weights.downProj = try matrix(down, .any("d_out"), .exactly(dFF))
    }
    weights.downBias = try weights.downProj.flatMap { (projection) throws(CheckpointError) in
      try bias(down, count: projection.rows)
    }
    weights.hiddenNorm = try expectation.hiddenNorm.map { (name, epsilon) throws(CheckpointError) in
      HiddenNormWeights(weight: try vector(weight(name), count: dFF), epsilon: epsilon)
    }
    return weights
  }

  // MARK: One tensor

  func weight(_ name: String) -> String { "\(prefix)\(name).weight" }
  private func biasName(_ name: String) -> String { "\(prefix)\(name).bias" }

  mutating func matrix(
    _ name: String, _ rows: Size, _ columns: Size
  ) throws(CheckpointError) -> MatrixView {
    let stored = try tensor(weight(name), [rows, columns], types: WeightType.ofMatrices)
    return MatrixView(
      base: stored.base, type: stored.type, rows: stored.shape[0], columns: stored.shape[1],
      scales: try scales(of: weight(name), stored.type, stored.shape))
  }

  mutating func bias(_ name: String, count: Int) throws(CheckpointError) -> VectorView? {
    let name = biasName(name)
    if let stored = tensors[name] {
      if let (member, value) = expectation.bias, !value {
        throw .contradiction(tensor: name, shape: stored.description.shape, member: member, value: "false")
      }
    } else if expectation.bias?.value != true {
      return nil
    }
    return try vector(name, count: count)
  }

  /// - Parameter name: whole, with the prefix.
  mutating func vector(_ name: String, count: Int) throws(CheckpointError) -> VectorView {
    let stored = try tensor(name, [.exactly(count)])
    return VectorView(base: stored.base, type: stored.type, count: count)
  }

  /// A tensor of the shape that is asked for, in place.
  ///
  /// - Parameters:
  ///   - types: those that the caller knows how to read.
  ///   - share: how much of it is loaded, where that is not all.
  mutating func tensor(
    _ name: String, _ sizes: [Size], types accepted: [WeightType] = WeightType.ofVectors,
    share: (held: Int, of: Int) = (1, 1)
  ) throws(CheckpointError) -> (base: UnsafeRawPointer, type: WeightType, shape: [Int]) {
    let (base, stored) = try place(name, sizes, share: share)
    guard let type = WeightType(rawValue: stored.elementType.rawValue), accepted.contains(type) else {
      throw .unsupportedElementType(tensor: name, found: stored.elementType)
    }
    note(type)
    return (base, type, stored.shape)
  }

  /// Counts a type among those of the layer.
  mutating func note(_ type: WeightType) {
    if !types.contains(type) { types.append(type) }
  }

  /// A tensor of any type, its shape checked, as a part of the layer.
  mutating func place(
    _ name: String, _ sizes: [Size], share: (held: Int, of: Int) = (1, 1)
  ) throws(CheckpointError) -> (base: UnsafeRawPointer, stored: SafetensorsHeader.Tensor) {
    guard let stored = tensors[name] else {
      throw .missingTensor(name: name, expected: Self.words(sizes), found: neighbours)
    }
    let shape = stored.description.shape
    guard shape.count == sizes.count, zip(shape, sizes).allSatisfy(Self.fits) else {
      throw .misshapenTensor(name: name, expected: Self.words(sizes), found: shape)
    }
    if !files.contains(where: { $0 === stored.file }) { files.append(stored.file) }
    bytes += stored.description.bytes.count / share.of * share.held
    // Unsafe: the view outlives this call, and the layer that gets it keeps the mapping. There is an address, as the
    // tensor is not empty; its range lies within the file by the header's checks.
    return (stored.file.bytes.baseAddress! + stored.description.bytes.lowerBound, stored.description)
  }

  private static func fits(_ dimension: Int, _ size: Size) -> Bool {
    switch size {
    case .exactly(let value): dimension == value
    case .any: dimension > 0
    }
  }

  static func words(_ sizes: [Size]) -> String {
    let words = sizes.map { size in
      switch size {
      case .exactly(let value): String(value)
      case .any(let name): name
      }
    }
    return "[\(words.joined(separator: ", "))]"
  }

  /// Some of the names that stand where a tensor is missing.
  private var neighbours: [String] {
    Array(tensors.keys.filter { $0.hasPrefix(prefix) }.sorted().prefix(5))
  }

  private func confirm(dModel: Int, dFF: Int, by name: String) throws(CheckpointError) {
    func shape() -> [Int] { tensors[weight(name)]?.description.shape ?? [] }
    if let (member, value) = expectation.dModel, value != dModel {
      throw .contradiction(tensor: weight(name), shape: shape(), member: member, value: String(value))
    }
    if let (member, values) = expectation.dFF, !values.contains(dFF) {
      let value = values.map(String.init).joined(separator: " or ")
      throw .contradiction(tensor: weight(name), shape: shape(), member: member, value: value)
    }
  }
}

extension Family.Projections {
  /// The name of the first projection from d_model.
  var first: String {
    switch self {
    case .separate(let gate, _, _): gate
    case .fused(let both, _, _): both
    }
  }

  /// The name of the projection back to d_model.
  var down: String {
    switch self {
    case .separate(_, _, let down), .fused(_, _, let down): down
    }
  }

  /// What a layer of these tensors computes, in words.
  func rule(_ gate: Gate, hasDown: Bool, norm: String? = nil) -> String {
    var inner: String
    switch self {
    case .separate(let gateName, let upName, _):
      inner = gate.rule(gate: "\(gateName) x", up: "\(upName) x")
    case .fused(let name, let halves, _):
      let (first, second) = ("\(name)[first half] x", "\(name)[second half] x")
      inner = halves.first == .gate ? gate.rule(gate: first, up: second) : gate.rule(gate: second, up: first)
    }
    if let norm { inner = "\(norm)(\(inner))" }
    return hasDown ? "\(down)(\(inner))" : inner
  }
}

import FeedForward
import TensorCoding

/// How many rows and columns of a quantised weight share a scale, where that is not all of them.
struct ScaleBlock: Equatable {
  var rows = 128
  var columns = 128

  init(rows: Int, columns: Int) {
    (self.rows, self.columns) = (rows, columns)
  }

  /// `quantization_config`'s `weight_block_size`, which is 128 each way where nothing else is said; `nil` for a model
  /// that is not quantised.
  init?(_ configuration: ModelConfiguration) throws(CheckpointError) {
    guard configuration.has(ModelConfiguration.quantization) else { return nil }
    let member = "\(ModelConfiguration.quantization)/weight_block_size"
    guard let sizes = try configuration.integers(member) else { return }
    guard sizes.count == 2, sizes.allSatisfy({ 1...1 << 20 ~= $0 }) else {
      throw .malformedJSON(path: configuration.path, .mismatch(pointer: "/\(member)", .outOfRange(1...1 << 20)))
    }
    (rows, columns) = (sizes[0], sizes[1])
  }
}

extension ModelConfiguration {
  /// What a reader should know of a quantisation that no tensor shows.
  func quantizationNotes() throws(CheckpointError) -> [String] {
    guard try string("\(Self.quantization)/quant_method") == "bitnet" else { return [] }
    return ["quantization_config has the model round weights and inputs as it computes; here they are used as stored"]
  }
}

extension WeightType {
  static let ofVectors: [WeightType] = [.f32, .f16, .bf16]
  static let ofMatrices: [WeightType] = [.f32, .f16, .bf16, .f8E4M3]
  static let ofScales: [WeightType] = [.f32, .f16, .bf16, .f8E8M0]
}

extension LayerAssembly {
  /// What scales an F8_E4M3 weight: `…_scale_inv`, a scale for each block of rows and columns, or `…_scale`, one for
  /// each row or one for all. Both multiply, whatever the first one's name says.
  ///
  /// Without either the weight is as it stands, unless the configuration has it quantised.
  ///
  /// - Parameters:
  ///   - name: the weight's, whole.
  ///   - shape: the weight's, `[rows, columns]`.
  mutating func scales(
    of name: String, _ type: WeightType, _ shape: [Int]
  ) throws(CheckpointError) -> WeightScales? {
    try scales(ofEach: name, type, [1] + shape, held: 1, isStacked: false)?(0)
  }

  /// The same for weights that stand one behind the other, `[count, rows, columns]`: the scales of each by its number.
  mutating func scales(
    ofEach name: String, _ type: WeightType, _ shape: [Int], held: Int, isStacked: Bool = true
  ) throws(CheckpointError) -> ((Int) -> WeightScales)? {
    guard type == .f8E4M3 else { return nil }
    let (rows, columns) = (shape[1], shape[2])
    let names = ["\(name)_scale_inv", "\(name)_scale"]
    guard let found = names.first(where: { tensors[$0] != nil }) else {
      if expectation.scaleBlock == nil { return nil }
      throw .missingTensor(name: names[0], expected: "of scales", found: [])
    }
    let block = expectation.scaleBlock ?? ScaleBlock(rows: 128, columns: 128)
    let (rowBlocks, columnBlocks) = (blocks(rows, block.rows), blocks(columns, block.columns))
    var dimensions = tensors[found]?.description.shape ?? []
    if isStacked, dimensions.first == shape[0] { dimensions.removeFirst() }
    let (rowAxis, columnAxis): (WeightScales.Axis, WeightScales.Axis)
    switch dimensions {
    case [rowBlocks, columnBlocks]:
      rowAxis = WeightScales.Axis(block: block.rows, stride: columnBlocks)
      columnAxis = WeightScales.Axis(block: block.columns, stride: 1)
    case [rows, 1], [rows]:
      rowAxis = WeightScales.Axis(block: 1, stride: 1)
      columnAxis = WeightScales.Axis(block: columns, stride: 0)
    case [], [1], [1, 1]:
      rowAxis = WeightScales.Axis(block: rows, stride: 0)
      columnAxis = WeightScales.Axis(block: columns, stride: 0)
    default:
      throw .misshapenTensor(
        name: found, expected: Self.words((isStacked ? [shape[0]] : []) + [rowBlocks, columnBlocks]),
        found: tensors[found]?.description.shape ?? [])
    }
    let each = dimensions.reduce(1, *)
    let sizes = tensors[found]!.description.shape.map(Size.exactly)
    let (base, stored) = try place(found, sizes, share: (held, shape[0]))
    guard let type = WeightType(rawValue: stored.elementType.rawValue), WeightType.ofScales.contains(type) else {
      throw .unsupportedElementType(tensor: found, found: stored.elementType)
    }
    let isOneForAll = stored.shape.count == dimensions.count && isStacked
    return { place in
      WeightScales(
        base: base + (isOneForAll ? 0 : place * each * type.bits / 8), type: type, rows: rowAxis, columns: columnAxis)
    }
  }

  /// The matrices of `…_blocks` `[count, rows, columns/32, 16]`, two elements of MXFP4 in a byte, with a power of two
  /// for each 32 in `…_scales` `[count, rows, columns/32]`; as gpt-oss is published.
  mutating func mxfp4Stack(
    _ name: String, _ count: Int, _ rows: Size, columns: Int, held: Int
  ) throws(CheckpointError) -> [MatrixView] {
    let groups = columns / 32
    guard columns.isMultiple(of: 32) else {
      throw .misshapenTensor(
        name: "\(prefix)\(name)_blocks", expected: "rows of a multiple of 32 elements, not \(columns)",
        found: tensors["\(prefix)\(name)_blocks"]?.description.shape ?? [])
    }
    let sizes = [.exactly(count), rows, .exactly(groups)] as [Size]
    let blocks = try bytes("\(prefix)\(name)_blocks", sizes + [.exactly(16)], (held, count))
    let rowCount = blocks.shape[1]
    let scales = try bytes(
      "\(prefix)\(name)_scales", [.exactly(count), .exactly(rowCount), .exactly(groups)], (held, count))
    note(.mxfp4)
    // Unsafe: the header's checks have both tensors hold as many bytes as their shapes say.
    return (0..<count).map { place in
      MatrixView(
        base: blocks.base + place * rowCount * groups * 16, type: .mxfp4, rows: rowCount, columns: columns,
        scales: WeightScales(
          base: scales.base + place * rowCount * groups, type: .f8E8M0,
          rows: WeightScales.Axis(block: 1, stride: groups), columns: WeightScales.Axis(block: 32, stride: 1)))
    }
  }

  private mutating func bytes(
    _ name: String, _ sizes: [Size], _ share: (held: Int, of: Int)
  ) throws(CheckpointError) -> (base: UnsafeRawPointer, shape: [Int]) {
    let (base, stored) = try place(name, sizes, share: share)
    guard stored.elementType == .u8 || stored.elementType == .f8E8M0 else {
      throw .unsupportedElementType(tensor: name, found: stored.elementType)
    }
    return (base, stored.shape)
  }

  private func blocks(_ count: Int, _ block: Int) -> Int { (count + block - 1) / block }

  private static func words(_ sizes: [Int]) -> String { words(sizes.map(Size.exactly)) }
}

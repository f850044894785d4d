internal import FeedForward
internal import TensorCoding

/// The experts of each row, chosen and weighted by whoever sent it: `{"indices": [[…]], "weights": [[…]]}`.
///
/// The contract stands in docs/experts.md.
struct GivenExperts: Sendable {
  /// `[…, choices]`, whole numbers once ``check(_:input:)`` has passed.
  let indices: Tensor
  /// `[…, choices]`
  let weights: Tensor
  private let indicesForm: TensorEncoding
  private let indicesDatatype: Datatype
  private let weightsForm: TensorEncoding

  /// Experts that a row names.
  var choices: Int { indices.shape.last }

  enum Member: String, Sendable {
    case indices, weights
  }

  /// Why the experts cannot be those of the input's rows. Pointers go on where the member's own ends.
  enum Flaw: Sendable {
    case noMixture
    case shape(Member, found: Shape, expected: Shape)
    case tooManyChoices(Int, experts: Int)
    /// The datatype of the indices rounds whole numbers.
    case rounded
    case index(pointer: String, experts: Int)
    case repeated(pointer: String)
    case negativeWeight(pointer: String)
  }

  init(indices: WireTensor, weights: WireTensor) {
    (self.indices, indicesForm, indicesDatatype) = (indices.tensor, indices.encoding, indices.datatype)
    (self.weights, weightsForm) = (weights.tensor, weights.encoding)
  }

  init(reading reader: inout JSONReader, limits: TensorLimits) throws(JSONError) {
    var keys = KeySet()
    var indices: WireTensor?
    var weights: WireTensor?
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch Member(rawValue: key) {
      case .indices?: indices = try reader.readTensor(limit: limits)
      case .weights?: weights = try reader.readTensor(limit: limits)
      case nil: throw .here(.unknownMember)
      }
    }
    guard let indices else { throw .here(.missingMember(Member.indices.rawValue)) }
    guard let weights else { throw .here(.missingMember(Member.weights.rawValue)) }
    self.init(indices: indices, weights: weights)
  }

  /// Whether they are experts of the mixture, for every row of the input.
  ///
  /// - Throws: `.experts`.
  func check(_ mixture: MixtureLayer, input: Shape) throws(APIError) {
    let expected = input.replacingLast(with: choices)
    guard indices.shape == expected else {
      throw .experts(.shape(.indices, found: indices.shape, expected: expected))
    }
    guard weights.shape == expected else {
      throw .experts(.shape(.weights, found: weights.shape, expected: expected))
    }
    guard choices <= mixture.experts.count else {
      throw .experts(.tooManyChoices(choices, experts: mixture.experts.count))
    }
    guard indicesDatatype == .fp32 else { throw .experts(.rounded) }
    let (indices, weights) = (indices.floats, weights.floats)
    // Which row named an expert last.
    var lastRow = [Int](repeating: -1, count: mixture.experts.count)
    for (place, index) in indices.enumerated() {
      guard let expert = Int(exactly: index), mixture.experts.indices.contains(expert) else {
        throw .experts(
          .index(pointer: Self.pointer(to: place, of: expected, indicesForm), experts: mixture.experts.count))
      }
      let row = place / choices
      guard lastRow[expert] != row else {
        throw .experts(.repeated(pointer: Self.pointer(to: place, of: expected, indicesForm)))
      }
      lastRow[expert] = row
    }
    if let place = weights.firstIndex(where: { $0 < 0 }) {
      throw .experts(.negativeWeight(pointer: Self.pointer(to: place, of: expected, weightsForm)))
    }
  }

  /// The row-major element `place`, as its form has it.
  private static func pointer(to place: Int, of shape: Shape, _ form: TensorEncoding) -> String {
    switch form {
    case .nested:
      var rest = place
      var path = ""
      for size in shape.dims.reversed() {
        path = "/\(rest % size)" + path
        rest /= size
      }
      return path
    case .flat: return "/data/\(place)"
    case .base64: return "/base64"
    }
  }
}

internal import FeedForward
internal import TensorCoding

/// The member `experts`: `{"indices": [[…]], "weights": [[…]], "missing": "skip"}`.
struct ExpertsMember: Sendable {
  private enum Name: String {
    case indices, weights, missing
  }

  /// Nil where the router chooses.
  var given: GivenExperts?
  var missing = MissingExperts.refuse

  /// Reads the object at the cursor: indices and weights together or neither of them, `missing` beside or alone.
  init(reading reader: inout JSONReader, limits: TensorLimits) throws(JSONError) {
    var keys = KeySet()
    var indices: WireTensor?
    var weights: WireTensor?
    var missing: MissingExperts?
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch Name(rawValue: key) {
      case .indices?: indices = try reader.readTensor(limit: limits)
      case .weights?: weights = try reader.readTensor(limit: limits)
      case .missing?: missing = try reader.readWord(MissingExperts.init(rawValue:))
      case nil: throw .here(.unknownMember)
      }
    }
    self.missing = missing ?? .refuse
    if indices == nil, weights == nil, missing != nil { return }
    guard let indices else { throw .here(.missingMember(Name.indices.rawValue)) }
    guard let weights else { throw .here(.missingMember(Name.weights.rawValue)) }
    given = GivenExperts(indices: indices, weights: weights)
  }
}

/// What becomes of a row that needs an expert that is not here.
enum MissingExperts: String, Sendable {
  /// The request is refused.
  case refuse = "error"
  /// The row's sum goes without it, and the reply says so.
  case skip
}

/// The experts that a row's sum went without.
struct RowWithoutExperts: Sendable {
  /// Counted over all leading dimensions of the input.
  let row: Int
  /// In the order in which they were chosen.
  let experts: [Int]
}

/// The experts of each row, chosen and weighted by whoever sent it.
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
    /// The mixture has such an expert, and this server does not.
    case absent(pointer: String, expert: Int)
    /// The router sends a row to such an expert.
    case routedAbsent(row: Int, expert: Int)
  }

  init(indices: WireTensor, weights: WireTensor) {
    (self.indices, indicesForm, indicesDatatype) = (indices.tensor, indices.encoding, indices.datatype)
    (self.weights, weightsForm) = (weights.tensor, weights.encoding)
  }

  /// Whether they are experts of the mixture, for every row of the input.
  ///
  /// - Throws: `.experts`.
  func check(_ mixture: MixtureLayer, input: Shape, missing: MissingExperts) throws(APIError) {
    let expected = input.replacingLast(with: choices)
    guard indices.shape == expected else {
      throw .experts(.shape(.indices, found: indices.shape, expected: expected))
    }
    guard weights.shape == expected else {
      throw .experts(.shape(.weights, found: weights.shape, expected: expected))
    }
    guard choices <= mixture.count else {
      throw .experts(.tooManyChoices(choices, experts: mixture.count))
    }
    guard indicesDatatype == .fp32 else { throw .experts(.rounded) }
    let (indices, weights) = (indices.floats, weights.floats)
    // Which row named an expert last.
    var lastRow = [Int](repeating: -1, count: mixture.count)
    for (place, index) in indices.enumerated() {
      guard let expert = Int(exactly: index), (0..<mixture.count).contains(expert) else {
        throw .experts(
          .index(pointer: Self.pointer(to: place, of: expected, indicesForm), experts: mixture.count))
      }
      let row = place / choices
      guard lastRow[expert] != row else {
        throw .experts(.repeated(pointer: Self.pointer(to: place, of: expected, indicesForm)))
      }
      lastRow[expert] = row
      guard missing == .skip || mixture.holds(expert) else {
        throw .experts(.absent(pointer: Self.pointer(to: place, of: expected, indicesForm), expert: expert))
      }
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

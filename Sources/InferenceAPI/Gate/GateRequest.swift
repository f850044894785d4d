internal import Batching
internal import FeedForward
internal import TensorCoding

/// What `POST /v1/glu` asks for, once its body has been read and its members go together.
struct GateRequest: Sendable {
  let gate: Gate
  let operands: GateOperands
  let wantsDerivative: Bool
  /// The form of the result; that of `a` or `input` where the request does not say.
  let encoding: TensorEncoding
  /// Of the result's elements in base64: that of `a` or `input`.
  let datatype: Datatype
  /// From the first byte of the request on.
  let timeout: Nanoseconds?
  let id: String?

  /// Tensors of the result, each of the operands' shape.
  private var results: Int { wantsDerivative ? 3 : 1 }

  /// - Parameter inputElements: of one tensor.
  /// - Throws: `.json` for what is not JSON (400) or not such an object (422), then what `GateMembers.resolved` throws.
  init(decoding body: [UInt8], inputElements: Int, crew: Crew?) throws(APIError) {
    var members = GateMembers(limits: TensorLimits(maxElements: inputElements))
    try JSONReader.readBody(body[...], crew: crew) { reader throws(JSONError) in try members.read(from: &reader) }
    self = try members.resolved()
  }

  init(
    gate: Gate, operands: GateOperands, wantsDerivative: Bool, encoding: TensorEncoding, datatype: Datatype,
    timeout: Nanoseconds?, id: String?
  ) {
    self.gate = gate
    self.operands = operands
    self.wantsDerivative = wantsDerivative
    self.encoding = encoding
    self.datatype = datatype
    self.timeout = timeout
    self.id = id
  }

  /// - Throws: `.tooManyElements` where the reply would have more than `resultElements`.
  func check(resultElements: Int) throws(APIError) {
    let limit = resultElements / results
    guard operands.shape.count > limit else { return }
    switch operands {
    case .pair(let a, _): throw .tooManyElements(member: "a", found: a.shape.count, limit: limit)
    case .halves(let input, _): throw .tooManyElements(member: "input", found: input.shape.count, limit: 2 * limit)
    }
  }
}

/// What a gate joins.
enum GateOperands: Sendable {
  /// Two tensors of one shape.
  case pair(a: Tensor, b: Tensor)
  /// One tensor, split in the middle of a dimension of even size: `a` is the first half (`torch.nn.GLU`).
  case halves(Tensor, axis: Int)

  /// Of each operand, and so of the result.
  var shape: Shape {
    switch self {
    case .pair(let a, _): a.shape
    case .halves(let input, let axis): input.shape.replacing(axis: axis, with: input.shape[axis] / 2)
    }
  }
}

/// The members of the body's object as they stood there, each right by itself.
struct GateMembers {
  private let limits: TensorLimits
  private var variant: Gate?
  private var parameters = GateParameterMembers()
  private var a: WireTensor?
  private var b: WireTensor?
  private var input: WireTensor?
  private var dim: Int?
  private var wantsDerivative = false
  private var general = GeneralMembers()

  init(limits: TensorLimits) {
    self.limits = limits
  }

  /// Reads the object at the cursor. Throws at the first member that is unknown, stands twice or cannot be what it is.
  mutating func read(from reader: inout JSONReader) throws(JSONError) {
    var keys = KeySet()
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "variant": variant = try reader.readWord(Gate.init(wireName:))
      case "a": a = try reader.readTensor(limit: limits)
      case "b": b = try reader.readTensor(limit: limits)
      case "input": input = try reader.readTensor(limit: limits)
      case "dim": dim = try reader.readInt(in: -Shape.maxRank...Shape.maxRank - 1)
      case "derivative": wantsDerivative = try reader.readBool()
      default:
        if try general.read(key, from: &reader) { return }
        guard try parameters.read(key, from: &reader) else { throw .here(.unknownMember) }
      }
    }
  }

  /// The request that the members make together.
  ///
  /// - Throws: `.missingMember`, `.memberExcludes`, `.gateParameter`, `.operandShapes`, `.splitDimension`, `.oddSplit`.
  func resolved() throws(APIError) -> GateRequest {
    guard let variant else { throw .missingMember("variant") }
    let gate = try parameters.applied(to: variant)
    let (operands, wire) = try operands()
    return GateRequest(
      gate: gate, operands: operands, wantsDerivative: wantsDerivative, encoding: general.encoding ?? wire.encoding,
      datatype: wire.datatype, timeout: general.timeout, id: general.id)
  }

  /// The operands, and the tensor whose form the reply takes.
  private func operands() throws(APIError) -> (GateOperands, WireTensor) {
    if let input {
      if a != nil { throw .memberExcludes("a", other: "input") }
      if b != nil { throw .memberExcludes("b", other: "input") }
      return (try halves(of: input.tensor), input)
    }
    if dim != nil {
      guard a == nil, b == nil else { throw .memberExcludes("dim", other: a == nil ? "b" : "a") }
      throw .missingMember("input")
    }
    guard let a else { throw .missingMember("a") }
    guard let b else { throw .missingMember("b") }
    guard a.tensor.shape == b.tensor.shape else { throw .operandShapes(a: a.tensor.shape, b: b.tensor.shape) }
    return (.pair(a: a.tensor, b: b.tensor), a)
  }

  /// The input split along `dim`, the last dimension where the request does not say.
  private func halves(of input: Tensor) throws(APIError) -> GateOperands {
    let shape = input.shape
    let dim = dim ?? -1
    let axis = dim < 0 ? dim + shape.rank : dim
    guard (0..<shape.rank).contains(axis) else { throw .splitDimension(dim, of: shape) }
    guard shape[axis].isMultiple(of: 2) else { throw .oddSplit(dim, of: shape) }
    return .halves(input, axis: axis)
  }
}

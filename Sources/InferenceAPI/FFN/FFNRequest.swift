internal import Batching
internal import FeedForward
internal import TensorCoding

/// What `POST /v1/ffn` asks for, once its body has been read and its members go together.
struct FFNRequest: Sendable {
  /// Whose formula is applied to the input.
  enum Subject: Sendable {
    /// A layer of a loaded model; nil is the default of each.
    case served(model: String?, layer: LayerReference?)
    case given(GivenLayer)
  }

  let subject: Subject
  let input: WireTensor
  /// Who computes a row of a mixture, where the request says it in the router's place.
  let experts: GivenExperts?
  /// Nil where the request does not say: it is refused.
  let missing: MissingExperts?
  /// Only in a request for gradients.
  let gradient: GradientQuestion?
  let activations: ActivationSet
  /// The form of the output; the input's where the request does not say.
  let encoding: TensorEncoding
  /// From the first byte of the request on.
  let timeout: Nanoseconds?
  let id: String?
}

/// A layer as a request names it: `3`, or `"model.layers.3.mlp"`.
enum LayerReference: Sendable, Equatable, CustomStringConvertible {
  case index(Int)
  case name(String)

  init(reading reader: inout JSONReader) throws(JSONError) {
    switch try reader.peek() {
    case .string: self = .name(try reader.readString())
    default: self = .index(try reader.readInt(in: 0...Int.max))
    }
  }

  var description: String {
    switch self {
    case .index(let index): String(index)
    case .name(let name): "\"\(name)\""
    }
  }
}

/// What a reply can hold beside the output.
enum Activation: String, Sendable, CaseIterable {
  /// `gate_proj`'s branch with its bias, before any activation: `[…, dFF]`.
  case gate
  /// `up_proj`'s branch with its bias: `[…, dFF]`.
  case up
  /// What goes into `down_proj`: `[…, dFF]`.
  case hidden
  /// A mixture's router before softmax or sigmoid: `[…, experts]`.
  case routerLogits = "router_logits"
  /// The experts that the router chose, the best first: `[…, topK]`.
  case expertIndices = "expert_indices"
  /// What weights them: `[…, topK]`.
  case expertWeights = "expert_weights"

  /// The place in `allCases`.
  var place: Int {
    switch self {
    case .gate: 0
    case .up: 1
    case .hidden: 2
    case .routerLogits: 3
    case .expertIndices: 4
    case .expertWeights: 5
    }
  }
}

struct ActivationSet: OptionSet, Sendable {
  let rawValue: Int

  init(rawValue: Int) {
    self.rawValue = rawValue
  }

  init(_ activation: Activation) {
    rawValue = 1 << activation.place
  }

  func contains(_ activation: Activation) -> Bool { contains(ActivationSet(activation)) }
}

extension FFNRequest {
  /// What a body may ask for, beyond what its own bytes bound.
  struct Limits: Sendable {
    /// Elements of all weights together.
    var weightsElements: Int
    /// The body is longer than any tensor in it has elements; a limit of the body is one for the input.
    var inputElements: Int
  }

  /// Reads the body's bytes into tensors; see ``FFNMembers``.
  ///
  /// - Throws: `.json` for what is not JSON (400) or not such an object (422), then what `FFNMembers.resolved` throws.
  init(
    decoding body: [UInt8], limits: Limits, asksForGradient: Bool = false, crew: Crew? = nil
  ) throws(APIError) {
    var members = FFNMembers(limits: limits, asksForGradient: asksForGradient)
    try JSONReader.readBody(body[...], crew: crew) { reader throws(JSONError) in try members.read(from: &reader) }
    self = try members.resolved()
  }
}

/// The members of the body's object as they stood there, each right by itself.
struct FFNMembers {
  private let limits: FFNRequest.Limits
  private let asksForGradient: Bool
  private var model: String?
  private var layer: LayerReference?
  private var input: WireTensor?
  private var experts: ExpertsMember?
  private var gradOutput: WireTensor?
  private var wantsWeightsGradient = false
  private var activations: ActivationSet = []
  private var general = GeneralMembers()
  private var variant: Gate?
  private var parameters = GateParameterMembers()
  private var weights: [LayerTensor: Tensor]?

  /// - Parameter asksForGradient: whether `grad_output` and `weights_gradient` are members.
  init(limits: FFNRequest.Limits, asksForGradient: Bool) {
    self.limits = limits
    self.asksForGradient = asksForGradient
  }

  /// Reads the object at the cursor. Throws at the first member that is unknown, stands twice or cannot be what it is.
  mutating func read(from reader: inout JSONReader) throws(JSONError) {
    var keys = KeySet()
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "model": model = try reader.readString()
      case "layer": layer = try LayerReference(reading: &reader)
      case "input": input = try reader.readTensor(limit: TensorLimits(maxElements: limits.inputElements))
      case "experts":
        experts = try ExpertsMember(reading: &reader, limits: TensorLimits(maxElements: limits.inputElements))
      case "grad_output" where asksForGradient:
        gradOutput = try reader.readTensor(limit: TensorLimits(maxElements: limits.inputElements))
      case "weights_gradient" where asksForGradient: wantsWeightsGradient = try reader.readBool()
      case "activations": activations = try Self.readActivations(&reader)
      case "variant": variant = try reader.readWord(Gate.init(wireName:))
      case "weights": weights = try readWeights(&reader)
      default:
        if try general.read(key, from: &reader) { return }
        guard try parameters.read(key, from: &reader) else { throw .here(.unknownMember) }
      }
    }
  }

  private static func readActivations(_ reader: inout JSONReader) throws(JSONError) -> ActivationSet {
    var activations: ActivationSet = []
    try reader.readArray { reader, _ throws(JSONError) in
      let activation = ActivationSet(try reader.readWord(Activation.init(rawValue:)))
      guard activations.insert(activation).inserted else { throw .here(.duplicateMember) }
    }
    return activations
  }

  private func readWeights(_ reader: inout JSONReader) throws(JSONError) -> [LayerTensor: Tensor] {
    var weights: [LayerTensor: Tensor] = [:]
    var remaining = limits.weightsElements
    try reader.readObject { reader, key throws(JSONError) in
      guard let name = LayerTensor(rawValue: key) else { throw .here(.unknownMember) }
      guard weights[name] == nil else { throw .here(.duplicateMember) }
      let tensor = try reader.readTensor(limit: TensorLimits(maxElements: remaining)).tensor
      remaining -= tensor.shape.count
      weights[name] = tensor
    }
    return weights
  }

  /// The request that the members make together.
  ///
  /// - Throws: `.missingMember`, `.conflictingMember`, `.gateParameter`, or what the weights' shapes give.
  func resolved() throws(APIError) -> FFNRequest {
    guard let input else { throw .missingMember("input") }
    if asksForGradient, gradOutput == nil { throw .missingMember("grad_output") }
    return FFNRequest(
      subject: try subject(), input: input, experts: experts?.given, missing: experts?.missing,
      gradient: gradOutput.map { GradientQuestion(gradOutput: $0.tensor, wantsWeights: wantsWeightsGradient) },
      activations: activations, encoding: general.encoding ?? input.encoding, timeout: general.timeout,
      id: general.id)
  }

  private func subject() throws(APIError) -> FFNRequest.Subject {
    guard let weights else {
      if variant != nil { throw .memberNeedsWeights("variant") }
      if let parameter = parameters.first { throw .memberNeedsWeights(parameter.rawValue) }
      return .served(model: model, layer: layer)
    }
    if model != nil { throw .memberExcludesWeights("model") }
    if layer != nil { throw .memberExcludesWeights("layer") }
    if experts != nil { throw .memberExcludesWeights("experts") }
    guard let variant else { throw .missingMember("variant") }
    return .given(try GivenLayer(gate: try parameters.applied(to: variant), tensors: weights))
  }
}

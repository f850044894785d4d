internal import Batching
internal import FeedForward
internal import TensorCoding

/// What `POST /v1/gated-conv` asks for, once its body has been read and its members go together.
struct GatedConvolutionRequest: Sendable {
  enum Subject: Sendable {
    /// A convolution of a loaded model; nil is the default of each.
    case served(model: String?, layer: LayerReference?)
    case given(GivenConvolution)
  }

  let subject: Subject
  let input: WireTensor
  /// The form of the output; the input's where the request does not say.
  let encoding: TensorEncoding
  /// From the first byte of the request on.
  let timeout: Nanoseconds?
  let id: String?

  /// Reads the body's bytes into tensors.
  ///
  /// - Throws: `.json` for what is not JSON (400) or not such an object (422), then what
  ///   `GatedConvolutionMembers.resolved` throws.
  init(decoding body: [UInt8], limits: FFNRequest.Limits, crew: Crew?) throws(APIError) {
    var members = GatedConvolutionMembers(limits: limits)
    try JSONReader.readBody(body[...], crew: crew) { reader throws(JSONError) in try members.read(from: &reader) }
    self = try members.resolved()
  }

  init(subject: Subject, input: WireTensor, encoding: TensorEncoding, timeout: Nanoseconds?, id: String?) {
    self.subject = subject
    self.input = input
    self.encoding = encoding
    self.timeout = timeout
    self.id = id
  }
}

/// The members of the body's object as they stood there, each right by itself.
struct GatedConvolutionMembers {
  private let limits: FFNRequest.Limits
  private var model: String?
  private var layer: LayerReference?
  private var input: WireTensor?
  private var general = GeneralMembers()
  private var variant: Gate?
  private var weights: GivenConvolution.Tensors?
  private var residual: GivenConvolution.Residual?

  init(limits: FFNRequest.Limits) {
    self.limits = limits
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
      case "variant": variant = try reader.readWord(Self.gate)
      case "residual": residual = try reader.readWord(GivenConvolution.Residual.init(rawValue:))
      case "weights": weights = try GivenConvolution.Tensors(reading: &reader, elements: limits.weightsElements)
      default: guard try general.read(key, from: &reader) else { throw .here(.unknownMember) }
      }
    }
  }

  /// The gates of a convolution.
  private static func gate(_ name: String) -> Gate? {
    switch Gate(wireName: name) {
    case .glu?: .glu
    case .gtu?: .gtu
    default: nil
    }
  }

  /// The request that the members make together.
  ///
  /// - Throws: `.missingMember`, `.memberNeedsWeights`, `.memberExcludesWeights`, or what the weights' shapes give.
  func resolved() throws(APIError) -> GatedConvolutionRequest {
    guard let input else { throw .missingMember("input") }
    return GatedConvolutionRequest(
      subject: try subject(), input: input, encoding: general.encoding ?? input.encoding, timeout: general.timeout,
      id: general.id)
  }

  private func subject() throws(APIError) -> GatedConvolutionRequest.Subject {
    guard let weights else {
      if variant != nil { throw .memberNeedsWeights("variant") }
      if residual != nil { throw .memberNeedsWeights("residual") }
      return .served(model: model, layer: layer)
    }
    if model != nil { throw .memberExcludesWeights("model") }
    if layer != nil { throw .memberExcludesWeights("layer") }
    guard let variant else { throw .missingMember("variant") }
    return .given(try GivenConvolution(gate: variant, weights, residual: residual ?? .blocks))
  }
}

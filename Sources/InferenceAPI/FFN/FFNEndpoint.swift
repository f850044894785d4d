internal import Batching
internal import FeedForward
internal import HTTP1
internal import TensorCoding

// POST /v1/ffn and POST /v1/ffn/gradient.

extension InferenceAPI {
  func computeFFN(_ call: Call) { compute(call, asksForGradient: false) }

  func computeGradient(_ call: Call) { compute(call, asksForGradient: true) }

  private func compute(_ call: Call, asksForGradient: Bool) {
    guard let catalog else { return call.fail(.notReady) }
    call.watchForCancellation()
    decode(call, BodySize(text: call.bodyBytes)) { [self] place in
      submitFFN(call, catalog, asksForGradient, at: place)
    }
  }

  private func submitFFN(_ call: Call, _ catalog: ModelCatalog, _ asksForGradient: Bool, at place: DecodingPlace) {
    let started = MonotonicClock.now()
    do {
      let request = try FFNRequest(
        decoding: call.takeBody(), limits: requestLimits, asksForGradient: asksForGradient, crew: place.crew)
      let subject = try catalog.resolve(request.subject)
      call.isAbout(subject.label, rows: request.input.tensor.shape.leading)
      try subject.check(
        request.input.tensor.shape, request.activations, request.experts, missing: request.missing, configuration)
      if let gradient = request.gradient { try subject.check(gradient, request, configuration) }
      let forward = ForwardRequest(
        subject: subject.layer, input: request.input.tensor, experts: request.experts,
        missing: request.missing ?? .refuse, activations: request.activations,
        deadline: call.deadline(after: request.timeout),
        gradient: request.gradient)
      try compute(call, forward, decodedSince: started, at: place) { result in
        FFNReply(request: request, subject: subject, result: result)
      }
    } catch {
      call.fail(error, timing: RequestTiming(decode: MonotonicClock.now() - started, queue: place.waited))
    }
  }
}

/// The layer of a request, found.
struct FFNSubject: Sendable {
  let layer: ForwardRequest.Subject
  /// Nil for weights given in the request.
  let label: LayerLabel?
  let gate: Gate
  let dIn: Int
  let dOut: Int
  let widths: ActivationWidths
  let multiplyAddsOfRow: Int

  init(_ block: Block, label: LayerLabel) {
    self.layer = .packed(block)
    self.label = label
    (gate, dIn, dOut) = (block.gate, block.dIn, block.dOut)
    widths = ActivationWidths(block)
    multiplyAddsOfRow = block.multiplyAddsOfRow
  }

  init(_ layer: GivenLayer) {
    self.layer = .given(layer)
    label = nil
    (gate, dIn, dOut) = (layer.gate, layer.dIn, layer.dOut)
    widths = ActivationWidths(dFF: layer.dFF)
    multiplyAddsOfRow = layer.dFF * (2 * layer.dIn + (layer.hasDownProjection ? layer.dOut : 0))
  }

  /// Checks what neither the body nor the layer can say alone.
  ///
  /// - Throws: `.notFeedForward`, `.inputWidth`, `.tooManyRows`, `.activationAbsent`, `.experts`.
  ///
  /// - Parameter missing: what the request says of experts that are not here; nil where it has no `experts`.
  func check(
    _ shape: Shape, _ activations: ActivationSet, _ experts: GivenExperts?, missing: MissingExperts?,
    _ configuration: APIConfiguration
  ) throws(APIError) {
    if case .packed(.convolution) = layer { throw .notFeedForward }
    guard shape.last == dIn else { throw .inputWidth(found: shape, expected: dIn) }
    for activation in Activation.allCases where activations.contains(activation) {
      // Experts that the request chose have passed no router.
      guard widths[activation] > 0, experts == nil else {
        throw .activationAbsent(activation, isMixture: widths.isMixture)
      }
    }
    if let missing {
      guard case .packed(.mixture(let mixture)) = layer else { throw .experts(.noMixture) }
      try experts?.check(mixture, input: shape, missing: missing)
    }
    let limit = rowsLimit(configuration, activations, choices: experts?.choices)
    if shape.leading > limit { throw .tooManyRows(found: shape.leading, limit: limit) }
  }

  /// Rows of one request, so that neither its reply, nor the workspace, nor the time of a worker grows without bound: a
  /// layer that comes with its request has any shape.
  ///
  /// - Parameter choices: experts that every row brings.
  func rowsLimit(
    _ configuration: APIConfiguration, _ activations: ActivationSet = [], choices: Int? = nil
  ) -> Int {
    let elements = configuration.resultElementsLimit
    let byReply = elements / (dOut + widths.total(of: activations))
    // The engine holds the hidden rows of one chunk.
    let byWorkspace = elements / widths.hidden < Workspace.chunkRows ? elements / widths.hidden : .max
    let byTime = configuration.multiplyAddsLimit / passMultiplyAdds(choices)
    return min(byReply, byWorkspace, byTime)
  }

  /// Multiply–adds of a row at most, which with experts of its own may have more of them than the router would choose.
  func passMultiplyAdds(_ choices: Int?) -> Int {
    let topK = widths[.expertWeights]
    return multiplyAddsOfRow * (choices.map { ($0 + topK - 1) / topK } ?? 1)
  }
}

extension ModelCatalog {
  /// - Throws: `.noModel`, `.unknownModel`, `.unknownLayer`, `.layerNotReady`.
  func resolve(_ subject: FFNRequest.Subject) throws(APIError) -> FFNSubject {
    switch subject {
    case .given(let given):
      return FFNSubject(given)
    case .served(let name, let reference):
      let (block, label) = try block(name, reference)
      return FFNSubject(block, label: label)
    }
  }

  /// The layer that a request names; nil is the default of each.
  ///
  /// - Throws: as above.
  func block(_ name: String?, _ reference: LayerReference?) throws(APIError) -> (Block, LayerLabel) {
    let model = try self.model(name)
    let served = try model.layer(reference)
    guard let block = served.block else { throw .layerNotReady(layer: served.name, model: model.name) }
    return (block, model.label(of: served, block))
  }

  private func model(_ name: String?) throws(APIError) -> ServedModel {
    guard let name else {
      guard let defaultModel else { throw .noModel }
      return defaultModel
    }
    guard let model = self[name] else { throw .unknownModel(name) }
    return model
  }
}

extension ServedModel {
  fileprivate func layer(_ reference: LayerReference?) throws(APIError) -> ServedLayer {
    guard let reference else { return layers[defaultLayer] }
    guard let place = place(of: reference) else { throw .unknownLayer(reference, model: name) }
    return layers[place]
  }

  /// Where among its layers the one is; nil where there is no such.
  func place(of reference: LayerReference) -> Int? {
    switch reference {
    case .index(let index): layers.indices.contains(index) ? index : nil
    case .name(let name): place(ofLayer: name)
    }
  }
}

internal import Batching
internal import FeedForward
internal import HTTP1
internal import TensorCoding

// Every error of every room on its way to the client. No switch here has a default: a new case of an error does not
// compile until somebody has said which problem it is.

extension Problem {
  init(_ error: APIError) {
    switch error {
    case .unauthorized(let isPresented):
      // RFC 6750, section 3: the error is named where there was something wrong with what was presented.
      self.init(
        type: .unauthorized,
        detail: isPresented ? "The key is none that is let in." : "Expected a key: Authorization: Bearer …",
        fields: [
          (.wwwAuthenticate, isPresented ? #"Bearer realm="sluice", error="invalid_token""# : #"Bearer realm="sluice""#)
        ])
    case .rateLimited(let seconds):
      self.init(
        type: .rateLimited, detail: "The key's next request may come in \(seconds) s.",
        fields: [(.retryAfter, String(seconds))])
    case .concurrencyLimited(let limit):
      self.init(
        type: .concurrencyLimited, detail: "The key may have \(limit) requests under way.", fields: [(.retryAfter, "1")]
      )
    case .unknownRoute:
      self.init(type: .unknownRoute, detail: "The API's paths stand in /openapi.yaml.")
    case .methodNotAllowed(let method, let allow):
      let names = allow.map(\.name).joined(separator: ", ")
      self.init(
        type: .methodNotAllowed, detail: "\(method.name) is none of \(names).", fields: [(.allow, names)])
    case .unsupportedMediaType(let found):
      self.init(
        type: .unsupportedMediaType,
        detail: found.map { "Expected application/json, found \($0)." }
          ?? "The body needs a Content-Type of application/json.",
        fields: [(.accept, "application/json")])
    case .contentTooLarge(let limit):
      self.init(type: .contentTooLarge, detail: "The body may have \(limit) bytes.")
    case .missingBody:
      self.init(type: .missingBody, detail: "Expected a JSON object.")
    case .json(let error):
      self.init(error)
    case .missingMember(let name):
      self.init(.mismatch(pointer: "", .missingMember(name)))
    case .memberNeedsWeights(let name):
      self.init(
        type: .conflictingMember, detail: "The member \"\(name)\" goes with \"weights\", and there are none.",
        location: .pointer("/" + name))
    case .memberExcludesWeights(let name):
      self.init(.mismatch(pointer: "/" + name, .conflictingMember("weights")))
    case .memberExcludes(let name, let other):
      self.init(.mismatch(pointer: "/" + name, .conflictingMember(other)))
    case .gateParameter(let parameter, let gate):
      let known = gate.parameters.contains { $0.name == parameter }
      self.init(
        type: known ? .invalidValue : .conflictingMember,
        detail: known
          ? "The parameter \"\(parameter.rawValue)\" of \(gate.wireName) has to be above 0."
          : "The formula of \(gate.wireName) has no parameter \"\(parameter.rawValue)\".",
        location: .pointer("/" + parameter.rawValue))
    case .missingWeights(let name):
      self.init(.mismatch(pointer: "/weights", .missingMember(name.rawValue)))
    case .weightsRank(let name, let found, let expected):
      self.init(
        type: .shapeMismatch,
        detail: "\(name.rawValue) has \(expected) dimension\(expected == 1 ? "" : "s"), found the shape \(found).",
        location: .pointer("/weights/" + name.rawValue))
    case .weights(let error):
      self.init(error)
    case .noModel:
      self.init(type: .unknownModel, detail: "No model is loaded, and the request names none.")
    case .unknownModel(let name):
      self.init(
        type: .unknownModel, detail: "There is no model \"\(name)\"; /v1/models lists them.",
        location: .pointer("/model"))
    case .unknownLayer(let layer, let model):
      self.init(
        type: .unknownLayer, detail: "The model \"\(model)\" has no layer \(layer); /v1/models/\(model) lists them.",
        location: .pointer("/layer"))
    case .unknownVersion(let version):
      self.init(
        type: .unknownModel, detail: "There is no version \"\(version)\": every model has the version 1.")
    case .modelControlOff:
      self.init(
        type: .modelControlOff, detail: "Models are loaded and unloaded by clients where --model-repository is given.")
    case .store(let error):
      self.init(error)
    case .openInference(let flaw):
      self.init(flaw)
    case .inputWidth(let found, let expected):
      self.init(
        type: .shapeMismatch,
        detail: "The layer takes rows of \(expected) numbers; the input's shape is \(found).",
        location: .pointer("/input"))
    case .tooManyRows(let found, let limit):
      self.init(
        type: .invalidValue,
        detail: "The input has \(found) rows; with this layer one request may have \(limit).",
        location: .pointer("/input"))
    case .activationAbsent(let activation, let isMixture):
      self.init(
        type: .conflictingMember,
        detail: isMixture
          ? "A mixture of experts has no \(activation.rawValue) here: ask for what its own router finds."
          : "The layer is no mixture of experts and has no \(activation.rawValue).",
        location: .pointer("/activations"))
    case .experts(let flaw):
      self.init(flaw)
    case .memberRank(let pointer, let found, let expected):
      self.init(
        type: .shapeMismatch,
        detail: "Expected \(expected) dimension\(expected == 1 ? "" : "s"), found the shape \(found).",
        location: .pointer(pointer))
    case .convolution(let error, let pointer):
      self.init(error, pointer)
    case .notFeedForward:
      self.init(
        type: .conflictingMember, detail: "The layer is a gated convolution: /v1/gated-conv computes it.",
        location: .pointer("/layer"))
    case .notConvolution:
      self.init(
        type: .conflictingMember, detail: "The layer is no gated convolution: /v1/ffn computes it.",
        location: .pointer("/layer"))
    case .sequenceShape(let found, let channels):
      self.init(
        type: .shapeMismatch,
        detail: "Expected [length, \(channels)] or [batch, length, \(channels)], found the shape \(found).",
        location: .pointer("/input"))
    case .tooManyPositions(let found, let limit):
      self.init(
        type: .invalidValue,
        detail: "The input has \(found) positions; with this convolution one request may have \(limit).",
        location: .pointer("/input"))
    case .gradOutputShape(let found, let expected):
      self.init(
        type: .shapeMismatch, detail: "The output has the shape \(expected), grad_output has \(found).",
        location: .pointer("/grad_output"))
    case .weightsGradientTooLarge(let elements, let limit):
      self.init(
        type: .invalidValue,
        detail: "The layer's weights have \(elements) gradients; one reply may hold \(limit).",
        location: .pointer("/weights_gradient"))
    case .operandShapes(let a, let b):
      self.init(
        type: .shapeMismatch, detail: "The shape of b is \(b), that of a is \(a); they have to be the same.",
        location: .pointer("/b"))
    case .splitDimension(let dim, let shape):
      self.init(
        type: .invalidValue,
        detail: "The input's shape is \(shape): dim may be from \(-shape.rank) to \(shape.rank - 1), found \(dim).",
        location: .pointer("/dim"))
    case .oddSplit(let dim, let shape):
      self.init(
        type: .shapeMismatch,
        detail: "The input's shape is \(shape): its dimension \(dim) is odd and has no halves.",
        location: .pointer("/input"))
    case .tooManyElements(let member, let found, let limit):
      self.init(
        type: .invalidValue, detail: "\(member) has \(found) elements; one request may have \(limit).",
        location: .pointer("/" + member))
    case .nonFinite(let tensor, let index):
      self.init(
        type: .nonFiniteOutput, detail: "\(tensor)\(index) is not finite; JSON has no such number.",
        location: .element(tensor: tensor, index: index))
    case .notReady:
      self.init(
        type: .notReady, detail: "/readyz says when it is ready.", fields: [(.retryAfter, "1")])
    case .layerNotReady(let layer, let model):
      self.init(
        type: .notReady, detail: "The layer \"\(layer)\" of \"\(model)\" is still being packed.",
        fields: [(.retryAfter, "1")])
    case .draining:
      self.init(type: .draining, detail: nil, fields: [(.retryAfter, "1")])
    case .admission(let error):
      self.init(error)
    case .deadlineExceeded:
      self.init(type: .deadlineExceeded, detail: "The request's timeout_ms passed while it waited.")
    }
  }

  init(_ error: TransportFailure) {
    switch error {
    case .malformed(let error): self.init(error)
    case .contentCodingUnsupported:
      self.init(type: .unsupportedMediaType, detail: "The body's Content-Encoding is none that the server undoes.")
    case .contentUndecodable:
      self.init(type: .malformedRequest, detail: "The body does not decode as its Content-Encoding says.")
    case .contentTooLarge(let limit): self.init(APIError.contentTooLarge(limit: limit))
    case .outOfMemory: self.init(type: .overloaded, detail: nil, fields: [(.retryAfter, "1")])
    case .plainHTTPOnTLSPort:
      self.init(type: .malformedRequest, detail: "This port speaks HTTPS; the request came in clear.")
    case .requestTimeout: self.init(type: .requestTimeout, detail: nil)
    case .answerTimeout: self.init(type: .deadlineExceeded, detail: nil)
    case .unanswered: self.init(type: .internalError, detail: nil)
    case .tooManyConnections: self.init(type: .tooManyConnections, detail: nil, fields: [(.retryAfter, "1")])
    }
  }

  private init(_ error: ProtocolError) {
    let type: ProblemType =
      switch error {
      case .methodTooLong, .transferCodingUnsupported: .notImplemented
      case .targetTooLong: .uriTooLong
      case .versionUnsupported: .versionNotSupported
      case .headTooLarge, .tooManyFields, .trailersTooLarge: .fieldsTooLarge
      case .contentTooLarge: .contentTooLarge
      case .expectationUnsupported: .expectationFailed
      case .methodMalformed, .targetMalformed, .targetFormMismatch, .versionMalformed, .bareLineFeed,
        .bareCarriageReturn, .fieldNameMalformed, .colonMissing, .whitespaceBeforeColon, .lineFolded,
        .fieldValueMalformed, .hostMissing, .hostRepeated, .hostMalformed, .contentLengthMalformed,
        .contentLengthRepeated, .contentLengthWithTransferEncoding, .transferEncodingMalformed,
        .transferEncodingInHTTP10, .chunkedNotLast, .chunkSizeMalformed, .chunkSizeOverflow,
        .chunkExtensionMalformed, .chunkLineTooLong, .chunkExtensionsTooLarge, .chunkUnterminated:
        .malformedRequest
      }
    self.init(type: type, detail: error.explanation)
  }

  private init(_ error: AdmissionError) {
    let seconds = String(error.retryAfterSeconds)
    switch error {
    case .queueFull:
      self.init(
        type: .overloaded, detail: "What waits is worked off in about \(seconds) s.", fields: [(.retryAfter, seconds)])
    case .draining:
      self.init(type: .draining, detail: nil, fields: [(.retryAfter, seconds)])
    }
  }

  private init(_ error: LayerError) {
    switch error {
    case .shape(let tensor, let found, let expected):
      self.init(
        type: .shapeMismatch, detail: "\(tensor.rawValue) has the shape \(found); the others ask for \(expected).",
        location: .pointer("/weights/" + tensor.rawValue))
    case .empty(let tensor):
      self.init(
        type: .shapeMismatch, detail: "\(tensor.rawValue) has a dimension of size 0.",
        location: .pointer("/weights/" + tensor.rawValue))
    case .biasWithoutProjection(let tensor):
      self.init(
        type: .conflictingMember, detail: "\(tensor.rawValue) is the bias of a projection that is not there.",
        location: .pointer("/weights/" + tensor.rawValue))
    // No request brings a norm.
    case .hiddenNorm, .outOfMemory, .unreadable:
      self.init(type: .internalError, detail: nil)
    }
  }

  /// - Parameter pointer: to the layer's object.
  private init(_ error: ConvolutionError, _ pointer: String) {
    let text = error.description
    let detail = text.prefix(1).uppercased() + text.dropFirst() + "."
    switch error {
    case .length(.bias, _, _):
      self.init(type: .shapeMismatch, detail: detail, location: .pointer("\(pointer)/bias"))
    case .empty, .oddOutputs, .channels, .length(.magnitude, _, _):
      self.init(type: .shapeMismatch, detail: detail, location: .pointer("\(pointer)/conv"))
    case .width:
      self.init(type: .invalidValue, detail: detail, location: .pointer("\(pointer)/conv"))
    case .gate:
      self.init(type: .invalidValue, detail: detail, location: .pointer("/variant"))
    case .outOfMemory, .unreadable:
      self.init(type: .internalError, detail: nil)
    }
  }

  private init(_ flaw: GivenExperts.Flaw) {
    switch flaw {
    case .noMixture:
      self.init(
        type: .conflictingMember, detail: "The layer is no mixture of experts.", location: .pointer("/experts"))
    case .shape(let member, let found, let expected):
      self.init(
        type: .shapeMismatch,
        detail: "\(member.rawValue) has the shape \(found), expected \(expected).",
        location: .pointer("/experts/" + member.rawValue))
    case .tooManyChoices(let found, let experts):
      self.init(
        type: .shapeMismatch, detail: "A row names \(found) experts; the layer has \(experts).",
        location: .pointer("/experts/indices"))
    case .rounded:
      self.init(
        type: .invalidValue, detail: "Indices are FP32: other datatypes would round them.",
        location: .pointer("/experts/indices/datatype"))
    case .index(let pointer, let experts):
      self.init(
        type: .invalidValue, detail: "An expert's index is an integer from 0 to \(experts - 1).",
        location: .pointer("/experts/indices" + pointer))
    case .repeated(let pointer):
      self.init(
        type: .invalidValue, detail: "The row names the expert twice.",
        location: .pointer("/experts/indices" + pointer))
    case .negativeWeight(let pointer):
      self.init(
        type: .invalidValue, detail: "An expert's weight is not negative.",
        location: .pointer("/experts/weights" + pointer))
    case .absent(let pointer, let expert):
      self.init(
        type: .missingExpert, detail: "Expert \(expert) is not here; \"missing\": \"skip\" goes without it.",
        location: .pointer("/experts/indices" + pointer))
    case .routedAbsent(let row, let expert):
      self.init(
        type: .missingExpert,
        detail: """
          The router sends row \(row) to expert \(expert), which is not here; "experts": {"missing": "skip"} goes without \
          it.
          """,
        location: .pointer("/input"))
    }
  }

  private init(_ error: JSONError) {
    switch error {
    case .syntax(let offset, let expected):
      self.init(type: .malformedJSON, detail: "Expected \(expected).", location: .offset(offset))
    case .mismatch(let pointer, let mismatch):
      self.init(mismatch, at: pointer)
    }
  }

  private init(_ mismatch: JSONMismatch, at pointer: String) {
    var place = pointer
    let type: ProblemType
    switch mismatch {
    case .unknownMember: type = .unknownMember
    case .duplicateMember: type = .duplicateMember
    case .conflictingMember: type = .conflictingMember
    case .missingMember(let name):
      // The place where it should stand.
      place += "/" + name
      type = .missingMember
    case .notFiniteInFloat32, .notFiniteInFloat64, .notFinite: type = .nonFiniteInput
    case .emptyDimension, .rankAbove8, .rankBelow1, .ragged, .elementCount, .byteCount, .nesting: type = .shapeMismatch
    case .kind, .notATensor, .notAnInteger, .outOfRange, .tooManyElements, .unknownDatatype, .notBase64,
      .unknownWord, .notNumeric, .notExact:
      type = .invalidValue
    }
    let text = mismatch.description
    self.init(type: type, detail: text.prefix(1).uppercased() + text.dropFirst() + ".", location: .pointer(place))
  }
}

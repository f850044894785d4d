internal import Batching
internal import FeedForward
package import HTTP1
internal import TensorCoding

/// Every reason for which the API answers a request with something else than what it asked for. `ProblemMapping.swift`
/// says which status each becomes.
enum APIError: Error {
  // Who asks.
  /// No key, or one that is not let in.
  case unauthorized(isPresented: Bool)
  case rateLimited(retryAfterSeconds: Int)
  case concurrencyLimited(limit: Int)

  // The request line and the fields.
  case unknownRoute
  case methodNotAllowed(Method, allow: [Method])
  case unsupportedMediaType(found: String?)
  case contentTooLarge(limit: Int)

  // The body and its members.
  case missingBody
  case json(JSONError)
  case missingMember(String)
  /// A member that says something about weights, and there are none.
  case memberNeedsWeights(String)
  /// A member that names a loaded layer beside weights.
  case memberExcludesWeights(String)
  /// Two members of which a request has one.
  case memberExcludes(String, other: String)
  /// The gate's formula has no such parameter, or the parameter cannot have that value.
  case gateParameter(GateParameter, of: Gate)
  case missingWeights(LayerTensor)
  case weightsRank(LayerTensor, found: Shape, expected: Int)
  case weights(LayerError)
  /// A tensor in the request has not the number of dimensions that its meaning asks for.
  case memberRank(_ pointer: String, found: Shape, expected: Int)
  case convolution(ConvolutionError, pointer: String = "/weights")

  // What the request asks for.
  /// The request names no model, and none is loaded.
  case noModel
  case unknownModel(String)
  case unknownLayer(LayerReference, model: String)
  /// Of the model in the path.
  case unknownVersion(String)
  case openInference(OpenInferenceFlaw)
  /// Clients may not choose what this server serves.
  case modelControlOff
  /// A model was not loaded, or not unloaded.
  case store(ModelStoreError)
  /// The input's last dimension is not the layer's.
  case inputWidth(found: Shape, expected: Int)
  /// More rows than the server computes for one request with this layer.
  case tooManyRows(found: Int, limit: Int)
  /// The layer, or the way in which it is computed, has no such inner values.
  case activationAbsent(Activation, isMixture: Bool)
  /// The given experts do not go with the input or with the layer.
  case experts(GivenExperts.Flaw)
  /// The layer is a gated convolution, which another path computes.
  case notFeedForward
  /// The layer is no gated convolution.
  case notConvolution
  /// The input of a convolution is no sequence of its channels, and no batch of them.
  case sequenceShape(found: Shape, channels: Int)
  case tooManyPositions(found: Int, limit: Int)
  case gradOutputShape(found: Shape, expected: Shape)
  /// The gradients of the weights are more than one reply holds.
  case weightsGradientTooLarge(elements: Int, limit: Int)
  /// The operands of a gate have two shapes.
  case operandShapes(a: Shape, b: Shape)
  /// The input has no such dimension to be split.
  case splitDimension(Int, of: Shape)
  /// The dimension has no halves.
  case oddSplit(Int, of: Shape)
  /// More elements than one reply holds results for.
  case tooManyElements(member: String, found: Int, limit: Int)
  case nonFinite(tensor: String, index: [Int])

  // The server's condition.
  case notReady
  case layerNotReady(layer: String, model: String)
  /// Asked to stop: only `/readyz` says it this way; refused work is `.admission`.
  case draining
  case admission(AdmissionError)
  case deadlineExceeded
}

/// What ended a request in the transport, before or beside the API: the server words none of its answers itself.
package enum TransportFailure: Error, Sendable {
  case malformed(ProtocolError)
  /// The body is in a content coding that the transport does not undo.
  case contentCodingUnsupported
  /// The body does not decode as its content coding says.
  case contentUndecodable
  /// The body grew beyond what may be held of it as it was decoded.
  case contentTooLarge(limit: Int)
  /// There was no memory to decode the body.
  case outOfMemory
  case plainHTTPOnTLSPort
  /// The rest of the request did not come in time.
  case requestTimeout
  /// The answer was not there in time.
  case answerTimeout
  /// Nobody answered: a fault of the program.
  case unanswered
  case tooManyConnections
}

internal import HTTP1

// What is asked about the server itself: health, the description of the API, and what a path takes.

extension InferenceAPI {
  /// GET /livez: the process answers.
  func answerLive(_ call: Call) {
    call.answer(.text("live\n"))
  }

  /// GET /readyz: requests are worth sending here: all models given at the start have been packed, and nobody has asked
  /// the server to stop. What is loaded or unloaded later does not change it.
  func answerReady(_ call: Call) {
    if isDraining { return call.fail(.draining) }
    if !store.isReady { return call.fail(.notReady) }
    call.answer(.text("ready\n"))
  }

  /// GET /openapi.yaml: the file of that name, embedded when the program was built (media type: RFC 9512).
  func answerOpenAPI(_ call: Call) {
    call.answer(Response(.ok, [.contentType: "application/yaml"], body: PackageResources.openapi_yaml))
  }
}

extension Response {
  /// The answer to OPTIONS (RFC 9110, section 9.3.7).
  static func options(_ allow: [Method]) -> Response {
    Response(.noContent, [.allow: allow.map(\.name).joined(separator: ", ")])
  }
}

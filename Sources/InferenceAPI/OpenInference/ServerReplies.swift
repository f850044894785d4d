internal import HTTP1
internal import TensorCoding

// What the Open Inference Protocol asks about the server itself.

extension InferenceAPI {
  /// The extensions of the protocol that clients ask for by name before they use them.
  private static let extensions = [
    "binary_tensor_data", "model_configuration", "model_repository", "schedule_policy", "statistics",
  ]

  /// GET /v2
  func describeServer(_ call: Call) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.string("sluice", as: "name")
      writer.string(configuration.version, as: "version")
      writer.member("extensions")
      writer.array { writer in Self.extensions.forEach { writer.string($0) } }
    }
    call.answer(.json(writer))
  }

  /// GET /v2/health/live
  func answerServerLive(_ call: Call) {
    call.answer(.state("live"))
  }

  /// GET /v2/health/ready: as `/readyz`.
  func answerServerReady(_ call: Call) {
    if isDraining { return call.fail(.draining) }
    if !store.isReady { return call.fail(.notReady) }
    call.answer(.state("ready"))
  }
}

extension Response {
  /// `{"live":true}`: clients look at the status only.
  fileprivate static func state(_ name: StaticString) -> Response {
    var writer = JSONWriter(reserving: 32)
    writer.object { writer in
      writer.member(name)
      writer.bool(true)
    }
    return .json(writer)
  }
}

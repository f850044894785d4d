internal import HTTP1
internal import TensorCoding

// The model repository extension: what could be served, and models that come and go while others are asked. A model of
// the repository is a checkpoint with all its layers.

extension InferenceAPI {
  /// POST /v2/repository/index
  func listRepository(_ call: Call) {
    do {
      let onlyReady = try RepositoryQuestion(decoding: call.takeBody()).onlyReady
      var writer = JSONWriter()
      writer.array { writer in
        for entry in store.entries where !onlyReady || entry.state == .ready { writer.entry(entry) }
      }
      call.answer(.json(writer))
    } catch {
      call.fail(error)
    }
  }

  /// POST /v2/repository/models/{model}/load: answered when the model is served, or is not going to be.
  func loadModel(_ call: Call) {
    let name = call.parameters[0]
    do {
      try admitChange(call)
      call.watchForCancellation()
      store.load(name) { result in
        switch result {
        case .success: call.answer(.nothing)
        case .failure(let error): call.fail(.store(error))
        }
      }
    } catch {
      call.fail(error)
    }
  }

  /// POST /v2/repository/models/{model}/unload: answered at once; the memory goes back with the last request in flight.
  func unloadModel(_ call: Call) {
    let name = call.parameters[0]
    do {
      try admitChange(call)
    } catch {
      return call.fail(error)
    }
    do {
      try store.unload(name)
      call.answer(.nothing)
    } catch {
      call.fail(.store(error))
    }
  }

  /// - Throws: `.modelControlOff` for a server that was not told to let clients choose its models.
  private func admitChange(_ call: Call) throws(APIError) {
    guard store.hasRepository else { throw .modelControlOff }
    _ = try RepositoryQuestion(decoding: call.takeBody())
  }
}

/// The body of a question to the repository, which may be empty: `{"ready": true}` for the index,
/// `{"parameters": {"unload_dependents": false}}` for a change. A configuration or files that come with a request are
/// refused like any unknown member.
private struct RepositoryQuestion {
  private(set) var onlyReady = false

  init(decoding body: [UInt8]) throws(APIError) {
    if body.isEmpty { return }
    try JSONReader.readBody(body[...]) { reader throws(JSONError) in try read(from: &reader) }
  }

  private mutating func read(from reader: inout JSONReader) throws(JSONError) {
    var keys = KeySet()
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "ready": onlyReady = try reader.readBool()
      case "parameters":
        try reader.readObject { reader, key throws(JSONError) in
          // Nothing here depends on another model.
          guard key == "unload_dependents" else { throw .here(.unknownMember) }
          _ = try reader.readBool()
        }
      default: throw .here(.unknownMember)
      }
    }
  }
}

extension JSONWriter {
  fileprivate mutating func entry(_ entry: ModelEntry) {
    object { writer in
      writer.string(entry.name, as: "name")
      writer.string(ServedName.version, as: "version")
      let (state, reason) =
        switch entry.state {
        case .ready: ("READY", "")
        case .loading(let progress): ("LOADING", "\(progress.packedLayers) of \(progress.layers) layers")
        case .unavailable(let reason): ("UNAVAILABLE", reason)
        }
      writer.string(state, as: "state")
      writer.string(reason, as: "reason")
    }
  }
}

extension Response {
  /// `{}`
  fileprivate static var nothing: Response {
    var writer = JSONWriter(reserving: 8)
    writer.object { _ in }
    return .json(writer)
  }
}

internal import HTTP1
internal import TensorCoding

/// What is sent in place of a result: the problem details of RFC 9457, `application/problem+json`.
struct Problem: Sendable {
  /// Where in the request, or in the result, the problem lies: an extension member (RFC 9457, section 3.2).
  enum Location: Sendable, Equatable {
    /// The byte of the body, from 0, at which it ceased to be JSON: `offset`.
    case offset(Int)
    /// The value of the body that is wrong, or the absent one that is required (RFC 6901): `pointer`.
    case pointer(String)
    /// The first number of a result that is not finite, by its index in each dimension: `tensor`, `index`.
    case element(tensor: String, index: [Int])
  }

  let type: ProblemType
  /// What happened this time, for a person; nil where saying it would show the server's inside.
  let detail: String?
  var location: Location?
  /// Fields that the status requires or allows beside the content: `Allow`, `Retry-After`, `Accept`.
  var fields: [(FieldName, String)] = []

  /// The problem as the response to a request, whose log line bears the same id.
  func response(to request: AdmittedRequest, form: ErrorForm) -> Response {
    var response =
      switch form {
      case .problemDetails: details(request.instance)
      case .openInference: openInferenceError
      }
    for (name, value) in fields { response.fields.append(name, value) }
    request.sign(&response)
    return response
  }

  private func details(_ instance: String) -> Response {
    var writer = JSONWriter(reserving: 384)
    writer.object { writer in
      writer.string(type.uri, as: "type")
      writer.string(type.title, as: "title")
      writer.integer(type.status.code, as: "status")
      if let detail { writer.string(detail, as: "detail") }
      writer.string(instance, as: "instance")
      switch location {
      case .offset(let offset): writer.integer(offset, as: "offset")
      case .pointer(let pointer): writer.string(pointer, as: "pointer")
      case .element(let tensor, let index):
        writer.string(tensor, as: "tensor")
        writer.member("index")
        writer.array { writer in index.forEach { writer.integer($0) } }
      case nil: break
      }
    }
    return .json(writer, type.status, mediaType: "application/problem+json")
  }

  /// `{"error": "text"}`, all that clients of the Open Inference Protocol read.
  private var openInferenceError: Response {
    var writer = JSONWriter()
    let text = detail ?? type.title + "."
    writer.object { $0.string(place.map { "\(text.dropLast()) (\($0))." } ?? text, as: "error") }
    return .json(writer, type.status)
  }

  /// A pointer into the request's own JSON as it is; one of `POST /v1/ffn`, by which the rules that both share name a
  /// member, under the protocol's names where the sentence does not say it already.
  private func openInferencePlace(_ pointer: String) -> String? {
    let experts = "/experts/"
    if pointer.hasPrefix(experts) { return "in expert_\(pointer.dropFirst(experts.count))" }
    return ["", "/model", "/layer", "/input", "/activations", "/experts"].contains(pointer) ? nil : "at \(pointer)"
  }

  /// The location in words; an element's index stands in the detail already.
  private var place: String? {
    switch location {
    case .offset(let offset): "at byte \(offset) of the JSON"
    case .pointer(let pointer): openInferencePlace(pointer)
    case .element, nil: nil
    }
  }
}

/// How a problem is told, which the path decides: whoever sends to `/v2` speaks the Open Inference Protocol.
enum ErrorForm: Sendable {
  /// RFC 9457.
  case problemDetails
  case openInference

  init(path: String?) {
    self = path == "/v2" || path?.hasPrefix("/v2/") == true ? .openInference : .problemDetails
  }
}

internal import HTTP1

// The Open Inference Protocol, version 2, over HTTP, with the extensions that `GET /v2` lists. What it calls a model is
// a layer here; ServedName.swift says which.

extension RouteTable {
  /// Literal paths stand before those of the same shape with a name: the first that matches is the answer.
  static let openInference: [Route] =
    [
      Route(.get, "/v2") { $0.describeServer($1) },
      Route(.get, "/v2/") { $0.describeServer($1) },
      Route(.get, "/v2/health/live", for: .probes) { $0.answerServerLive($1) },
      Route(.get, "/v2/health/ready", for: .probes) { $0.answerServerReady($1) },
      Route(.get, "/v2/models/stats") { $0.listStatistics($1) },
      Route(.post, "/v2/repository/index", content: .optional, for: .operators) { $0.listRepository($1) },
      Route(.post, "/v2/repository/models/{model}/load", content: .optional, for: .operators) { $0.loadModel($1) },
      Route(.post, "/v2/repository/models/{model}/unload", content: .optional, for: .operators) { $0.unloadModel($1) },
    ] + ofModel("") + ofModel("/versions/{version}")

  /// The paths of one model, the second parameter being its version.
  private static func ofModel(_ version: String) -> [Route] {
    let model = "/v2/models/{model}" + version
    return [
      Route(.get, model) { $0.describeServedName($1) },
      Route(.get, model + "/ready") { $0.answerModelReady($1) },
      Route(.get, model + "/config") { $0.describeConfiguration($1) },
      Route(.get, model + "/stats") { $0.showStatistics($1) },
      Route(.post, model + "/infer", content: .tensors) { $0.infer($1) },
    ]
  }
}

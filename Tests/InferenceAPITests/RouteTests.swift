import Foundation
import HTTP1
import InferenceAPI
import Testing

@Suite struct RouteTests {
  @Test(arguments: [
    ("/livez", "text/plain; charset=utf-8"), ("/readyz", "text/plain; charset=utf-8"),
    ("/v1/models", "application/json"), ("/v1/models/demo", "application/json"),
    ("/v1/models/d%65mo", "application/json"),
    ("/openapi.yaml", "application/yaml"), ("/livez?verbose=1", "text/plain; charset=utf-8"),
  ])
  func pathAnswersGetAndHead(_ path: String, _ contentType: String) async throws {
    let harness = try Harness()
    let got = await harness.get(path)
    #expect(got.status == 200)
    #expect(got.fields.first(.contentType) == contentType)
    // The answer to HEAD is the one to GET; the encoder keeps the content back.
    let headed = await harness.send("HEAD \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(headed.status == 200)
    #expect(headed.body == got.body)
    #expect(harness.outcomes.all.map(\.method) == [.get, .head])
  }

  @Test(arguments: [
    ("GET", "/", 404, "unknown-route"), ("GET", "/v1", 404, "unknown-route"),
    ("GET", "/v1/models/", 404, "unknown-model"),
    ("GET", "/v1/models/demo/", 404, "unknown-route"), ("GET", "/v1/models/llama", 404, "unknown-model"),
    ("GET", "/v1/models/de%2Fmo", 404, "unknown-model"), ("GET", "/v1/../livez", 404, "unknown-route"),
    ("GET", "//livez", 404, "unknown-route"), ("GET", "/LIVEZ", 404, "unknown-route"),
    ("POST", "/v1/fnn", 404, "unknown-route"), ("GET", "/v1/ffn", 405, "method-not-allowed"),
    ("DELETE", "/v1/models/demo", 405, "method-not-allowed"), ("POST", "/livez", 405, "method-not-allowed"),
    ("BREW", "/livez", 405, "method-not-allowed"), ("get", "/livez", 405, "method-not-allowed"),
  ])
  func pathThatLeadsNowhereIsAProblem(_ method: String, _ path: String, _ status: Int, _ problem: String) async throws {
    let harness = try Harness()
    let answer = await harness.send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(answer.status == status)
    #expect(answer.problem == problem)
    #expect(harness.outcomes.all.count == 1)
  }

  @Test(arguments: [
    ("GET", "/v1/ffn", "POST, OPTIONS"), ("PUT", "/v1/models", "GET, HEAD, OPTIONS"),
    ("OPTIONS", "/v1/ffn", "POST, OPTIONS"), ("OPTIONS", "/livez", "GET, HEAD, OPTIONS"),
    ("OPTIONS", "*", "POST, GET, HEAD, OPTIONS"), ("OPTIONS", "http://localhost", "POST, GET, HEAD, OPTIONS"),
  ])
  func allowNamesTheMethodsOfThePath(_ method: String, _ target: String, _ allow: String) async throws {
    let answer = await (try Harness()).send("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(answer.status == (method == "OPTIONS" ? 204 : 405))
    #expect(answer.fields.first(.allow) == allow)
  }

  @Test(arguments: [
    ("application/json", 200), ("Application/JSON", 200), ("application/json; charset=utf-8", 200),
    ("application/json ;charset=latin1", 200), ("text/plain", 415), ("application/jsonx", 415),
    ("application/json/x", 415),
    ("application/x-www-form-urlencoded", 415), ("", 415), (nil, 415),
  ])
  func bodyIsApplicationJSON(_ contentType: String?, _ status: Int) async throws {
    let harness = try Harness()
    let answer = await harness.send(Harness.post("/v1/ffn", #"{"input":[1,2,3,4]}"#, contentType: contentType))
    #expect(answer.status == status)
    if status == 415 {
      #expect(answer.problem == "unsupported-media-type")
      #expect(answer.fields.first(.accept) == "application/json")
    }
  }

  @Test func declaredLengthIsJudgedOnTheHead() async throws {
    let harness = try Harness { $0.bodyBytesLimit = 19 }
    #expect(await harness.ffn(#"{"input":[1,2,3,4]}"#).status == 200)
    let answer = await harness.ffn(#"{"input":[1,2,3,45]}"#)
    #expect(answer.status == 413)
    #expect(harness.outcomes.all.map(\.route) == ["/v1/ffn", "/v1/ffn"])
    #expect(answer.problem == "content-too-large")
  }

  @Test func chunkedContentMayComeUpToTheLimit() throws {
    let harness = try Harness { $0.bodyBytesLimit = 100 }
    let (head, _) = Harness.parse(
      Array(
        "POST /v1/ffn HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
          .utf8))
    guard case .accept(bodyBytesLimit: 100, _) = harness.api.admit(head) else {
      Issue.record("chunked content is admitted up to the limit")
      return
    }
  }

  @Test func chunkedContentMayTurnOutToBeNone() async throws {
    let answer = await (try Harness()).send(
      "POST /v1/ffn HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    #expect(answer.status == 400)
    #expect(answer.problem == "missing-body")
  }

  @Test func modelsAreListedWithTheirLayers() async throws {
    let harness = try Harness()
    let list = await harness.get("/v1/models")
    #expect(list.json["default_model"] as? String == "demo")
    let models = try #require(list.json["models"] as? [[String: Any]])
    #expect(models.count == 1)
    let one = await harness.get("/v1/models/demo")
    #expect(NSDictionary(dictionary: one.json) == NSDictionary(dictionary: models[0]))
    #expect(one.json["default_layer"] as? String == "swiglu")
    let layers = try #require(one.json["layers"] as? [[String: Any]])
    #expect(layers.compactMap { $0["name"] as? String } == variants)
    #expect(layers.compactMap { $0["variant"] as? String } == variants)
    #expect(layers.compactMap { $0["index"] as? Int } == Array(0..<12))
    for layer in layers {
      #expect(layer["d_model"] as? Int == 4)
      #expect(layer["d_ff"] as? Int == 8)
      #expect(layer["d_out"] as? Int == 4)
      #expect(layer["dtype"] as? String == "F32")
      #expect((layer["bytes"] as? Int ?? 0) >= 4 * (3 * 4 * 8))
    }
    #expect(layers[7]["beta"] as? Double == 1)
    #expect(layers[9]["alpha"] as? Double == 1.702)
    #expect(layers[9]["limit"] as? Double == 7)
    #expect(layers.reduce(0) { $0 + ($1["bytes"] as? Int ?? 0) } == one.json["bytes"] as? Int)
  }
}

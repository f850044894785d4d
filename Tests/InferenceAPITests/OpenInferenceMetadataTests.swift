import Foundation
import HTTP1
import InferenceAPI
import Testing

/// What the Open Inference Protocol asks before it infers: who the server is, what it serves, how it went.
@Suite struct OpenInferenceMetadataTests {
  @Test(arguments: ["/v2", "/v2/"])
  func serverTellsItsExtensions(_ path: String) async throws {
    let harness = try Harness { $0.version = "1.2.3" }
    let answer = await harness.get(path)
    #expect(answer.status == 200)
    #expect(answer.json["name"] as? String == "sluice")
    #expect(answer.json["version"] as? String == "1.2.3")
    let extensions = answer.json["extensions"] as? [String] ?? []
    #expect(Set(extensions).isSuperset(of: ["binary_tensor_data", "model_configuration", "statistics"]))
  }

  @Test func healthIsAStatus() async throws {
    let loading = try Harness([])
    #expect(await loading.get("/v2/health/live").status == 200)
    #expect(await loading.get("/v2/health/ready").status == 503)
    #expect(await loading.get("/v2/models/demo/ready").status == 503)
    let harness = try Harness()
    for path in ["/v2/health/live", "/v2/health/ready", "/v2/models/demo/ready", "/v2/models/demo/versions/1/ready"] {
      #expect(await harness.get(path).status == 200, "\(path)")
    }
    harness.api.announceDraining()
    #expect(await harness.get("/v2/health/live").status == 200)
    #expect(await harness.get("/v2/health/ready").status == 503)
    #expect(await harness.get("/v2/models/demo/ready").status == 503)
  }

  @Test(arguments: [
    "demo", "demo.swiglu", "demo.7", "d%65mo", "demo%2Eswiglu", "demo/versions/1", "demo.0/versions/1",
  ])
  func metadataHasTheRowsOpen(_ name: String) async throws {
    let answer = await (try Harness()).get("/v2/models/\(name)")
    #expect(answer.status == 200)
    let told = name.split(separator: "/")[0].removingPercentEncoding
    #expect(answer.json["name"] as? String == told)
    #expect(answer.json["versions"] as? [String] == ["1"])
    #expect(answer.json["platform"] is String)
    for (member, name) in [("inputs", "input"), ("outputs", "output")] {
      let tensors = try #require(answer.json[member] as? [[String: Any]])
      #expect(tensors.count == 1)
      #expect(tensors[0]["name"] as? String == name)
      #expect(tensors[0]["datatype"] as? String == "FP32")
      #expect(tensors[0]["shape"] as? [Int] == [-1, 4])
    }
  }

  /// The keys that perf_analyzer reads.
  @Test func configurationIsWhatPerfAnalyzerReads() async throws {
    let answer = await (try Harness()).get("/v2/models/demo.reglu/config")
    #expect(answer.status == 200)
    #expect(answer.json["name"] as? String == "demo.reglu")
    #expect((answer.json["max_batch_size"] as? Int ?? 0) > 1)
    #expect(answer.json["dynamic_batching"] is [String: Any])
    #expect(answer.json["sequence_batching"] == nil && answer.json["ensemble_scheduling"] == nil)
    #expect((answer.json["input"] as? [[String: Any]])?.map { $0["name"] as? String } == ["input"])
    #expect((answer.json["input"] as? [[String: Any]])?.map { $0["dims"] as? [Int] } == [[4]])
    #expect((answer.json["output"] as? [[String: Any]])?.map { $0["name"] as? String } == ["output"])
    #expect((answer.json["response_cache"] as? [String: Bool])?["enable"] == false)
    #expect((answer.json["model_transaction_policy"] as? [String: Bool])?["decoupled"] == false)
  }

  @Test func namesWithDotsAreReadFromTheirEnds() async throws {
    let harness = try Harness([Fixture.model("a"), Fixture.model("a.0"), Fixture.model("v1.5")])
    for (name, model, layer) in [
      ("a", "a", "first.mlp"), ("a.1", "a", "second.mlp"), ("a.first.mlp", "a", "first.mlp"),
      ("a.0", "a.0", "first.mlp"),
      ("a.0.1", "a.0", "second.mlp"), ("v1.5", "v1.5", "first.mlp"), ("v1.5.1", "v1.5", "second.mlp"),
      ("v1.5.second.mlp", "v1.5", "second.mlp"),
    ] {
      let metadata = await harness.get("/v2/models/\(name)")
      #expect(metadata.status == 200, "\(name)")
      let inputs = metadata.json["inputs"] as? [[String: Any]]
      let width = layer == "first.mlp" ? 4 : 2
      #expect(inputs?[0]["shape"] as? [Int] == [-1, width], "\(name) is \(layer) of \(model)")
    }
    for name in ["a.2", "a.", "b", "a.third", "v1", "v1.6", ".a"] {
      #expect(await harness.get("/v2/models/\(name)").status == 404, "\(name)")
    }
  }

  @Test(arguments: [
    ("GET", "/v2/models/llama", 404), ("GET", "/v2/models/demo/versions/2", 404), ("GET", "/v2/nothing", 404),
    ("GET", "/v2/models/demo/versions/", 404), ("GET", "/v2/models/de%2Fmo", 404), ("POST", "/v2", 405),
    ("POST", "/v2/models/demo", 405), ("DELETE", "/v2/models/demo/config", 405), ("PUT", "/v2/health/ready", 405),
    ("POST", "/v2/models/stats", 405),
  ])
  func errorsAreOneString(_ method: String, _ path: String, _ status: Int) async throws {
    let answer = await (try Harness()).send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    #expect(answer.status == status)
    #expect(answer.fields.first(.contentType) == "application/json")
    #expect(answer.json.count == 1 && answer.json["error"] is String)
    if status == 405 { #expect(answer.fields.first(.allow) != nil) }
  }

  /// What the transport answers goes by the path too, where it got as far as the path.
  @Test(arguments: [("/v2/models/demo/infer", true), ("/v2", true), ("/v2x", false), ("/v1/ffn", false)])
  func transportFailuresGoByThePath(_ path: String, _ isOpenInference: Bool) throws {
    let (head, _) = Harness.parse(Array("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
    let answer = Answer(try Harness().api.answer(.requestTimeout, to: head))
    #expect(answer.status == 408)
    #expect((answer.json["error"] is String) == isOpenInference)
    #expect((answer.problem != nil) == !isOpenInference)
  }

  @Test func statisticsCountEveryPath() async throws {
    let harness = try Harness()
    for _ in 0..<3 { #expect(await harness.ffn(#"{"layer":"reglu","input":[[1,2,3,4],[4,3,2,1]]}"#).status == 200) }
    #expect(await harness.ffn(#"{"layer":"reglu","input":[[1,2,3]]}"#).status == 422)
    let answer = await harness.get("/v2/models/demo.reglu/stats")
    #expect(answer.status == 200)
    let entries = try #require(answer.json["model_stats"] as? [[String: Any]])
    try #require(entries.count == 1)
    #expect(entries[0]["name"] as? String == "demo.reglu")
    #expect(entries[0]["version"] as? String == "1")
    #expect(entries[0]["inference_count"] as? Int == 6)
    #expect(entries[0]["execution_count"] as? Int == 3)
    let statistics = try #require(entries[0]["inference_stats"] as? [String: [String: Int]])
    for (name, count) in [
      ("success", 3), ("fail", 1), ("queue", 3), ("compute_input", 3), ("compute_infer", 3), ("compute_output", 3),
      ("cache_hit", 0), ("cache_miss", 0),
    ] {
      #expect(statistics[name]?["count"] == count, "\(name)")
      #expect(statistics[name]?["ns"] != nil, "\(name)")
    }
    #expect((statistics["success"]?["ns"] ?? 0) >= (statistics["compute_infer"]?["ns"] ?? .max))

    let all = await harness.get("/v2/models/stats").json["model_stats"] as? [[String: Any]] ?? []
    #expect(all.count == variants.count)
    #expect(all.contains { $0["name"] as? String == "demo" })
    let reglu = variants.firstIndex(of: "reglu") ?? -1
    #expect(all.first { $0["name"] as? String == "demo.\(reglu)" }?["inference_count"] as? Int == 6)
  }
}

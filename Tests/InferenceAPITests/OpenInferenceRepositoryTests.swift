import Checkpoint
import Foundation
import InferenceAPI
import Testing

private typealias Message = OpenInferenceMessage

/// The model repository extension: models come and go while clients ask.
@Suite struct OpenInferenceRepositoryTests {
  private static func post(_ path: String, _ body: String = "") -> [UInt8] {
    Array(
      "POST /v2/repository/\(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        .utf8)
  }

  private static func infer(_ model: String) -> [UInt8] {
    Message.infer(model, #"{"inputs":[{"name":"input","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#)
  }

  private static func harness(_ folder: ModelFolder, _ models: [GivenModel] = []) throws -> Harness {
    try Harness(models, loading: Harness.Loading(repository: try ModelRepository(folder.path)))
  }

  private static func index(_ harness: Harness, _ body: String = "") async -> [[String: String]] {
    let answer = await harness.send(post("index", body))
    #expect(answer.status == 200)
    return (try? JSONSerialization.jsonObject(with: Data(answer.body))) as? [[String: String]] ?? []
  }

  @Test func indexListsWhatIsServedAndWhatCouldBe() async throws {
    let folder = try ModelFolder()
    try folder.write("a", scale: 1)
    try folder.write("b", scale: 1)
    let harness = try Self.harness(folder, [folder.given("a")])
    for body in ["", "{}", #"{"ready":false}"#] {
      let entries = await Self.index(harness, body)
      #expect(entries.map { $0["name"] } == ["a", "b"])
      #expect(entries.map { $0["state"] } == ["READY", "UNAVAILABLE"])
      #expect(entries.map { $0["version"] } == ["1", "1"])
      #expect(entries[0]["reason"] == "" && entries[1]["reason"]?.isEmpty == false)
    }
    #expect(await Self.index(harness, #"{"ready":true}"#).map { $0["name"] } == ["a"])
    #expect(await harness.send(Self.post("index", "{")).status == 400)
    #expect(await harness.send(Self.post("index", #"{"raedy":true}"#)).status == 422)
  }

  /// The bodies are those of tritonclient.
  @Test func modelsAreLoadedExchangedAndUnloaded() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let harness = try Self.harness(folder)
    #expect(await harness.send(Self.infer("m")).status == 404)
    #expect(await harness.send(Self.post("models/m/load", "{}")).status == 200)
    #expect(Inferred(await harness.send(Self.infer("m"))).floats() == [1, 4])
    try folder.write("m", scale: 3)
    #expect(await harness.send(Self.post("models/m/load")).status == 200)
    #expect(Inferred(await harness.send(Self.infer("m"))).floats() == [3, 12])
    let unload = Self.post("models/m/unload", #"{"parameters":{"unload_dependents":false}}"#)
    #expect(await harness.send(unload).status == 200)
    #expect(await harness.send(Self.infer("m")).status == 404)
    #expect(await harness.get("/v2/models/m/ready").status == 404)
    #expect(await Self.index(harness).map { $0["state"] } == ["UNAVAILABLE"])
    #expect(await harness.send(unload).status == 404)
    #expect(await harness.send(Self.post("models/m/load")).status == 200)
    #expect(Inferred(await harness.send(Self.infer("m"))).floats() == [3, 12])
  }

  @Test func aBrokenCheckpointLeavesTheRunningOne() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 2)
    let harness = try Self.harness(folder, [folder.given("m")])
    try folder.breakFile("m")
    let answer = await harness.send(Self.post("models/m/load"))
    #expect(answer.status == 422 && (answer.json["error"] as? String)?.contains("m") == true, "\(answer.text)")
    #expect(Inferred(await harness.send(Self.infer("m"))).floats() == [2, 8])
  }

  @Test(arguments: ["nothing", "..", "%2e%2e%2fetc", ".hidden", "a%2Fb"])
  func whatIsNotInTheRepositoryIsNotLoaded(_ name: String) async throws {
    let harness = try Self.harness(try ModelFolder())
    let answer = await harness.send(Self.post("models/\(name)/load"))
    #expect(answer.status == 404 && answer.json["error"] is String, "\(answer.text)")
  }

  /// A configuration or files in the request are another server's affair, and said to be none of this one's.
  @Test func loadTakesNoOverrides() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let harness = try Self.harness(folder)
    let answer = await harness.send(Self.post("models/m/load", #"{"parameters":{"config":"{}"}}"#))
    #expect(answer.status == 422 && answer.text.contains("/parameters/config"))
    #expect(await harness.send(Self.infer("m")).status == 404)
  }

  @Test(arguments: ["load", "unload"])
  func withoutARepositoryClientsChangeNothing(_ verb: String) async throws {
    let harness = try Harness()
    let answer = await harness.send(Self.post("models/demo/\(verb)"))
    #expect(answer.status == 403 && answer.text.contains("--model-repository"))
    #expect(await harness.get("/v2/models/demo/ready").status == 200)
  }

  /// Eight clients ask while the model is exchanged: nobody is failed, and every answer is of one of the two.
  @Test func exchangeUnderLoadFailsNobody() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let harness = try Self.harness(folder, [folder.given("m")])
    let isDone = ModelStoreTests.Flag()
    await withTaskGroup(of: Int.self) { clients in
      for _ in 0..<8 {
        clients.addTask {
          var answers = 0
          while !isDone.isRaised || answers == 0 {
            let answer = await harness.send(Self.infer("m"))
            let floats = Inferred(answer).floats()
            #expect(answer.status == 200 && [[1, 4], [3, 12]].contains(floats), "\(answer.text)")
            answers += 1
          }
          return answers
        }
      }
      for turn in 0..<20 {
        try? folder.write("m", scale: turn.isMultiple(of: 2) ? 3 : 1)
        #expect(await harness.send(Self.post("models/m/load")).status == 200)
      }
      isDone.raise()
      for await answers in clients { #expect(answers > 0) }
    }
  }
}

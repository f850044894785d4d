import Checkpoint
import FeedForward
import Foundation
import HTTP1
import InferenceAPI
import Synchronization
import Testing

/// Models come and go while requests are answered.
@Suite struct ModelStoreTests {
  /// What is to be done in the background, done when the test says so.
  final class Line: Sendable {
    private let jobs = Mutex<[@Sendable () -> Void]>([])

    var background: @Sendable (@escaping @Sendable () -> Void) -> Void {
      { job in self.jobs.withLock { $0.append(job) } }
    }

    func run() {
      while let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { job() }
    }
  }

  /// The result of the last loading.
  final class Outcome: Sendable {
    private let result = Mutex<Result<Void, ModelStoreError>?>(nil)

    var completion: ModelStore.Completion { { outcome in self.result.withLock { $0 = outcome } } }

    var isSuccess: Bool { if case .success? = result.withLock({ $0 }) { true } else { false } }

    var error: ModelStoreError? {
      if case .failure(let error)? = result.withLock({ $0 }) { error } else { nil }
    }
  }

  /// Raised once.
  final class Flag: Sendable {
    private let raised = Mutex(false)

    var isRaised: Bool { raised.withLock { $0 } }
    func raise() { raised.withLock { $0 = true } }
  }

  static func body(_ model: String) -> String { #"{"model":"\#(model)","input":[1,2]}"# }

  @Test func aModelIsExchangedUnderItsName() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let harness = try Harness([folder.given("m")])
    #expect((await harness.ffn(Self.body("m"))).output == [1, 4])
    try folder.write("m", scale: 3)
    #expect((await harness.ffn(Self.body("m"))).output == [1, 4])
    let outcome = Outcome()
    harness.store.load("m", completion: outcome.completion)
    #expect(outcome.isSuccess)
    #expect((await harness.ffn(Self.body("m"))).output == [3, 12])
  }

  @Test func aBrokenFileLeavesTheRunningModel() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 2)
    let harness = try Harness([folder.given("m")])
    try folder.breakFile("m")
    let outcome = Outcome()
    harness.store.load("m", completion: outcome.completion)
    guard case .checkpoint("m", .safetensors)? = outcome.error else {
      Issue.record("\(String(describing: outcome.error))")
      return
    }
    #expect((await harness.ffn(Self.body("m"))).output == [2, 8])
    #expect(harness.store.entries == [ModelEntry(name: "m", state: .ready)])

    harness.store.reloadAll { #expect($0.count == 1) }
    #expect((await harness.ffn(Self.body("m"))).output == [2, 8])
  }

  @Test func theRepositoryIsLoadedOnDemand() async throws {
    let folder = try ModelFolder()
    let repository = try ModelRepository(folder.path)
    let harness = try Harness([], loading: Harness.Loading(repository: repository))
    #expect((await harness.get("/readyz")).status == 200)
    #expect((await harness.ffn(#"{"input":[1,2]}"#)).problem == "unknown-model")
    #expect(harness.store.entries.isEmpty)

    try folder.write("a", scale: 1)
    try FileManager.default.createDirectory(
      at: folder.url.appending(path: "b"), withIntermediateDirectories: false)
    #expect(
      harness.store.entries == ["a", "b"].map { ModelEntry(name: $0, state: .unavailable(reason: "not loaded")) })
    #expect((await harness.ffn(Self.body("a"))).problem == "unknown-model")

    let a = Outcome()
    harness.store.load("a", completion: a.completion)
    #expect(a.isSuccess)
    #expect((await harness.ffn(Self.body("a"))).output == [1, 4])
    let b = Outcome()
    harness.store.load("b", completion: b.completion)
    #expect(b.error == .checkpoint(model: "b", .noWeights(directory: folder.path + "/b")))
    guard case .unavailable(let reason)? = harness.store.entries.last?.state else {
      Issue.record("\(harness.store.entries)")
      return
    }
    #expect(reason.contains("holds no weights"))
  }

  @Test(arguments: ["", "..", ".hidden", "../a", "a/b", "c", "a.safetensors"])
  func onlyTheRepositorysOwnNamesLead(_ name: String) throws {
    let folder = try ModelFolder()
    try folder.write("a", scale: 1)
    try folder.write(".hidden", scale: 1)
    let harness = try Harness([], loading: Harness.Loading(repository: ModelRepository(folder.path)))
    let outcome = Outcome()
    harness.store.load(name, completion: outcome.completion)
    #expect(outcome.error == .unknownModel(name))
  }

  @Test func whatIsUnloadedIsUnknownAndCanComeAgain() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let harness = try Harness([folder.given("m"), GivenModel(name: "demo", source: .demo)])
    try harness.store.unload("m")
    #expect((await harness.ffn(Self.body("m"))).problem == "unknown-model")
    // The next one is the default meanwhile.
    #expect((await harness.ffn(#"{"input":[1,2,3,4]}"#)).json["model"] as? String == "demo")
    #expect(harness.store.entries.first == ModelEntry(name: "m", state: .unavailable(reason: "unloaded")))
    #expect(throws: ModelStoreError.notLoaded("m")) { try harness.store.unload("m") }
    #expect((await harness.get("/readyz")).status == 200)

    let outcome = Outcome()
    harness.store.load("m", completion: outcome.completion)
    #expect(outcome.isSuccess)
    #expect((await harness.ffn(#"{"input":[1,2]}"#)).output == [1, 4])
  }

  @Test func aLayerAnswersBeforeTheLastIsPacked() async throws {
    let folder = try ModelFolder()
    try folder.write("first", scale: 1)
    try folder.write("second", scale: 2)
    let line = Line()
    let seen = Mutex<[String]>([])
    let store = Mutex<ModelStore?>(nil)
    let harness = try Harness(
      [folder.given("first"), folder.given("second")],
      loading: Harness.Loading(
        background: line.background,
        observe: { event in
          guard case .progress(let progress) = event, let store = store.withLock({ $0 }) else { return }
          let states = store.listing.models.map { $0.layers[0].block == nil ? "waiting" : "ready" }
          seen.withLock { $0.append("\(progress.model) \(progress.packedLayers) \(states)") }
        }))
    store.withLock { $0 = harness.store }
    #expect((await harness.get("/readyz")).status == 503)
    #expect((await harness.ffn(Self.body("first"))).problem == "not-ready")
    let listed = await harness.get("/v1/models/second")
    #expect((listed.json["layers"] as? [[String: Any]])?.first?["state"] as? String == "waiting")
    guard case .loading(let progress)? = harness.store.entries.first?.state else {
      Issue.record("\(harness.store.entries)")
      return
    }
    #expect(progress.layers == 1 && progress.packedLayers == 0)

    line.run()
    #expect(
      seen.withLock { $0 } == [
        #"first 0 ["waiting", "waiting"]"#, #"first 1 ["ready", "waiting"]"#, #"second 0 ["ready", "waiting"]"#,
        #"second 1 ["ready", "ready"]"#,
      ])
    #expect((await harness.get("/readyz")).status == 200)
    #expect((await harness.ffn(Self.body("second"))).output == [2, 8])
  }

  @Test func aLayerThatIsNotPackedYetSaysWhenToComeAgain() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let line = Line()
    let harness = try Harness(
      [GivenModel(name: "demo", source: .demo), folder.given("m")],
      loading: Harness.Loading(background: line.background))
    // The embedded model answers as it is.
    #expect((await harness.ffn(#"{"input":[1,2,3,4]}"#)).status == 200)
    let early = await harness.ffn(Self.body("m"))
    #expect(early.status == 503)
    #expect(early.problem == "not-ready")
    #expect(early.fields.first(.retryAfter) == "1")
    line.run()
    #expect((await harness.ffn(Self.body("m"))).status == 200)
  }

  @Test func aLoadingThatIsOvertakenChangesNothing() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let store = Mutex<ModelStore?>(nil)
    let harness = try Harness(
      [folder.given("m")],
      loading: Harness.Loading(observe: { event in
        // Somebody unloads it between its opening and its packing.
        if case .packing = event { try? store.withLock { $0 }?.unload("m") }
      }))
    store.withLock { $0 = harness.store }
    let outcome = Outcome()
    harness.store.load("m", completion: outcome.completion)
    #expect(outcome.error == .superseded("m"))
    #expect((await harness.ffn(Self.body("m"))).problem == "unknown-model")
    #expect(harness.store.entries == [ModelEntry(name: "m", state: .unavailable(reason: "unloaded"))])
  }

  @Test func namesThatNobodyCouldCallAreRefused() throws {
    let demo = { GivenModel(name: $0, source: ModelSource.demo) }
    #expect(throws: ModelStoreError.duplicateModel("a")) { try Harness([demo("a"), demo("a")]) }
    #expect(throws: ModelStoreError.invalidName("")) { try Harness([demo("")]) }
    #expect(throws: ModelStoreError.invalidName("a/b")) { try Harness([demo("a/b")]) }
  }

  /// Eight clients whose batches are split over threads as it comes: each answer has the bits of the same row computed
  /// by one thread alone.
  @Test func aTeamLeavesTheBitsAlone() async throws {
    let folder = try ModelFolder()
    var random = SplitMix(state: 3)
    func matrix(_ rows: Int, _ columns: Int) -> Golden.Values {
      let floats = (0..<rows * columns).map { _ in Float(Int32(truncatingIfNeeded: random.next())) * 0x1p-36 }
      return Golden.Values(shape: [rows, columns], floats: floats)
    }
    let (dModel, dFF) = (192, 2048)
    try Golden.write(
      [
        ("gate_proj.weight", matrix(dFF, dModel)), ("up_proj.weight", matrix(dFF, dModel)),
        ("down_proj.weight", matrix(dModel, dFF)),
      ], metadata: ["variant": "geglu"], to: folder.url.appending(path: "m.safetensors"))
    let bodies = (0..<4).map { _ in
      let row = (0..<dModel).map { _ in "\(Int16(truncatingIfNeeded: random.next()))e-4" }
      return #"{"input":[\#(row.joined(separator: ","))]}"#
    }
    let alone = try Harness([folder.given("m")], workers: 1, maxBatchRows: 1)
    var expected: [[Float]] = []
    for body in bodies { expected.append(await alone.ffn(body).output) }
    #expect(expected.allSatisfy { $0.count == dModel })
    let team = Team(threads: 3)
    defer { team.dismiss() }
    let harness = try Harness([folder.given("m")], workers: 2, maxBatchRows: 3) { $0.team = team }
    await withTaskGroup { clients in
      for client in 0..<8 {
        clients.addTask { [expected] in
          for round in 0..<6 {
            let choice = (client + round) % bodies.count
            #expect(await harness.ffn(bodies[choice]).output == expected[choice])
          }
        }
      }
    }
    await withCheckedContinuation { done in harness.api.drain { done.resume() } }
  }

  @Test func aLayerSaysWhatItIsComputedIn() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    for arithmetic in [nil] + Arithmetic.allCases.map(Optional.init) {
      var loading = Harness.Loading()
      loading.configuration.arithmetic = arithmetic
      let harness = try Harness([folder.given("m")], loading: loading)
      let model = await harness.get("/v1/models/m")
      let layer = try #require((model.json["layers"] as? [[String: Any]])?.first)
      #expect(layer["compute"] as? String == (arithmetic ?? .f32).rawValue)
      #expect(layer["kernels"] as? String == Kernels.best().name)
      #expect((layer["error"] as? Double ?? -1) >= 0)
    }
  }

  /// Eight clients while the file is exchanged for as long as they ask: no failure, and never a mixture of two files.
  @Test func exchangesUnderLoadFailNobody() async throws {
    let folder = try ModelFolder()
    try folder.write("m", scale: 1)
    let harness = try Harness([folder.given("m")])
    let end = Flag()
    async let exchanges = Task.detached {
      var scale: Float = 1
      repeat {
        scale += 1
        try folder.write("m", scale: scale)
        let outcome = Outcome()
        harness.store.load("m", completion: outcome.completion)
        #expect(outcome.isSuccess)
      } while !end.isRaised
      return scale
    }.value
    await withTaskGroup { clients in
      for _ in 0..<8 {
        clients.addTask {
          for _ in 0..<50 {
            let answer = await harness.ffn(#"{"model":"m","input":[[1,2],[2,1],[3,3]]}"#)
            #expect(answer.status == 200)
            let scale = answer.output.first ?? 0
            #expect(scale >= 1 && answer.output == [1, 4, 4, 1, 9, 9].map { $0 * scale })
          }
        }
      }
    }
    end.raise()
    let last = try await exchanges
    #expect((await harness.ffn(Self.body("m"))).output == [last, 4 * last])
  }
}

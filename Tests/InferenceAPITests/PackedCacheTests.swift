import Checkpoint
import FeedForward
import Foundation
import InferenceAPI
import Synchronization
import Testing

/// Packed panels that outlive the process: used where nothing has changed, and never where something has.
@Suite struct PackedCacheTests {
  /// A model's folder, a cache's folder, and servers that come and go.
  final class Setting {
    let models: ModelFolder
    let cache: ModelFolder
    var arithmetic: Arithmetic?

    init(_ arithmetic: Arithmetic? = nil) throws {
      models = try ModelFolder()
      cache = try ModelFolder()
      self.arithmetic = arithmetic
      try write(scale: 1)
    }

    /// A file of the same header, length and time, whatever its weights.
    func write(scale: Float, at date: Date = Date(timeIntervalSince1970: 1_700_000_000)) throws {
      try models.write("m", scale: scale)
      try FileManager.default.setAttributes(
        [.modificationDate: date], ofItemAtPath: models.url.appending(path: "m.safetensors").path)
    }

    var file: URL {
      get throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: cache.path)
        try #require(names.count == 1, "\(names)")
        return cache.url.appending(path: names[0])
      }
    }

    /// What a server that is started now answers, and what it says about the cache meanwhile.
    func answer(cache directory: String? = nil) async throws -> (output: [Float], notes: [String]) {
      let notes = NoteLog()
      var loading = Harness.Loading(observe: { event in
        switch event {
        case .cacheIgnored(_, let reason): notes.append("ignored: \(reason)")
        case .cacheNotWritten(_, let reason): notes.append("not written: \(reason)")
        case .packing, .progress, .loaded, .failed, .unloaded: break
        }
      })
      loading.configuration.cache = PackedCache(directory ?? cache.path)
      loading.configuration.arithmetic = arithmetic
      let harness = try Harness([models.given("m")], loading: loading)
      return (await harness.ffn(#"{"input":[1,2]}"#).output, notes.all)
    }
  }

  final class NoteLog: Sendable {
    private let notes = Mutex<[String]>([])
    var all: [String] { notes.withLock { $0 } }
    func append(_ note: String) { notes.withLock { $0.append(note) } }
  }

  /// The second server takes the panels of the first: it shows by other weights that look the same from outside.
  @Test(arguments: Arithmetic.allCases)
  func theNextStartReadsNoWeight(_ arithmetic: Arithmetic) async throws {
    let setting = try Setting(arithmetic)
    let first = try await setting.answer()
    #expect(first.output.count == 2 && first.notes.isEmpty)
    try setting.write(scale: 3)
    let second = try await setting.answer()
    #expect(second.output == first.output && second.notes.isEmpty)
  }

  @Test func otherWeightsAreAnotherFile() async throws {
    let setting = try Setting()
    #expect(try await setting.answer().output == [1, 4])
    try setting.write(scale: 3, at: Date(timeIntervalSince1970: 1_700_000_001))
    let later = try await setting.answer()
    #expect(later.output == [3, 12])
    #expect(later.notes.count == 1 && later.notes[0].contains("other weights"))
    #expect(try await setting.answer().notes.isEmpty)
    // Each arithmetic has a file of its own.
    setting.arithmetic = .bf16
    #expect(try await setting.answer().notes.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: setting.cache.path).count == 2)
  }

  /// Every byte of the table and some of the panels: whichever is changed, nobody gets an answer out of it for long.
  @Test func damageIsNoticed() async throws {
    let setting = try Setting()
    #expect(try await setting.answer().output == [1, 4])
    let file = try setting.file
    let whole = try Data(contentsOf: file)
    let table = Int(whole[8]) * 8
    for place in Array(0..<table) + [4096, 4097, whole.count - 1] {
      var damaged = whole
      damaged[place] ^= 0x10
      try damaged.write(to: file, options: .atomic)
      let (output, notes) = try await setting.answer()
      #expect(output == [1, 4], "byte \(place)")
      #expect(notes.count == 1 && notes[0].hasPrefix("ignored"), "byte \(place): \(notes)")
      #expect(try Data(contentsOf: file) == whole)
    }
    for length in [0, 7, 8, 15, 16, table - 1, table, 4095, 4096, whole.count - 1] {
      try whole.prefix(length).write(to: file, options: .atomic)
      let (output, notes) = try await setting.answer()
      #expect(output == [1, 4] && notes.count == 1, "\(length) bytes: \(notes)")
      #expect(try Data(contentsOf: file) == whole)
    }
  }

  @Test func whatCannotBeWrittenIsAWarning() async throws {
    let setting = try Setting()
    let nowhere = try await setting.answer(cache: setting.cache.path + "/nowhere")
    #expect(nowhere.output == [1, 4])
    #expect(nowhere.notes.count == 1 && nowhere.notes[0].hasPrefix("not written"))
    // Something else stands in the place.
    _ = try await setting.answer()
    let file = try setting.file
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
    let blocked = try await setting.answer()
    #expect(blocked.output == [1, 4])
    #expect(blocked.notes.map { $0.hasPrefix("ignored") } == [true, false])
  }
}

import Foundation
import TensorCoding
import Testing

/// Nicolas Seriot's cases (Fixtures/json-cases, with their licence): `y_` is JSON, `n_` is not, `i_` is left to the
/// reader by the RFC and here only has to end in one of the two.
@Suite struct JSONCasesTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let text: [UInt8]
    var testDescription: String { name }
  }

  static let cases: [Case] = {
    guard let folder = Bundle.module.url(forResource: "json-cases", withExtension: nil, subdirectory: "Fixtures"),
      let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path)
    else { return [] }
    return names.filter { $0.hasSuffix(".json") }.sorted().compactMap { name in
      (try? Data(contentsOf: folder.appendingPathComponent(name))).map { Case(name: name, text: Array($0)) }
    }
  }()

  @Test func allCasesAreThere() {
    #expect(Self.cases.filter { $0.name.hasPrefix("y_") }.count == 95)
    #expect(Self.cases.filter { $0.name.hasPrefix("n_") }.count == 188)
    #expect(Self.cases.filter { $0.name.hasPrefix("i_") }.count == 35)
  }

  @Test(arguments: cases) func verdict(_ example: Case) {
    let error = Self.error(in: example.text)
    switch example.name.first {
    case "y": #expect(error == nil)
    case "n":
      guard case .syntax(let offset, _) = error else {
        Issue.record("accepted, or refused for its content: \(String(describing: error))")
        return
      }
      #expect((0...example.text.count).contains(offset))
    default: break
    }
  }

  /// None of the cases is a tensor reader's concern, but whatever it is given it must end in a value or an error.
  @Test(arguments: cases) func tensorReaderEndsOnEveryCase(_ example: Case) {
    let tensor = try? JSONReader.read(example.text) { reader throws(JSONError) in
      try reader.readTensor(limit: TensorLimits(maxElements: 1000))
    }
    if example.name.hasPrefix("n_") { #expect(tensor == nil) }
  }

  static func error(in text: [UInt8]) -> JSONError? {
    do throws(JSONError) {
      try JSONReader.read(text) { reader throws(JSONError) in try reader.skipValue() }
      return nil
    } catch { return error }
  }
}

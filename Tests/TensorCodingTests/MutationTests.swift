import TensorCoding
import Testing

/// Texts with bytes changed, removed, doubled and moved: each ends in a value or an error, and what the strict reader
/// and the tensor reader say of one text agrees.
@Suite struct MutationTests {
  static let seeds = [
    "[[0.5, -1.25, 2e3], [1, 2, 3]]", "{\"shape\": [2, 2], \"datatype\": \"FP16\", \"data\": [1, 2, 3, 4.5]}",
    "{\"datatype\": \"BF16\", \"base64\": \"gD8AwA==\", \"shape\": [1, 2]}",
    "[[0.123456789, -0.987654321, 1.5, 0.00012345], [3.25, -12.125, 0.1, 4.75], [9.0, 8.0, 7.0, 16777217.0]]",
    "[\"\\ud83d\\ude00\", \"\u{E9}\u{6C34}\u{1D11E}\", {\"a\": [true, false, null, -0.0e-5]}]",
  ]

  @Test(arguments: seeds) func mutatedTextsEnd(_ seed: String) {
    var random = SplitMix64(seed: UInt64(seed.utf8.count))
    let alphabet = Array("[]{}\",:.0123456789-+eEu\\ntfax \u{0}\u{80}\u{FF}\u{1F600}=/".utf8)
    for round in 0..<4000 {
      var text = Array(seed.utf8)
      for _ in 0...Int(random.next() % 3) where !text.isEmpty {
        let position = Int(random.next() % UInt64(text.count))
        let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
        switch random.next() % 5 {
        case 0: text[position] = byte
        case 1: text.insert(byte, at: position)
        case 2: text.remove(at: position)
        case 3: text[position] = UInt8(truncatingIfNeeded: random.next())
        default: text.insert(contentsOf: text[position...].prefix(Int(random.next() % 12)), at: position)
        }
      }
      if round % 2 == 0 { text += [UInt8](repeating: UInt8(ascii: " "), count: 64) }
      let syntax = validate(text)
      switch readTensor(text, maxElements: 64) {
      case .success(let tensor):
        #expect(syntax == nil)
        #expect(tensor.tensor.floats.allSatisfy { $0.isFinite })
        #expect(tensor.tensor.floats.count == tensor.tensor.shape.count)
      case .failure(.syntax(let offset, let expected)):
        #expect(syntax == .syntax(offset: offset, expected: expected), "\(String(decoding: text, as: UTF8.self))")
      case .failure(.mismatch): #expect(syntax == nil, "\(String(decoding: text, as: UTF8.self))")
      }
    }
  }

  @Test(arguments: seeds) func truncatedTextsAreErrors(_ seed: String) {
    let text = Array(seed.utf8)
    for length in 0..<text.count {
      guard case .syntax = readTensor(Array(text[..<length])).error else {
        Issue.record("\(length) bytes")
        continue
      }
    }
  }
}

import Checkpoint
import Testing

@Suite struct ChecksumTests {
  private static func sum(_ parts: [[UInt8]]) -> UInt64 {
    var sum = Checksum()
    for part in parts { part.withUnsafeBytes { sum.add($0) } }
    return sum.value
  }

  /// Every length around the widths in which bytes are taken: each byte counts, and so do order, length and what was
  /// added before.
  @Test func everythingCounts() {
    // By what was added, for two ways to say the same must not count as two.
    var seen: [UInt64: [[UInt8]]] = [:]
    for length in [0, 1, 7, 8, 9, 31, 32, 33, 64, 71] {
      let bytes = (0..<length).map { UInt8($0) }
      var variants = [[bytes], [[], bytes], [[9], bytes], [bytes, [9]], [bytes + [0]]]
      for place in bytes.indices {
        var changed = bytes
        changed[place] ^= 0x80
        variants.append([changed])
      }
      for variant in variants {
        let other = seen.updateValue(variant, forKey: Self.sum(variant))
        #expect(other == nil || other == variant, "\(variant)")
      }
    }
  }
}

internal import Synchronization

/// The name of one request in its problem's `instance`, its log line and its trace: 128 bits, printed as a version 4
/// UUID (RFC 9562, section 5.4).
///
/// Ids are a seeded permutation of a counter: unique within a process, as good as unique between processes, and they
/// cost no system call. They are labels, not secrets.
package struct RequestID: Sendable, Hashable, CustomStringConvertible {
  let high: UInt64
  let low: UInt64

  /// The `index`-th id of the process whose seed is `seed`.
  init(index: UInt64, seed: UInt64) {
    high = Self.mix(seed &+ (2 &* index) &* Self.increment)
    low = Self.mix(seed &+ (2 &* index &+ 1) &* Self.increment)
  }

  package var description: String { String(decoding: text, as: UTF8.self) }

  /// `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`, in ASCII.
  var text: [UInt8] {
    let versioned = high & ~0xF000 | 0x4000
    let varied = low & ~(0b11 << 62) | 0b10 << 62
    var text: [UInt8] = []
    text.reserveCapacity(36)
    for index in 0..<32 {
      if index == 8 || index == 12 || index == 16 || index == 20 { text.append(UInt8(ascii: "-")) }
      let word = index < 16 ? versioned : varied
      text.append(Self.digit(word >> UInt64(60 - 4 * (index & 15)) & 15))
    }
    return text
  }

  /// A hexadecimal digit.
  private static func digit(_ value: UInt64) -> UInt8 {
    UInt8(truncatingIfNeeded: value) + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
  }

  /// SplitMix64 (Steele, Lea, Flood 2014): its increment and its finaliser, a bijection of the 64-bit words.
  private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Where request ids come from: one counter for the process, shared by all I/O queues.
final class RequestIDSource: Sendable {
  private let seed: UInt64
  private let next = Atomic<UInt64>(0)

  init(seed: UInt64 = .random(in: .min ... .max)) {
    self.seed = seed
  }

  func make() -> RequestID {
    RequestID(index: next.wrappingAdd(1, ordering: .relaxed).oldValue, seed: seed)
  }
}

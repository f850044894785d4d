/// A checksum of 64 bits that tells damage and change from what was written, and is no defence against intent.
///
/// Words are mixed by a multiplication each; of bytes, four words at a time in lanes of their own.
package struct Checksum: Sendable {
  package private(set) var value: UInt64 = 0x243F_6A88_85A3_08D3

  package init() {}

  package mutating func add(_ word: UInt64) { Self.mix(&value, word) }

  package mutating func add(_ number: Int) { add(UInt64(bitPattern: Int64(number))) }

  package mutating func add(_ text: String) {
    var text = text
    text.withUTF8 { add(UnsafeRawBufferPointer($0)) }
  }

  /// Unsafe: reads the bytes that it is given, whole words wherever they stand.
  package mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var lanes: (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)
    var place = 0
    while place + 32 <= bytes.count {
      Self.mix(&lanes.0, bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      Self.mix(&lanes.1, bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self))
      Self.mix(&lanes.2, bytes.loadUnaligned(fromByteOffset: place + 16, as: UInt64.self))
      Self.mix(&lanes.3, bytes.loadUnaligned(fromByteOffset: place + 24, as: UInt64.self))
      place += 32
    }
    for lane in [lanes.0, lanes.1, lanes.2, lanes.3] { add(lane) }
    for byte in bytes[place...] { add(UInt64(byte)) }
    add(bytes.count)
  }

  private static func mix(_ value: inout UInt64, _ word: UInt64) {
    value = (value ^ word) &* 0x9E37_79B9_7F4A_7C15
    value ^= value >> 29
  }
}

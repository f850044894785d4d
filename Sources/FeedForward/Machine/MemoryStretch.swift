/// Memory of a chosen size to be read in order: of some MiB, the last cache's rate, of much more than that, the
/// memory's own.
///
/// Unsafe pointer: the kernels' own way to read; the memory is written once, here, and lives as long as this value.
package struct MemoryStretch: Sendable {
  private let memory: AlignedFloats

  package var byteCount: Int { memory.byteCount }

  var floats: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: memory.base, count: memory.count) }

  /// `bytes` of memory, each page in place; `nil` where there is none.
  package init?(bytes: Int) {
    guard let memory = AlignedFloats(count: bytes / MemoryLayout<Float>.stride) else { return nil }
    // Not zero: a page that was never written may be read from the one page of zeros.
    memory.base.initialize(repeating: 1, count: memory.count)
    self.memory = memory
  }
}

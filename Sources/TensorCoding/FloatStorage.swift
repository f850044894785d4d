/// Memory for float32 numbers, aligned to a cache line, freed with its last reference.
///
/// Unsafe pointer: nothing in the type enforces who writes when; whoever calls `mutableAddress` keeps the order.
// @unchecked Sendable: written while one owner holds it (a reader or a worker that fills it), only read once shared.
package final class FloatStorage: @unchecked Sendable {
  /// A cache line, and the widest vector register.
  private static let alignment = 64

  /// Floats that may be read.
  package private(set) var count: Int
  package private(set) var capacity: Int
  /// Nil until somebody wants to write to it.
  private var memory: UnsafeMutablePointer<Float>?

  /// Room for `capacity` floats, of which none is written yet. The memory is taken when it is first written to: a
  /// result that waits to be computed needs none.
  package init(capacity: Int) {
    precondition(capacity >= 0)
    self.capacity = capacity
    count = 0
  }

  package convenience init(_ floats: some Collection<Float>) {
    self.init(capacity: floats.count)
    for (index, float) in floats.enumerated() { mutableAddress[index] = float }
    count = floats.count
  }

  deinit { memory?.deallocate() }

  /// Valid while the storage is referenced; nothing can be read from one that was never written to.
  package var baseAddress: UnsafePointer<Float> { UnsafePointer(memory ?? FloatStorage.nowhere) }

  /// For the one owner that fills the memory, before it is shared.
  package var mutableAddress: UnsafeMutablePointer<Float> {
    if let memory { return memory }
    let taken = FloatStorage.allocate(capacity)
    memory = taken
    return taken
  }

  /// Declares the first `count` floats written. At most `capacity`.
  package func setCount(_ count: Int) {
    precondition(count >= 0 && count <= capacity && (memory != nil || count == 0))
    self.count = count
  }

  /// Moves to memory for `capacity` floats, keeping the first `written` ones; for the owner that fills it.
  func grow(to capacity: Int, keeping written: Int) {
    precondition(written <= self.capacity && self.capacity <= capacity)
    let larger = FloatStorage.allocate(capacity)
    if let memory {
      larger.update(from: memory, count: written)
      memory.deallocate()
    }
    memory = larger
    self.capacity = capacity
  }

  private static var nowhere: UnsafeMutablePointer<Float> { UnsafeMutablePointer(bitPattern: alignment)! }

  private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer.allocate(
      byteCount: max(capacity, 1) * MemoryLayout<Float>.stride, alignment: alignment
    ).bindMemory(to: Float.self, capacity: max(capacity, 1))
  }
}

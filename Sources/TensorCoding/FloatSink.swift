/// Where scanned floats go: memory that grows up to a limit.
///
/// Unsafe pointers: the row loop writes at `next`, for as many floats as `makeRoom` has made room for.
struct FloatSink {
  let storage: FloatStorage
  private(set) var count = 0
  let limit: Int
  /// Floats that there is room for.
  private var end: Int

  /// - Parameters:
  ///   - expected: floats to make room for at once; more are taken.
  ///   - limit: floats in all.
  init(expected: Int, limit: Int) {
    self.limit = limit
    storage = FloatStorage(capacity: max(min(expected, limit), min(limit, 16)))
    end = storage.capacity
  }

  /// A part of a storage that others fill too: no float goes outside of it.
  init(_ storage: FloatStorage, _ part: Range<Int>) {
    self.storage = storage
    (count, limit, end) = (part.lowerBound, part.upperBound, part.upperBound)
  }

  /// Room for at least one float more, or a mismatch at the limit.
  mutating func makeRoom() throws(JSONError) {
    guard count == end else { return }
    guard count < limit else { throw .here(.tooManyElements(limit: limit)) }
    storage.grow(to: min(limit, storage.capacity * 2), keeping: count)
    end = storage.capacity
  }

  /// Where the next float goes; `room` of them, from `makeRoom` on.
  var next: UnsafeMutablePointer<Float> { storage.mutableAddress + count }
  var room: Int { end - count }

  /// Into room that `makeRoom` has made.
  mutating func append(_ float: Float) {
    next.pointee = float
    count += 1
  }

  mutating func advance(to position: UnsafeMutablePointer<Float>) { count = position - storage.mutableAddress }

  /// The storage, with all floats declared written.
  func finished() -> FloatStorage {
    storage.setCount(count)
    return storage
  }
}

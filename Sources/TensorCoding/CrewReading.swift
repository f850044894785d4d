internal import Glibc
internal import Synchronization

/// A long matrix, read by several threads.
///
/// Where rows begin and end is found first, by their brackets, which cost little to look for; then each thread scans
/// rows of its own straight to where they belong in the matrix. Whatever is not a matrix of rows of one length is left
/// to the reader that goes from left to right, which knows how to say what is wrong with it.
extension JSONReader {
  /// Reads the nested array at the cursor.
  ///
  /// - Returns: nil where it is to be read from left to right; the cursor has not moved then.
  mutating func readMatrix(by crew: Crew, _ limits: TensorLimits) -> Tensor? {
    guard end - position >= Crew.leastBytes, hasRoom(forLevels: 2), let (rows, behind) = findRows() else { return nil }
    // The first row says how long the others have to be.
    var first = self
    first.position = rows[0]
    var sink = FloatSink(
      expected: min(behind - position, limits.maxElements) / rows.count / 8 + 1, limit: limits.maxElements)
    guard let width = try? first.readNumberRow(into: &sink) else { return nil }
    let (count, overflow) = width.multipliedReportingOverflow(by: rows.count)
    guard !overflow, count <= limits.maxElements else { return nil }
    let storage = FloatStorage(capacity: count)
    storage.mutableAddress.update(from: sink.storage.baseAddress, count: width)

    let parts = Crew.parts(of: rows.count - 1)
    let isMatrix = Atomic(true)
    // nonisolated(unsafe): text and places are only read, each part writes its own rows, and all end before the return.
    nonisolated(unsafe) let (reader, places) = (self, rows)
    crew.each(parts.count) { part in
      var reader = reader
      for row in parts[part] where isMatrix.load(ordering: .relaxed) {
        reader.position = places[row + 1]
        var sink = FloatSink(storage, (row + 1) * width..<(row + 2) * width)
        if (try? reader.readNumberRow(into: &sink)) != width { isMatrix.store(false, ordering: .relaxed) }
      }
    }
    guard isMatrix.load(ordering: .relaxed) else { return nil }
    storage.setCount(count)
    position = behind
    return Tensor(shape: Shape(rows: rows.count, columns: width), storage: storage)
  }

  /// The first bytes behind the rows' opening brackets, and the byte behind the matrix's closing one; nil where the
  /// text is not made of at least two such rows. What stands in a row is not looked at: only that it has no bracket.
  private func findRows() -> (rows: [UnsafePointer<UInt8>], behind: UnsafePointer<UInt8>)? {
    var cursor = self
    guard cursor.skip(UInt8(ascii: "[")) else { return nil }
    var rows: [UnsafePointer<UInt8>] = []
    repeat {
      guard cursor.skip(UInt8(ascii: "[")),
        let bracket = memchr(cursor.position, Int32(UInt8(ascii: "]")), cursor.end - cursor.position)
      else { return nil }
      rows.append(cursor.position)
      cursor.position = UnsafePointer(bracket.assumingMemoryBound(to: UInt8.self)) + 1
    } while cursor.skip(UInt8(ascii: ","))
    guard rows.count > 1, cursor.skip(UInt8(ascii: "]")) else { return nil }
    return (rows, cursor.position)
  }
}

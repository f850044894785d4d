internal import CKernels
internal import Synchronization

/// How a block is packed: who helps, how its sources are read, and where its panels lie.
///
/// Without any of these the calling thread packs alone, from memory that is there, into the allocator's memory.
package struct Packing {
  /// Threads that pack beside the caller where cores are idle.
  package var team: Team?
  /// The pages behind the sources, where they are a file's.
  package var source: SourceAccess?
  /// Where the panels lie.
  package var shelf: PanelShelf?

  package init(team: Team? = nil, source: SourceAccess? = nil, shelf: PanelShelf? = nil) {
    self.team = team
    self.source = source
    self.shelf = shelf
  }

  /// Bytes of the sources that one thread reads at a time: what stays resident of them while a block is packed.
  private static let stretchBytes = 2 << 20

  /// Memory for panels of `words` words, and whether they stand there already.
  func panels(words: Int) throws(LayerError) -> (memory: AlignedFloats, isPacked: Bool) {
    if let shelf { return try shelf.take(words) }
    guard let memory = AlignedFloats(count: words) else {
      throw .outOfMemory(bytes: words.multipliedReportingOverflow(by: 4).partialValue)
    }
    return (memory, false)
  }

  /// Packs `panels` panels, each of `run` rows of every matrix, range by range and several ranges at a time.
  ///
  /// - Throws: `.unreadable` where the file behind a matrix could not be read; the panels are worth nothing then.
  func pack(
    _ panels: Int, of matrices: [MatrixView], run: Int, _ body: @Sendable (Range<Int>) -> Void
  ) throws(LayerError) {
    let bytesOfPanel = matrices.reduce(0) { $0 + run * $1.columns * $1.type.bits / 8 }
    let length = max(1, Self.stretchBytes / max(bytesOfPanel, 1), (panels + Team.chunksLimit - 1) / Team.chunksLimit)
    let isRead = Atomic<Bool>(true)
    let access = source
    let scales = matrices.compactMap(\.scaleBytes)
    if let access, !scales.allSatisfy(access.acquire) { throw .unreadable }
    @Sendable func packRange(_ index: Int) {
      let range = index * length..<min(panels, (index + 1) * length)
      let sources = matrices.compactMap {
        $0.bytes(ofRows: range.lowerBound * run..<min($0.rows, range.upperBound * run))
      }
      if let access, !sources.allSatisfy(access.acquire) { return isRead.store(false, ordering: .relaxed) }
      body(range)
      if let access { sources.forEach(access.release) }
    }
    let ranges = (panels + length - 1) / length
    if let team {
      team.each(ranges, packRange)
    } else {
      for range in 0..<ranges { packRange(range) }
    }
    // Rows that are no stretch of the file have been read here and there.
    if let source {
      matrices.forEach { source.release($0.allBytes) }
      scales.forEach(source.release)
    }
    if !isRead.load(ordering: .relaxed) { throw .unreadable }
  }
}

/// The pages behind weights that are mapped from files, as whoever reads them treats them. Any stretch of memory may be
/// released: what is read again later is fetched again.
package struct SourceAccess: Sendable {
  /// Brings the pages in; `false` where they cannot be read, as behind the end of a file that was cut short.
  let acquire: @Sendable (UnsafeRawBufferPointer) -> Bool
  /// Nobody reads the pages for now.
  let release: @Sendable (UnsafeRawBufferPointer) -> Void

  package init(
    acquire: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool,
    release: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
  ) {
    self.acquire = acquire
    self.release = release
  }
}

/// Memory of one block's panels, piece by piece in the order in which they are packed, which is the same every time.
///
/// What is packed onto a shelf can be written to a file and found there by the next packing of the same block, which
/// then reads none of its sources' matrices.
///
/// Unsafe: stored pieces are read where they are, in memory that their owner keeps.
package final class PanelShelf {
  private var taken: [AlignedFloats] = []
  /// What is left of an earlier packing's pieces, the next one last.
  private var stored: [UnsafeRawBufferPointer]
  private let owner: AnyObject?

  /// An empty shelf: panels are packed into memory of their own, which goes back to the system with them.
  package init() {
    stored = []
    owner = nil
  }

  /// The pieces of an earlier packing, each on a cache line's boundary, which `owner` keeps.
  package init(_ stored: [UnsafeRawBufferPointer], of owner: AnyObject) {
    self.stored = stored.reversed()
    self.owner = owner
  }

  /// Whether all panels that were taken stood there already, and all that stood there were taken.
  package var isAsStored: Bool { hasOnlyStored && stored.isEmpty }
  private var hasOnlyStored = true

  /// What has been taken, in order.
  package var pieces: PanelPieces { PanelPieces(memory: taken) }

  func take(_ words: Int) throws(LayerError) -> (memory: AlignedFloats, isPacked: Bool) {
    let next = stored.popLast()
    if let next, let owner, next.count == words * 4 {
      taken.append(AlignedFloats(borrowing: next, of: owner))
      return (taken[taken.count - 1], true)
    }
    // Another block's panels: none of those that follow fits either.
    stored = []
    hasOnlyStored = false
    guard let memory = AlignedFloats(pagesFor: words) else {
      throw .outOfMemory(bytes: words.multipliedReportingOverflow(by: 4).partialValue)
    }
    taken.append(memory)
    return (memory, false)
  }
}

/// Packed panels as bytes, kept for as long as this value lives.
package struct PanelPieces: Sendable {
  fileprivate let memory: [AlignedFloats]

  package var bytes: [UnsafeRawBufferPointer] {
    memory.map { UnsafeRawBufferPointer(start: $0.base, count: $0.byteCount) }
  }
}

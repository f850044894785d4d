package import FeedForward

/// One model's packed panels in a file.
///
/// ```
/// table   words of 8 bytes, little-endian: "SLUICEPK", words of the table, identity, layers;
///         for each layer: error (float64, NaN for none), checksum of its pieces, number of pieces, and for each
///         piece its offset and its length in bytes; at last the checksum of all words before
/// pieces  each from a page's start on
/// ```
///
/// Unsafe: stretches of a mapping that this value keeps, within the file by the table's checks.
package struct StoredPanels: Sendable {
  /// A layer as it is written.
  package struct NewLayer: Sendable {
    let pieces: PanelPieces
    let error: Double?

    package init(pieces: PanelPieces, error: Double?) {
      self.pieces = pieces
      self.error = error
    }
  }

  let table: Table
  private let file: MappedFile

  init(table: Table, file: MappedFile) {
    self.table = table
    self.file = file
  }

  /// The error that was measured as the layer was packed.
  package func error(ofLayer index: Int) -> Double? { table.layers[index].error }

  /// A shelf with the layer's panels, in the mapping.
  package func shelf(ofLayer index: Int) -> PanelShelf {
    PanelShelf(table.layers[index].pieces.map { UnsafeRawBufferPointer(rebasing: file.bytes[$0]) }, of: file)
  }

  /// Whether the bytes are those that were written. Reads all of them, which also brings them into memory.
  package func isIntact() -> Bool {
    guard (try? file.confirmWhole()) != nil else { return false }
    return table.layers.allSatisfy { layer in
      var sum = Checksum()
      for range in layer.pieces { sum.add(UnsafeRawBufferPointer(rebasing: file.bytes[range])) }
      return sum.value == layer.checksum
    }
  }
}

extension StoredPanels {
  struct Table: Sendable {
    struct Layer: Sendable {
      let error: Double?
      let checksum: UInt64
      /// Bytes of the file.
      let pieces: [Range<Int>]
    }

    private static let magic: UInt64 = 0x4B50_4543_4955_4C53  // "SLUICEPK"
    private static let page = 4096
    /// A table longer than this is none: a million pieces.
    private static let wordsLimit = 1 << 21

    let identity: UInt64
    let layers: [Layer]
    let words: [UInt64]

    /// Lays out a new file.
    init(identity: UInt64, _ layers: [NewLayer]) {
      let count = 5 + layers.reduce(0) { $0 + 3 + 2 * $1.pieces.bytes.count }
      var end = count * 8
      var words = [Self.magic, UInt64(count), identity, UInt64(layers.count)]
      self.layers = layers.map { layer in
        var sum = Checksum()
        var pieces: [Range<Int>] = []
        for piece in layer.pieces.bytes {
          sum.add(piece)
          let start = (end + Self.page - 1) / Self.page * Self.page
          end = start + piece.count
          pieces.append(start..<end)
        }
        words += [(layer.error ?? .nan).bitPattern, sum.value, UInt64(pieces.count)]
        for piece in pieces { words += [UInt64(piece.lowerBound), UInt64(piece.count)] }
        return Layer(error: layer.error, checksum: sum.value, pieces: pieces)
      }
      words.append(Self.checksum(words[...]))
      self.identity = identity
      self.words = words.map(\.littleEndian)
    }

    /// Believes a file's table after each of its statements has been checked; nil where one is wrong.
    init?(reading file: ReadOnlyFile) throws(CheckpointError) {
      let start = Self.words(try file.read(first: min(file.size, 16)))
      guard start.count == 2, start[0] == Self.magic, 5...UInt64(Self.wordsLimit) ~= start[1],
        Int(start[1]) * 8 <= file.size
      else { return nil }
      let words = Self.words(try file.read(first: Int(start[1]) * 8))
      guard words[words.count - 1] == Self.checksum(words.dropLast()) else { return nil }
      var rest = words[3..<words.count - 1]
      func next() -> Int? { rest.popFirst().flatMap { Int(exactly: $0) } }
      guard let count = next(), count <= words.count else { return nil }
      var layers: [Layer] = []
      for _ in 0..<count {
        guard let error = rest.popFirst(), let checksum = rest.popFirst(), let pieceCount = next(),
          pieceCount <= words.count
        else { return nil }
        var pieces: [Range<Int>] = []
        for _ in 0..<pieceCount {
          guard let offset = next(), let length = next(), offset.isMultiple(of: Self.page), length > 0,
            length.isMultiple(of: 4), offset <= file.size, length <= file.size - offset
          else { return nil }
          pieces.append(offset..<offset + length)
        }
        let value = Double(bitPattern: error)
        layers.append(Layer(error: value.isNaN ? nil : value, checksum: checksum, pieces: pieces))
      }
      guard rest.isEmpty else { return nil }
      identity = words[2]
      self.layers = layers
      self.words = words
    }

    private static func words(_ bytes: [UInt8]) -> [UInt64] {
      bytes.withUnsafeBytes { bytes in
        (0..<bytes.count / 8).map { UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)) }
      }
    }

    private static func checksum(_ words: ArraySlice<UInt64>) -> UInt64 {
      var sum = Checksum()
      for word in words { sum.add(word) }
      return sum.value
    }
  }
}

package import FeedForward
import Glibc

/// A directory of packed panels, from which a model that was packed before is mapped and ready in milliseconds.
///
/// A file stands for a checkpoint's path and an arithmetic; what it holds is used only where everything that decides
/// the panels is what it was as they were packed (``Checkpoint/identity(arithmetics:)``). It is written beside its
/// place and renamed, so that a reader finds all of it or nothing.
package struct PackedCache: Sendable, Equatable {
  package let directory: String

  package init(_ directory: String) {
    self.directory = directory
  }

  /// What has been found in the place of a model.
  package enum Finding: Sendable {
    case absent
    /// Not what is needed, and why.
    case unusable(String)
    case panels(StoredPanels)
  }

  /// - Parameters:
  ///   - key: which file.
  ///   - identity: what its panels have to have been packed from.
  package func open(key: UInt64, identity: UInt64, layers: Int) -> Finding {
    let path = path(key)
    guard access(path, F_OK) == 0 else { return .absent }
    do throws(CheckpointError) {
      let file = try ReadOnlyFile(path)
      guard let table = try StoredPanels.Table(reading: file) else { return .unusable("\(path) is damaged") }
      guard table.identity == identity, table.layers.count == layers else {
        return .unusable("\(path) is of other weights, or of another version")
      }
      return .panels(StoredPanels(table: table, file: try MappedFile(file, loss: .endsProcess)))
    } catch {
      return .unusable("\(error)")
    }
  }

  /// Writes a model's panels in the place of what was there.
  ///
  /// - Throws: ``CheckpointError/unwritable(path:reason:)``; what was there before is there still.
  package func write(_ layers: [StoredPanels.NewLayer], key: UInt64, identity: UInt64) throws(CheckpointError) {
    let path = path(key)
    let draft = "\(path).\(getpid())"
    let descriptor = Glibc.open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw .unwritable(path: draft, reason: systemReason()) }
    let table = StoredPanels.Table(identity: identity, layers)
    var reason: String?
    table.words.withUnsafeBytes { if !Self.write($0, to: descriptor, at: 0) { reason = systemReason() } }
    for (entry, layer) in zip(table.layers, layers) where reason == nil {
      for (range, piece) in zip(entry.pieces, layer.pieces.bytes) where reason == nil {
        if !Self.write(piece, to: descriptor, at: range.lowerBound) { reason = systemReason() }
      }
    }
    if reason == nil, fsync(descriptor) != 0 { reason = systemReason() }
    if close(descriptor) != 0, reason == nil { reason = systemReason() }
    if reason == nil, rename(draft, path) != 0 { reason = systemReason() }
    if let reason {
      unlink(draft)
      throw .unwritable(path: path, reason: reason)
    }
  }

  /// Takes away a file whose panels turned out to be damaged.
  package func remove(key: UInt64) { unlink(path(key)) }

  private func path(_ key: UInt64) -> String {
    let digits = String(key, radix: 16)
    return WeightLocation.inside(directory, String(repeating: "0", count: 16 - digits.count) + digits + ".panels")
  }

  // Unsafe: bytes that the caller keeps, written from where they stand.
  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: Int) -> Bool {
    var written = 0
    while written < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + written, bytes.count - written, off_t(offset + written))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      written += count
    }
    return true
  }
}

extension Checkpoint {
  /// Which file of a cache the checkpoint's panels are in: its path, its layers and what they are computed in.
  package func cacheKey(arithmetics: [Arithmetic]) -> UInt64 {
    var sum = Checksum()
    sum.add(path)
    for (layer, arithmetic) in zip(layers, arithmetics) {
      sum.add(layer.name)
      sum.add(arithmetic.rawValue)
    }
    return sum.value
  }

  /// Everything that decides the packed panels: the files by size, time and header, which of their bytes make up which
  /// matrix, the arithmetic, and the layout in which this program packs.
  package func identity(arithmetics: [Arithmetic]) -> UInt64 {
    var sum = Checksum()
    var files: [ObjectIdentifier: Int] = [:]
    let layouts = Dictionary(
      Set(arithmetics).map { ($0, PanelLayout.fingerprint(of: $0)) }, uniquingKeysWith: { first, _ in first })
    for (layer, arithmetic) in zip(layers, arithmetics) {
      sum.add(layer.name)
      sum.add(layouts[arithmetic] ?? 0)
      for file in layer.files where files.updateValue(files.count, forKey: ObjectIdentifier(file)) == nil {
        file.addIdentity(to: &sum)
      }
      for matrix in layer.weights.matrices {
        let base = matrix.base
        for file in layer.files where file.bytes.contains(base) {
          sum.add(files[ObjectIdentifier(file)] ?? -1)
          sum.add(base - file.bytes.baseAddress!)
        }
        sum.add(matrix.type.rawValue)
        [matrix.rows, matrix.columns, matrix.rowStride, matrix.columnStride].forEach { sum.add($0) }
      }
    }
    return sum.value
  }
}

extension MappedFile {
  fileprivate func addIdentity(to sum: inout Checksum) {
    sum.add(size)
    sum.add(modified.tv_sec)
    sum.add(modified.tv_nsec)
    let length = (try? SafetensorsHeader.length(of: bytes.prefix(SafetensorsHeader.prefixBytes), fileSize: size)) ?? 0
    sum.add(UnsafeRawBufferPointer(rebasing: bytes.prefix(SafetensorsHeader.prefixBytes + length)))
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func contains(_ address: UnsafeRawPointer) -> Bool {
    guard let baseAddress else { return false }
    return baseAddress <= address && address < baseAddress + count
  }
}

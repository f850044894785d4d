internal import Glibc

/// Owned float memory on a cache line's boundary, uninitialised at first.
///
/// From 2 MiB on it starts on a huge page's boundary and asks the kernel for huge pages: streaming weights through
/// 4 KiB pages costs a tenth of the memory's rate.
///
/// `@unchecked Sendable`: the owner decides who writes when; packed weights are written before they are shared, and a
/// workspace belongs to one worker at a time.
final class AlignedFloats: @unchecked Sendable {
  let base: UnsafeMutablePointer<Float>
  let count: Int

  var byteCount: Int { count * MemoryLayout<Float>.stride }

  /// The same memory as words, for weights of which two share one.
  var words: UnsafeMutablePointer<UInt32> { UnsafeMutableRawPointer(base).assumingMemoryBound(to: UInt32.self) }

  /// Memory for `count` floats; `nil` where there is none.
  init?(count: Int) {
    let hugePage = 2 << 20
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    guard !overflow else { return nil }
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, bytes >= hugePage ? hugePage : 64, max(bytes, 64)) == 0, let memory else {
      return nil
    }
    if bytes >= hugePage {
      // Advice: where huge pages are switched off the memory works all the same.
      _ = madvise(memory, bytes, MADV_HUGEPAGE)
    }
    self.base = memory.bindMemory(to: Float.self, capacity: count)
    self.count = count
  }

  deinit { free(base) }
}

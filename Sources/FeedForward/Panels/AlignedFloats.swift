internal import Glibc

/// Float memory on a cache line's boundary: uninitialised at first, or what an earlier packing has left.
///
/// From 2 MiB on it starts on a huge page's boundary and asks the kernel for huge pages: streaming weights through
/// 4 KiB pages costs a tenth of the memory's rate.
///
/// Unsafe pointer: memory without a lock, whose owner decides who writes when.
// @unchecked Sendable: weights are written before they are shared and read after; a workspace has one worker at a time.
final class AlignedFloats: @unchecked Sendable {
  let base: UnsafeMutablePointer<Float>
  let count: Int
  private let origin: Origin

  private enum Origin {
    /// Of the allocator, which may keep what is freed for the next one.
    case heap
    /// Of the system, to which it goes back when nobody needs it any more.
    case pages(byteCount: Int)
    /// Of the object, which lives as long as this one; only ever read.
    case borrowed(AnyObject)
  }

  private static let hugePage = 2 << 20

  var byteCount: Int { count * MemoryLayout<Float>.stride }

  /// The same memory as words, for weights of which two share one.
  var words: UnsafeMutablePointer<UInt32> { UnsafeMutableRawPointer(base).assumingMemoryBound(to: UInt32.self) }

  /// Memory for `count` floats; `nil` where there is none.
  init?(count: Int) {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    guard !overflow else { return nil }
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, bytes >= Self.hugePage ? Self.hugePage : 64, max(bytes, 64)) == 0, let memory else {
      return nil
    }
    // Advice: where huge pages are switched off the memory works all the same.
    if bytes >= Self.hugePage { _ = madvise(memory, bytes, MADV_HUGEPAGE) }
    self.base = memory.bindMemory(to: Float.self, capacity: count)
    self.count = count
    origin = .heap
  }

  /// Memory for `count` floats that is given back to the system with this object; `nil` where there is none.
  init?(pagesFor count: Int) {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    guard !overflow, bytes > 0, bytes < Int.max - 2 * Self.hugePage else { return nil }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let length = (bytes + page - 1) / page * page
    let slack = bytes >= Self.hugePage ? Self.hugePage : 0
    let mapping = mmap(nil, length + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapping, mapping != MAP_FAILED else { return nil }
    let skipped = slack == 0 ? 0 : (Self.hugePage - Int(bitPattern: mapping) % Self.hugePage) % Self.hugePage
    let start = mapping + skipped
    if skipped > 0 { munmap(mapping, skipped) }
    if slack > skipped { munmap(start + length, slack - skipped) }
    if slack > 0 { _ = madvise(start, length, MADV_HUGEPAGE) }
    self.base = start.bindMemory(to: Float.self, capacity: count)
    self.count = count
    origin = .pages(byteCount: length)
  }

  /// `bytes`, which `owner` keeps as they are.
  init(borrowing bytes: UnsafeRawBufferPointer, of owner: AnyObject) {
    count = bytes.count / MemoryLayout<Float>.stride
    // Only ever read: kernels take packed weights as constants.
    base = UnsafeMutableRawPointer(mutating: bytes.baseAddress!).bindMemory(to: Float.self, capacity: count)
    origin = .borrowed(owner)
  }

  deinit {
    switch origin {
    case .heap: free(base)
    case .pages(let byteCount): munmap(base, byteCount)
    case .borrowed: break
    }
  }
}

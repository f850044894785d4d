internal import CSystem

/// How the process's allocator treats memory that is freed.
package enum ProcessMemory {
  /// Keeps freed memory for the next bodies and replies instead of giving it back to the system after each.
  ///
  /// A choice for the whole process, and so its main program's: to be called once, before there are threads. At 64
  /// connections it halves what an echo of 60 KB costs (16 µs of CPU in place of 30), and bodies and replies of more
  /// than a megabyte cost a millisecond less, for at most 32 MiB of memory in each of the allocator's arenas.
  ///
  /// Bodies are taken on an I/O queue and given back by a worker, so threads share arenas: with 64 bodies of 1.5 MB
  /// under way less than half as much memory is free where nobody looks for it.
  ///
  /// - Parameter processors: how many threads run at a time; as many arenas there are. With fewer, threads wait for one
  ///   another: with one for two processors, twice as often as they would otherwise wait for anything.
  package static func keepFreed(processors: Int) {
    csystem_keep_freed_memory(32 << 20, 4 << 20, Int32(clamping: processors))
  }

  /// Gives what is free back to the system, which takes some milliseconds: for when there is nothing to do.
  static func giveBackFreed() { csystem_give_back_freed_memory() }
}

import FeedForward
import Testing

/// The yardsticks count what they do; how fast that was is nobody's test.
@Suite struct YardstickTests {
  /// Below, at and above a share of 512 KiB, and not at a multiple of it.
  @Test(arguments: [4096, (1 << 19) - 64, 1 << 19, (1 << 19) + 64, 3 << 19, (5 << 19) + 4096], [1, 2, 3])
  func aReadIsAsLongAsItsMemory(bytes: Int, threads: Int) throws {
    let team = Team(threads: threads)
    defer { team.dismiss() }
    let stretch = try #require(MemoryStretch(bytes: bytes))
    #expect(stretch.byteCount == bytes)
    for kernels in Kernels.available {
      #expect(Yardsticks(kernels: kernels, arithmetic: .f32, team: team).read(stretch) == bytes)
    }
  }

  /// Every set multiplies whole vectors, in as many chunks as threads ask for.
  @Test(arguments: Kernels.available.indices, Arithmetic.allCases)
  func multiplyAddsGrowWithTheThreads(set: Int, arithmetic: Arithmetic) {
    let counts = [1, 2].map { threads in
      let team = Team(threads: threads)
      defer { team.dismiss() }
      return Yardsticks(kernels: Kernels.available[set], arithmetic: arithmetic, team: team).multiplyAdds()
    }
    #expect(counts[0] > 0 && counts[1] == 2 * counts[0])
  }
}

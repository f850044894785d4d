import Batching
import Testing

/// Batches and jobs that want the same worker, each with the time that one of it takes.
@Suite struct TimeSharesTests {
  /// Who goes when both always wait: `b` or `j`.
  private static func order(_ turns: Int, batch: UInt64, job: UInt64) -> String {
    var shares = TimeShares()
    return String(
      (0..<turns).map { _ in
        if shares.isJobsTurn {
          shares.jobTook(job)
          return "j"
        }
        shares.batchTook(batch)
        return "b"
      })
  }

  @Test(
    arguments: [
      (100_000, 100_000, "bjbjbjbjbjbj"),
      (300_000, 100_000, "bjjjbjjjbjjj"),
      (250_000, 100_000, "bjjjbjjbjjjb"),
      (100_000, 300_000, "bjbbbjbbbjbb"),
      // No more than 4 ms are made good: eight jobs, or four batches.
      (30_000_000, 500_000, "bjjjjjjjjbjj"),
      (1_000_000, 30_000_000, "bjbbbbjbbbbj"),
    ] as [(UInt64, UInt64, String)])
  func eachHasHalfOfTheTime(batch: UInt64, job: UInt64, order: String) {
    #expect(Self.order(12, batch: batch, job: job) == order)
  }

  @Test func whatOneHadAloneIsItsOwn() {
    var shares = TimeShares()
    for _ in 0..<1_000 { shares.batchTook(10_000_000) }
    for _ in 0..<4 {
      #expect(shares.isJobsTurn)
      shares.jobTook(1_000_000)
    }
    #expect(!shares.isJobsTurn)
    shares.jobTook(.max)
    shares.batchTook(TimeShares.leadLimit)
    #expect(!shares.isJobsTurn)
    shares.batchTook(1)
    #expect(shares.isJobsTurn)
  }
}

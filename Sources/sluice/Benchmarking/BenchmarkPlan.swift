import FeedForward

/// What will be measured, and how long that takes.
struct BenchmarkPlan {
  let subjects: [BenchmarkSubject]
  /// Ascending, each once.
  let rows: [Int]
  /// For each cell, at least.
  let secondsOfCell: Double

  var cells: Int { subjects.count * rows.count }

  /// Rounds are measured until a layer's time is over, but so many in any case, and no more than the most.
  static let leastRounds = 5
  static let mostRounds = 1000

  /// For one layer's rounds, without packing.
  var secondsOfRounds: Double { secondsOfCell * Double(rows.count) }

  /// A guess from the machine's limits, of which kernels reach some four fifths.
  func estimatedSeconds(_ subject: BenchmarkSubject, _ limits: MachineLimits) -> Double {
    let weights = 3 * Double(subject.shape.dModel * subject.shape.dFF)
    let read = weights * 4 / (limits.memoryRead?.gbps.median ?? 10)
    let peak = limits.peaks.first { $0.arithmetic == subject.arithmetic }?.gops.median ?? 100
    let round = rows.reduce(0) { $0 + read + max(read, 2 * weights * Double($1) / peak) / 0.8 }
    return subject.estimatedPackingSeconds + max(secondsOfRounds, Double(Self.leastRounds) * round / 1e9) + round / 1e9
  }
}

extension BenchmarkSubject {
  /// At a gigabyte of memory in a second, which is what making up and packing weights come to.
  fileprivate var estimatedPackingSeconds: Double { Double(bytesNeeded) / 1e9 }
}

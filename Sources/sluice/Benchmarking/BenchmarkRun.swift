import Batching
import FeedForward

/// A plan while it is carried out: layer by layer, each packed, measured in rounds, reported and given back.
struct BenchmarkRun {
  let plan: BenchmarkPlan
  let kernels: Kernels
  let team: Team
  let report: BenchmarkReport
  /// Whether to end with what has been measured.
  let isStopped: () -> Bool

  /// - Throws: `.benchmark` where there is memory for none of the layers.
  func measure() throws(StartError) {
    let started = MonotonicClock.now()
    func elapsed() -> Double { Double(MonotonicClock.now() - started) / 1e9 }
    var arithmetics: [Arithmetic] = []
    for subject in plan.subjects where !arithmetics.contains(subject.arithmetic) {
      arithmetics.append(subject.arithmetic)
    }
    let limits = MachineLimits(
      kernels: kernels, arithmetics: arithmetics, team: team, seconds: min(1, plan.secondsOfCell),
      bytesAvailable: AvailableMemory.bytes() ?? .max, isStopped: isStopped)
    let estimates = plan.subjects.map { plan.estimatedSeconds($0, limits) }
    report.begin(
      limits, layers: plan.subjects.count, cells: plan.cells, seconds: elapsed() + estimates.reduce(0, +))

    var bar = ProgressBar()
    var cells = 0
    var leftOut = 0
    for (index, subject) in plan.subjects.enumerated() where !isStopped() {
      let available = AvailableMemory.bytes() ?? .max
      guard subject.bytesNeeded < available else {
        report.leftOut(subject, needed: subject.bytesNeeded, available: available)
        leftOut += 1
        continue
      }
      let before = estimates[..<index].reduce(0, +)
      let after = estimates[index...].reduce(0, +)
      let began = MonotonicClock.now()
      let measured = try measure(subject) {
        let done = min(estimates[index], Double(MonotonicClock.now() - began) / 1e9)
        bar.show(subject.title, fraction: (before + done) / (before + after), secondsLeft: after - done)
      }
      bar.clear()
      let found = BenchmarkCell.cells(of: measured)
      report.layer(subject, measured.block, found)
      cells += found.count
    }
    guard leftOut < plan.subjects.count else { throw .benchmark("there is no memory for any of the layers") }
    report.end(cells: cells, of: plan.cells, isInterrupted: isStopped(), seconds: elapsed())
  }

  /// - Parameter progress: called between the rounds.
  private func measure(_ subject: BenchmarkSubject, progress: () -> Void) throws(StartError) -> LayerRounds {
    progress()
    let rounds = LayerRounds(
      try subject.pack(kernels), arithmetic: subject.arithmetic, kernels: kernels, rows: plan.rows, team: team)
    rounds.warmUp(isStopped: isStopped)
    let end = MonotonicClock.now() + UInt64(plan.secondsOfRounds * 1e9)
    for round in 0..<BenchmarkPlan.mostRounds where !isStopped() {
      if round >= BenchmarkPlan.leastRounds, MonotonicClock.now() >= end { break }
      progress()
      rounds.round(isStopped: isStopped)
    }
    return rounds
  }
}

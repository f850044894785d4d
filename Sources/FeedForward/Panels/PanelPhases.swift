internal import CKernels

extension ffn_arithmetic {
  /// The first phase over all panels, with the helpers' help if there are any.
  func run(_ job: ffn_gate_up, helpers: Team?, totals: UnsafeMutablePointer<Float>) {
    var phase = PanelPhase(job: job, functions: self, panels: job.panels.panels, threads: helpers?.threads)
    guard let helpers else { return gate_up(&phase.job, 0, phase.panels, totals) }
    helpers.run(chunks: phase.chunks, context: &phase, scratch: totals) { context, chunk, totals in
      var phase = context.load(as: PanelPhase<ffn_gate_up>.self)
      let panels = phase.panels(ofChunk: chunk)
      phase.functions.gate_up(&phase.job, panels.lowerBound, panels.upperBound, totals)
    }
  }

  /// The second phase over all panels, with the helpers' help if there are any.
  func run(_ job: ffn_project, helpers: Team?, totals: UnsafeMutablePointer<Float>) {
    var phase = PanelPhase(job: job, functions: self, panels: job.panels.panels, threads: helpers?.threads)
    guard let helpers else { return project(&phase.job, 0, phase.panels, totals) }
    helpers.run(chunks: phase.chunks, context: &phase, scratch: totals) { context, chunk, totals in
      var phase = context.load(as: PanelPhase<ffn_project>.self)
      let panels = phase.panels(ofChunk: chunk)
      phase.functions.project(&phase.job, panels.lowerBound, panels.upperBound, totals)
    }
  }
}

/// Rows from which on blocking is shared: below that waking the helpers costs more.
private let blockingShareFloats = 1 << 16

extension ffn_arithmetic {
  /// Turns rows into row blocks, with the helpers' help if there are any and it is worth it.
  func run(_ job: ffn_blocking, helpers: Team?, totals: UnsafeMutablePointer<Float>) {
    var phase = BlockingPhase(job: job, functions: self)
    guard let helpers, job.rows > 1, job.rows * job.terms >= blockingShareFloats else {
      return block_rows(&phase.job, 0, job.rows)
    }
    let chunks = min(job.rows, 8 * helpers.threads, Team.chunksLimit)
    phase.chunkRows = (job.rows + chunks - 1) / chunks
    helpers.run(
      chunks: (job.rows + phase.chunkRows - 1) / phase.chunkRows, context: &phase, scratch: totals
    ) { context, chunk, _ in
      var phase = context.load(as: BlockingPhase.self)
      let first = chunk * phase.chunkRows
      phase.functions.block_rows(&phase.job, first, min(phase.job.rows, first + phase.chunkRows))
    }
  }
}

private struct BlockingPhase {
  var job: ffn_blocking
  let functions: ffn_arithmetic
  var chunkRows = 1
}

/// One phase cut into chunks of panels: whole groups where there are plenty, fewer panels where a team could not share
/// them evenly otherwise.
///
/// Unsafe pointers: a team hands each thread the phase by address and a scratch of its own; both outlive `run`, which
/// returns when all chunks are done.
struct PanelPhase<Job> {
  var job: Job
  let functions: ffn_arithmetic
  let panels: Int
  let chunkPanels: Int

  init(job: Job, functions: ffn_arithmetic, panels: Int, threads: Int?) {
    self.job = job
    self.functions = functions
    self.panels = panels
    let fair = panels / (4 * (threads ?? 1))
    let groups = min(2, fair / FFN_GROUP_PANELS)
    let even = groups > 0 ? groups * FFN_GROUP_PANELS : max(1, fair)
    self.chunkPanels = max(even, (panels + Team.chunksLimit - 1) / Team.chunksLimit)
  }

  var chunks: Int { (panels + chunkPanels - 1) / chunkPanels }

  func panels(ofChunk chunk: Int) -> Range<Int> {
    chunk * chunkPanels..<min(panels, (chunk + 1) * chunkPanels)
  }
}

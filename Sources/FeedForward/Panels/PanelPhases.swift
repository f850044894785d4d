internal import CKernels
internal import Synchronization

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

extension ffn_arithmetic {
  /// Turns rows into row blocks, with the helpers' help if there are any and there are `share` floats or more: with
  /// fewer the others would hear of it too late.
  func run(_ job: ffn_blocking, share: Int, helpers: Team?, totals: UnsafeMutablePointer<Float>) {
    var phase = BlockingPhase(job: job, functions: self)
    guard let helpers, job.rows > 1, job.rows * job.terms >= share else {
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

  /// The first phase, and what it leaves to be blocked with it: whoever completes the panels of a block of hidden
  /// values blocks it for all rows, while it is in that thread's caches and the others go on.
  ///
  /// - Parameter progress: room for a count for each block.
  func run(
    _ job: ffn_gate_up, blocking: ffn_blocking, progress: BlockProgress, helpers: Team?,
    totals: UnsafeMutablePointer<Float>
  ) {
    var phase = BlockedPhase(
      gateUp: PanelPhase(job: job, functions: self, panels: job.panels.panels, threads: helpers?.threads),
      blocking: blocking, done: progress.base)
    guard let helpers else {
      for block in 0..<phase.blocks {
        let panels = phase.panels(ofBlock: block)
        gate_up(&phase.gateUp.job, panels.lowerBound, panels.upperBound, totals)
        phase.block(block)
      }
      return
    }
    for block in 0..<phase.blocks { progress.base[block].store(0, ordering: .relaxed) }
    helpers.run(chunks: phase.gateUp.chunks, context: &phase, scratch: totals) { context, chunk, totals in
      var phase = context.load(as: BlockedPhase.self)
      let panels = phase.gateUp.panels(ofChunk: chunk)
      phase.gateUp.functions.gate_up(&phase.gateUp.job, panels.lowerBound, panels.upperBound, totals)
      phase.complete(panels)
    }
  }
}

private struct BlockingPhase {
  var job: ffn_blocking
  let functions: ffn_arithmetic
  var chunkRows = 1
}

/// The first phase over pair panels with the blocking of what comes out.
///
/// Unsafe pointers: as in ``PanelPhase``; the counts are atomic.
private struct BlockedPhase {
  var gateUp: PanelPhase<ffn_gate_up>
  let blocking: ffn_blocking
  /// Panels done, of each block.
  let done: UnsafeMutablePointer<Atomic<Int>>

  private static let panelsOfBlock = FFN_BLOCK_TERMS / FFN_PAIR_COLUMNS

  var blocks: Int { (gateUp.panels + Self.panelsOfBlock - 1) / Self.panelsOfBlock }

  func panels(ofBlock block: Int) -> Range<Int> {
    block * Self.panelsOfBlock..<min(gateUp.panels, (block + 1) * Self.panelsOfBlock)
  }

  /// Counts panels that are done, and blocks the blocks that they were the last of.
  func complete(_ panels: Range<Int>) {
    for block in panels.lowerBound / Self.panelsOfBlock...(panels.upperBound - 1) / Self.panelsOfBlock {
      let all = self.panels(ofBlock: block)
      let count = panels.clamped(to: all).count
      if done[block].add(count, ordering: .acquiringAndReleasing).newValue == all.count { self.block(block) }
    }
  }

  func block(_ block: Int) {
    var job = blocking
    let first = block * FFN_BLOCK_TERMS
    job.x += block * blocking.block_step
    job.terms = min(FFN_BLOCK_TERMS, blocking.terms - first)
    job.blocks += block * blocking.rows * FFN_BYTE_BLOCK_STRIDE
    gateUp.functions.block_rows(&job, 0, job.rows)
  }
}

/// Counts for the blocks of hidden values of one pass.
///
/// Unsafe pointer: memory of its own, of atomics.
final class BlockProgress {
  let base: UnsafeMutablePointer<Atomic<Int>>
  let count: Int

  init(count: Int) {
    self.count = count
    base = .allocate(capacity: count)
    for block in 0..<count { (base + block).initialize(to: Atomic(0)) }
  }

  deinit {
    base.deinitialize(count: count)
    base.deallocate()
  }
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

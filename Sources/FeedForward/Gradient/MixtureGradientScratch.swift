/// What a mixture's backward pass keeps of one chunk of rows, beside its forward pass's route table.
struct MixtureGradientScratch {
  // Unsafe: the addresses handed out here are into memory of the sizes said beside them, which `reserve` has made.

  private var memory: AlignedFloats?

  /// `[rows, routes of a row]`: by what weights each route.
  private(set) var routes: UnsafeMutablePointer<Float>!
  /// `[rows, experts]`
  private(set) var logits: UnsafeMutablePointer<Float>!
  /// What goes back through the expert in work, and what comes out, ``Workspace/chunkRows`` rows at most.
  private(set) var gradOutput: UnsafeMutablePointer<Float>!
  private(set) var gradInput: UnsafeMutablePointer<Float>!
  /// By the logit of the shared expert's gate, ``Workspace/chunkRows`` at most.
  private(set) var shares: UnsafeMutablePointer<Float>!
  /// For a row's routing.
  private(set) var rowScratch: UnsafeMutablePointer<Float>!

  var byteCount: Int { memory?.byteCount ?? 0 }

  /// Makes room for `rows` rows of `routesOfRow` routes each.
  mutating func reserve(for mixture: MixtureLayer, rows: Int, routesOfRow: Int) {
    let chunk = min(rows, Workspace.chunkRows)
    let counts = [
      rows * routesOfRow, rows * mixture.count, chunk * mixture.dOut, chunk * mixture.dIn, chunk,
      RoutingGradient.scratchCount(experts: mixture.count),
    ].map { ($0 + 15) / 16 * 16 }
    Workspace.grow(&memory, to: counts.reduce(0, +))
    var free = memory!.base
    func place(_ index: Int) -> UnsafeMutablePointer<Float> {
      defer { free += counts[index] }
      return free
    }
    (routes, logits, gradOutput) = (place(0), place(1), place(2))
    (gradInput, shares, rowScratch) = (place(3), place(4), place(5))
  }
}

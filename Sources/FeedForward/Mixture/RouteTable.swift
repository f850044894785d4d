/// Scratch of a mixture: which rows go to which expert with which weight, and the rows of the expert in work.
///
/// It belongs to a workspace, and like it to one worker. A route is a row's way through one expert.
struct RouteTable {
  // Unsafe: the addresses handed out here are into memory of the sizes said beside them, which `reserve` has made.

  private var memory: AlignedFloats?
  private var experts = 0
  private var routesLimit = 0

  /// `[rows, experts]`
  private(set) var logits: UnsafeMutablePointer<Float>!
  /// `[rows, routes of a row]`
  private(set) var weights: UnsafeMutablePointer<Float>!
  /// The rows that the expert in work takes, and what it returns for them, ``Workspace/chunkRows`` at most.
  private(set) var gathered: UnsafeMutablePointer<Float>!
  private(set) var returned: UnsafeMutablePointer<Float>!
  /// What weights the shared expert's rows.
  private(set) var shares: UnsafeMutablePointer<Float>!
  /// For a row's choice.
  private(set) var choiceScratch: UnsafeMutablePointer<Float>!
  /// `[rows, routes of a row]`: the expert of each route.
  private(set) var indices: UnsafeMutablePointer<UInt32>!
  /// `[routes]`: the routes' numbers, ascending by expert, then by row.
  private var order: UnsafeMutablePointer<UInt32>!
  /// `[experts + 1]`: where each expert's routes end in `order`.
  private var ends: UnsafeMutablePointer<UInt32>!

  var byteCount: Int { memory?.byteCount ?? 0 }

  /// Makes room for `rows` rows of `routesOfRow` routes each.
  mutating func reserve(rows: Int, routesOfRow: Int, experts: Int, dIn: Int, dOut: Int) {
    let routes = rows * routesOfRow
    let gatheredRows = min(rows, Workspace.chunkRows)
    var floats = 0
    func place(of count: Int) -> Int {
      defer { floats += (count + 15) / 16 * 16 }
      return floats
    }
    let logitsPlace = place(of: rows * experts)
    let weightsPlace = place(of: routes)
    let gatheredPlace = place(of: gatheredRows * dIn)
    let returnedPlace = place(of: gatheredRows * dOut)
    let sharesPlace = place(of: gatheredRows)
    let choicePlace = place(of: RowRouter.scratchCount(experts: experts))
    let indicesPlace = place(of: routes)
    let orderPlace = place(of: routes)
    let endsPlace = place(of: experts + 1)
    Workspace.grow(&memory, to: floats)
    let (base, words) = (memory!.base, memory!.words)
    logits = base + logitsPlace
    weights = base + weightsPlace
    gathered = base + gatheredPlace
    returned = base + returnedPlace
    shares = base + sharesPlace
    choiceScratch = base + choicePlace
    indices = words + indicesPlace
    order = words + orderPlace
    ends = words + endsPlace
    self.experts = experts
    routesLimit = routes
  }

  /// Sorts the routes by their experts; each expert's stay in the order of their rows.
  func group(routes: Int) {
    precondition(routes <= routesLimit)
    ends.update(repeating: 0, count: experts + 1)
    for route in 0..<routes { ends[Int(indices[route]) + 1] += 1 }
    for expert in 0..<experts { ends[expert + 1] += ends[expert] }
    // `ends[e]` is where expert e's routes begin, and moves on to where they end.
    for route in 0..<routes {
      let expert = Int(indices[route])
      order[Int(ends[expert])] = UInt32(route)
      ends[expert] += 1
    }
  }

  /// The routes of one expert, in the order of their rows; valid until the next ``group(routes:)``.
  func routes(of expert: Int) -> UnsafeBufferPointer<UInt32> {
    let begin = expert == 0 ? 0 : Int(ends[expert - 1])
    return UnsafeBufferPointer(start: order + begin, count: Int(ends[expert]) - begin)
  }
}

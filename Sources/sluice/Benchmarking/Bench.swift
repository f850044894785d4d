import ArgumentParser
import Batching
import Checkpoint
import Dispatch
import FeedForward
import Glibc
import InferenceAPI
import Synchronization

/// `sluice bench`: how fast layers are computed here, beside what this machine can do at most.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how fast layers are computed here, beside this machine's limits.",
    discussion: """
      Every round takes turns: the machine's peak of multiply-adds, a plain read of the packed weights, a pass of each \
      number of rows. Times are medians over the rounds, shares medians of the ratios within a round, so that other \
      work on the machine falls on both sides; ± is half the distance between the quartiles. OF NEXT is the time \
      beside that of the next larger power of two of rows: more than 100% is a cliff. A multiply-add is two \
      operations. SIGINT ends it with what has been measured.
      """)

  @Option(
    help: ArgumentHelp(
      "Layers with made-up weights, d_model x d_ff. (default: \(CommaList(usualShapes)), without --model)",
      valueName: "list"))
  var shapes: CommaList<LayerShape>?

  @Option(
    help: ArgumentHelp(
      "Measure a checkpoint's own layers, one of each kind; can be given several times.", valueName: "name=path"))
  var model: [GivenModel] = []

  @Option(help: ArgumentHelp("Only these layers of every checkpoint, such as 0-3,7.", valueName: "list"))
  var layers: String?

  @Option(help: ArgumentHelp("Numbers of rows, such as 1,8,16-32.", valueName: "list"))
  var rows = CommaList([1, 2, 4, 8, 16, 32, 64, 128, 256].map(RowNumbers.init))

  @Option(
    help: ArgumentHelp("Arithmetics: \(ArithmeticName.allValueStrings.joined(separator: ", ")).", valueName: "list"))
  var compute = CommaList(Arithmetic.allCases.map(ArithmeticName.init))

  @Option(help: "How made-up weights are stored: f32, bf16. (default: bf16 for bf16, else f32)")
  var stored: StoredWeights?

  @Option(help: "The gate of layers with made-up weights.")
  var gate = "swiglu"

  @Option(help: .number("Threads that compute. (default: the processors, or the control group's share of them)"))
  var threads: Count?

  @Option(
    help: ArgumentHelp(
      "Instruction set of the kernels, such as avx2; bench and the start line name it. (default: the machine's fastest)",
      valueName: "name"))
  var kernels: String?

  @Option(help: ArgumentHelp("Seconds for each cell; five rounds are measured in any case.", valueName: "seconds"))
  var seconds = 0.5

  @Flag(help: "JSON lines in place of tables.")
  var json = false

  @Flag(
    help: """
      Measure one layer in one arithmetic a turn at a time: for each line "ROWS SECONDS" on standard input a JSON line. \
      For scripts that measure something else in between.
      """)
  var turns = false

  func validate() throws {
    guard seconds > 0, seconds <= 3600 else { throw ValidationError("--seconds: more than 0 and at most 3600") }
    guard Gate(wireName: gate) != nil else { throw ValidationError("--gate: no gate has the name \(gate)") }
  }

  func run() throws {
    let kernels: Kernels
    do { kernels = try self.kernels.map(Kernels.named) ?? .best() } catch { throw StartError.kernels(error) }
    let plan = BenchmarkPlan(
      subjects: try subjects(), rows: Set(rows.elements.flatMap(\.range)).sorted(), secondsOfCell: seconds)
    let team = Team(threads: threads?.value ?? CPUQuota.threads())
    defer { team.dismiss() }
    if turns { return try takeTurns(plan, kernels, team) }
    let interruption = Interruption()
    let run = BenchmarkRun(
      plan: plan, kernels: kernels, team: team,
      report: BenchmarkReport(isJSON: json, kernels: kernels, threads: team.threads),
      isStopped: { interruption.isRequested })
    try withExtendedLifetime(StopSignals(interrupting: interruption)) { try run.measure() }
  }

  /// Checkpoints first, then shapes; each in every arithmetic.
  private func subjects() throws(StartError) -> [BenchmarkSubject] {
    var found: [(Arithmetic) -> BenchmarkSubject.Weights] = []
    for argument in model {
      guard case .checkpoint(let path) = argument.source else {
        throw .usage("--model demo: the embedded model is too small to be measured")
      }
      do {
        let selection = try layers.map { text throws(CheckpointError) in try LayerSelection(parsing: text) }
        let checkpoint = try Checkpoint.open(path, layers: selection)
        found += BenchmarkSubject.layers(of: checkpoint, model: argument.name).map { weights in { _ in weights } }
      } catch {
        throw .store(.checkpoint(model: argument.name, error))
      }
    }
    if model.isEmpty, layers != nil { throw .usage("--layers selects layers of a checkpoint: --model is missing") }
    let gate = Gate(wireName: gate) ?? .swiglu(beta: 1)
    for shape in shapes?.elements ?? (model.isEmpty ? Self.usualShapes : []) {
      found.append { .shape(shape, gate, stored?.type ?? ($0 == .bf16 ? .bf16 : .f32)) }
    }
    return found.flatMap { weights in
      compute.elements.map { BenchmarkSubject(weights: weights($0.arithmetic), arithmetic: $0.arithmetic) }
    }
  }

  private func takeTurns(_ plan: BenchmarkPlan, _ kernels: Kernels, _ team: Team) throws(StartError) {
    guard plan.subjects.count == 1, let subject = plan.subjects.first else {
      throw .usage("--turns takes one layer in one arithmetic: \(plan.subjects.map(\.title).joined(separator: ", "))")
    }
    let rounds = LayerRounds(
      try subject.pack(kernels), arithmetic: subject.arithmetic, kernels: kernels, rows: plan.rows, team: team)
    try BenchmarkTurns(rounds: rounds).answer()
  }

  private static let usualShapes = [LayerShape(512, 2048), LayerShape(2048, 8192), LayerShape(4096, 14336)]
}

/// Whether somebody wants a benchmark to end.
final class Interruption: Sendable {
  private let wasRequested = Atomic<Bool>(false)

  var isRequested: Bool { wasRequested.load(ordering: .relaxed) }

  func request() { wasRequested.store(true, ordering: .relaxed) }
}

extension StopSignals {
  /// The first signal ends the measuring, the second the process.
  convenience init(interrupting interruption: Interruption) {
    self.init(
      queue: DispatchQueue(label: "sluice.signals"), first: { interruption.request() }, second: { _exit(128 + $0) })
  }
}

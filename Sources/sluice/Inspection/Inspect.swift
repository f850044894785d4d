import ArgumentParser
import Batching
import Checkpoint
import FeedForward
import InferenceAPI

/// `sluice inspect`: what a checkpoint holds, and how it would be served.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a checkpoint holds, and how it would be served.",
    discussion: """
      Packs one layer after the other and gives each back, to say how many bytes it takes in memory and how far it is \
      from its stored weights: the relative error of its norm on normally distributed inputs. What `serve` would refuse \
      is refused here by the same words. With --headers no weight is read.
      """)

  @Argument(help: "A directory with config.json, a safetensors file, or the index of a sharded one.")
  var path: String

  @Option(help: ArgumentHelp("Only these layers, such as 0-3,7.", valueName: "list"))
  var layers: String?

  @Option(help: ArgumentHelp("Only these experts of each mixture, such as 0-31.", valueName: "list"))
  var experts: String?

  @Option(
    help: ArgumentHelp(
      "Arithmetic: \(ArithmeticName.allValueStrings.joined(separator: ", ")). (default: as the weights are stored)",
      valueName: "arithmetic"))
  var compute: ArithmeticName?

  @Flag(help: "Read headers only.")
  var headers = false

  func run() throws(StartError) {
    let checkpoint: Checkpoint
    do {
      let selection = try layers.map { text throws(CheckpointError) in try LayerSelection(parsing: text) }
      let experts = try experts.map { text throws(CheckpointError) in try ExpertSelection(parsing: text) }
      checkpoint = try Checkpoint.open(path, layers: selection, experts: experts)
    } catch {
      throw StartError.inspection(error)
    }
    print("path    \(checkpoint.path)")
    print("family  \(checkpoint.family)")
    print("rule    \(checkpoint.rule)")
    for note in checkpoint.notes { print("note    \(note)") }
    print("")
    let measured: [TextTable.Column] = headers ? [] : [.left("COMPUTE"), .right("RESIDENT"), .right("ERROR")]
    var table = TextTable(
      [
        .right("LAYER"), .left("NAME"), .left("VARIANT"), .left("DTYPE"), .left("GATE, UP"), .left("DOWN"),
        .left("BIASES"), .right("BYTES"),
      ] + measured)
    let packing = ModelPacking(
      kernels: .best(), arithmetic: compute?.arithmetic, team: Team(threads: headers ? 1 : CPUQuota.threads()))
    var residentBytes = 0
    for layer in checkpoint.layers {
      if headers {
        table.append(layer.cells)
        continue
      }
      let packed: PackedLayer
      do { packed = try packing.pack(layer, of: path) } catch { throw StartError.store(error) }
      residentBytes += packed.block.residentBytes
      table.append(
        layer.cells + [
          packed.block.arithmetic.rawValue, "\(packed.block.residentBytes)",
          packed.error.map(RelativeError.text) ?? "-",
        ])
    }
    let bytes = checkpoint.layers.reduce(0) { $0 + $1.storedBytes }
    table.append(
      ["\(checkpoint.layers.count)", "", "", "", "", "", "", "\(bytes)"]
        + (headers ? [] : ["", "\(residentBytes)", ""]))
    print(table, terminator: "")
    if !headers { print("\nkernels \(Kernels.best().name)") }
  }
}

extension LayerSource {
  /// A mixture shows its first expert, all of which have these shapes; a stack of convolutions its first layer.
  fileprivate var cells: [String] {
    switch weights {
    case .layer(let weights): cells(weights)
    case .mixture(let mixture): cells(mixture.experts[0], of: mixture)
    case .convolution(let stack): cells(stack)
    }
  }

  private func cells(_ stack: ConvolutionStackWeights) -> [String] {
    var variant = [stack.layers[0].gate.wireName]
    if stack.layers.count > 1 { variant += ["layers=\(stack.layers.count)", "residual_blocks=\(stack.blocks.count)"] }
    let kernel = stack.layers[0].kernel
    return [
      "\(index)", name, variant.joined(separator: " "), storedType,
      "[\(kernel.outputs), \(kernel.channelsIn), \(kernel.width)]", "-",
      stack.layers.contains { $0.bias != nil } ? "conv" : "-", "\(storedBytes)",
    ]
  }

  private func cells(_ weights: LayerWeights, of mixture: MixtureWeights? = nil) -> [String] {
    let gate = weights.gate
    // Parameters are said where they are not the ones that the name alone stands for.
    let parameters = gate == Gate(wireName: gate.wireName) ? [] : gate.parameters
    var variant = [gate.wireName] + parameters.map { "\($0.name.rawValue)=\($0.value)" }
    if let mixture {
      variant.append("experts=\(mixture.count)")
      if let held = mixture.held, held.count < mixture.count { variant.append("held=\(ExpertSelection.text(held))") }
      variant.append("top_k=\(mixture.topK)")
      if mixture.shared != nil { variant.append("shared") }
    }
    let biases = [("gate", weights.gateBias), ("up", weights.upBias), ("down", weights.downBias)]
      .filter { $0.1 != nil }.map(\.0)
    return [
      "\(index)", name, variant.joined(separator: " "), storedType,
      "[\(weights.gateProj.rows), \(weights.gateProj.columns)]",
      weights.downProj.map { "[\($0.rows), \($0.columns)]" } ?? "-",
      biases.isEmpty ? "-" : biases.joined(separator: ", "), "\(storedBytes)",
    ]
  }
}

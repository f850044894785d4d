import ArgumentParser
import Checkpoint
import FeedForward

/// `sluice inspect`: what a checkpoint holds and how it would be served, without packing it.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a checkpoint holds.",
    discussion: "Reads the headers and no weight; what `serve` would refuse is refused here by the same words.")

  @Argument(help: "A directory with config.json, a safetensors file, or the index of a sharded one.")
  var path: String

  @Option(help: ArgumentHelp("Only these layers, such as 0-3,7.", valueName: "list"))
  var layers: String?

  func run() throws(StartError) {
    let checkpoint: Checkpoint
    do {
      let selection = try layers.map { text throws(CheckpointError) in try LayerSelection(parsing: text) }
      checkpoint = try Checkpoint.open(path, layers: selection)
    } catch {
      throw StartError.inspection(error)
    }
    print("path    \(checkpoint.path)")
    print("family  \(checkpoint.family)")
    print("rule    \(checkpoint.rule)")
    for note in checkpoint.notes { print("note    \(note)") }
    print("")
    var table = TextTable([
      .right("LAYER"), .left("NAME"), .left("VARIANT"), .left("DTYPE"), .left("GATE, UP"), .left("DOWN"),
      .left("BIASES"), .right("BYTES"),
    ])
    for layer in checkpoint.layers { table.append(layer.cells) }
    let bytes = checkpoint.layers.reduce(0) { $0 + $1.storedBytes }
    table.append(["\(checkpoint.layers.count)", "", "", "", "", "", "", "\(bytes)"])
    print(table, terminator: "")
  }
}

extension LayerSource {
  /// A mixture shows its first expert; all of them have these shapes.
  fileprivate var cells: [String] {
    switch weights {
    case .layer(let weights): cells(weights)
    case .mixture(let mixture): cells(mixture.experts[0], of: mixture)
    }
  }

  private func cells(_ weights: LayerWeights, of mixture: MixtureWeights? = nil) -> [String] {
    let gate = weights.gate
    // Parameters are said where they are not the ones that the name alone stands for.
    let parameters = gate == Gate(wireName: gate.wireName) ? [] : gate.parameters
    var variant = [gate.wireName] + parameters.map { "\($0.name.rawValue)=\($0.value)" }
    if let mixture {
      variant += ["experts=\(mixture.experts.count)", "top_k=\(mixture.topK)"]
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

import ArgumentParser

struct EngineBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "engine", abstract: "GFLOP/s and GB/s of the forward pass.")
}

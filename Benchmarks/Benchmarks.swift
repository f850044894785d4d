import ArgumentParser

/// Measures one room at a time, without the others; `make bench` runs them all. Layers are measured by `sluice bench`.
@main
struct Benchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice-benchmarks",
    abstract: "Measures Sluice's rooms one by one.",
    subcommands: [
      CodecBenchmark.self, GateBenchmark.self, MixtureBenchmark.self, GradientBenchmark.self, ConvolutionBenchmark.self,
      ProtocolBenchmark.self, RequestBenchmark.self, OutcomeBenchmark.self, EchoServer.self,
    ])
}

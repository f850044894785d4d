import ArgumentParser

struct CodecBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "codec", abstract: "Nanoseconds a number, scanned and printed.")
}

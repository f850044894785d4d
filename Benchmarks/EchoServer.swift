import ArgumentParser

struct EchoServer: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "echo", abstract: "Answers GET /hello and POST /echo: the HTTP server alone, without the engine.")
}

import ArgumentParser
import HTTPServer
import InferenceAPI

/// `sluice key`: a new token, shown once, and the line that lets it in.
struct KeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key",
    abstract: "Make an API key.",
    discussion: """
      The line for the file of --api-keys goes to standard output, the token to standard error; the token is kept nowhere:
        sluice key alice --rate 100 --concurrency 8 >> keys
      """)

  @Argument(help: "The key's name, in the log and in the metrics: letters, digits and any of - _ .")
  var name: String

  @Option(help: ArgumentHelp("Requests per second in the long run. (default: no limit)", valueName: "requests"))
  var rate: Double?

  @Option(help: ArgumentHelp("Requests at once after a pause. (default: as many as a second's)", valueName: "requests"))
  var burst: Int?

  @Option(help: ArgumentHelp("Requests that may be under way at a time. (default: no limit)", valueName: "requests"))
  var concurrency: Int?

  func run() throws {
    var random = SystemRandomNumberGenerator()
    let octets = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    let token = "sluice_" + Hexadecimal.text(octets)
    var line = "\(name) sha256:\(Hexadecimal.text(TokenHash.sha256(Array(token.utf8))))"
    if let rate { line += " rate=\(Int(exactly: rate).map(String.init) ?? "\(rate)")" }
    if let burst { line += " burst=\(burst)" }
    if let concurrency { line += " concurrency=\(concurrency)" }
    // What the server would refuse is refused here.
    do { _ = try KeyFile(text: line, path: "the key") } catch {
      guard case .line(_, _, let reason) = error else { throw StartError.keys(error) }
      throw StartError.usage(reason)
    }
    StandardError.print("\(token)\n")
    print(line)
  }
}

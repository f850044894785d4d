import ArgumentParser
import Batching

/// The program: what was asked for on the command line, run, and its failures turned into a line and an exit code.
@main
struct Sluice: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice",
    abstract: "Serves the gated feed-forward layers of Transformers over HTTP.",
    discussion: """
      Every flag can also be given in the environment: --max-batch-rows is SLUICE_MAX_BATCH_ROWS, several values of a \
      repeated flag are separated by commas, and a flag without a value is true or false. The command line wins.

      Exit codes: 0 done (also after SIGTERM and SIGINT), 1 not ready (probe), 64 wrong usage, 65 a checkpoint or \
      certificate that is refused, 66 a file that cannot be read, 69 an address that cannot be listened at or \
      connected to, 70 a layer that does not compute what its weights say, 71 no memory or other resource of the \
      system, 128 + n ended by signal n: by a second one to end, or by a fault.
      """,
    version: "sluice \(Version.text)",
    subcommands: [Serve.self, Inspect.self, Bench.self, LoadTest.self, Probe.self, KeyCommand.self])

  static func main() {
    let started = MonotonicClock.now()
    let commandLine = Array(CommandLine.arguments.dropFirst())
    do {
      let environment = try EnvironmentArguments(commandLine: commandLine, environment: ProcessEnvironment.variables())
      var command = try parse(environment)
      if let serve = command as? Serve {
        try serve.run(started: started, unknownVariables: environment.unknownVariables)
      } else {
        try command.run()
      }
    } catch let error as StartError {
      StandardError.print("sluice: \(error)\n")
      exit(withError: ExitCode(error.exitCode))
    } catch {
      exit(withError: error)
    }
  }

  /// Parses the command line with what the environment adds to it; a value of the environment that cannot be parsed is
  /// an error that names the variable.
  private static func parse(_ environment: EnvironmentArguments) throws -> any ParsableCommand {
    do {
      return try parseAsRoot(environment.arguments(with: environment.variables))
    } catch {
      guard (try? parseAsRoot(environment.commandLine)) != nil else { throw error }
      for variable in environment.variables {
        do {
          _ = try parseAsRoot(environment.arguments(with: [variable]))
        } catch {
          throw StartError.variable(name: variable.name, value: variable.value, reason: message(for: error))
        }
      }
      throw error
    }
  }
}

/// The version of the program, as `--version` says it.
enum Version {
  static let text = "0.1.0"
}

/// The command line with what the environment adds to it.
///
/// `--max-batch-rows` is `SLUICE_MAX_BATCH_ROWS`, for every flag of the command that is run; the flags are asked of the
/// command line's own definition. A variable is left out where the command line gives its flag, and where it is empty.
struct EnvironmentArguments {
  /// A variable that became arguments.
  struct Variable {
    let name: String
    let value: String
    let arguments: [String]
  }

  static let prefix = "SLUICE_"

  let commandLine: [String]
  /// By name, so that errors do not depend on the order of the environment.
  let variables: [Variable]
  /// Names that no flag of any command has.
  let unknownVariables: [String]

  /// What to parse: the variables' arguments stand between the command and what the command line gives it.
  func arguments(with variables: [Variable]) -> [String] {
    commandLine.prefix(1) + variables.flatMap(\.arguments) + commandLine.dropFirst()
  }

  /// - Throws: `.variable` for a flag without a value that is neither true nor false.
  init(commandLine: [String], environment: [String: String]) throws(StartError) {
    self.commandLine = commandLine
    let own = environment.filter { $0.key.hasPrefix(Self.prefix) && !$0.value.isEmpty && !Self.isServiceLink($0) }
    guard !own.isEmpty else {
      (variables, unknownVariables) = ([], [])
      return
    }
    let commands = CommandFlags.all()
    let flags = commands.first { $0.command == commandLine.first }?.flags ?? []
    var variables: [Variable] = []
    var unknown: [String] = []
    for (name, value) in own.sorted(by: { $0.key < $1.key }) {
      let longName = Self.longName(of: name)
      if let flag = flags.first(where: { $0.name == longName }) {
        if Self.isGiven(flag, in: commandLine) { continue }
        variables.append(
          Variable(name: name, value: value, arguments: try Self.arguments(flag, variable: name, value: value)))
      } else if !commands.contains(where: { $0.flags.contains { $0.name == longName } }) {
        unknown.append(name)
      }
    }
    self.variables = variables
    self.unknownVariables = unknown
  }

  /// `SLUICE_MAX_BATCH_ROWS` → `max-batch-rows`
  private static func longName(of variable: String) -> String {
    String(variable.dropFirst(prefix.count)).lowercased().split(separator: "_", omittingEmptySubsequences: false)
      .joined(separator: "-")
  }

  /// Kubernetes tells every container about a service named `sluice` by variables of just this prefix, and one of them
  /// is `SLUICE_PORT=tcp://10.0.0.1:8080`. None of them is meant for this program.
  private static func isServiceLink(_ variable: (key: String, value: String)) -> Bool {
    let rest = variable.key.dropFirst(prefix.count)
    if rest == "SERVICE_HOST" || rest == "SERVICE_PORT" || rest.hasPrefix("SERVICE_PORT_") { return true }
    guard rest.hasPrefix("PORT") else { return false }
    return rest.hasPrefix("PORT_") || variable.value.hasPrefix("tcp://") || variable.value.hasPrefix("udp://")
  }

  private static func isGiven(_ flag: CommandFlags.Flag, in commandLine: [String]) -> Bool {
    let names = ["--\(flag.name)"] + (flag.inverse.map { ["--\($0)"] } ?? [])
    return commandLine.prefix { $0 != "--" }.contains { argument in
      names.contains { argument == $0 || argument.hasPrefix($0 + "=") }
    }
  }

  private static func arguments(
    _ flag: CommandFlags.Flag, variable: String, value: String
  ) throws(StartError) -> [String] {
    switch flag.kind {
    case .value: return ["--\(flag.name)=\(value)"]
    case .repeatedValue: return value.split(separator: ",").map { "--\(flag.name)=\($0)" }
    case .withoutValue:
      switch value.lowercased() {
      case "true", "1", "yes", "on": return ["--\(flag.name)"]
      case "false", "0", "no", "off": return flag.inverse.map { ["--\($0)"] } ?? []
      default: throw .variable(name: variable, value: value, reason: "expected true or false")
      }
    }
  }
}

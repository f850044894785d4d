import ArgumentParser
import FoundationEssentials

/// The flags of one command, as its definition has them.
struct CommandFlags {
  struct Flag {
    enum Kind {
      case value
      case repeatedValue
      case withoutValue
    }

    /// Without its dashes.
    let name: String
    let kind: Kind
    /// What takes a flag without a value back: `no-access-log`.
    let inverse: String?
  }

  let command: String
  let flags: [Flag]

  /// Every command's flags, read from the description that the program gives of itself (`--experimental-dump-help`).
  static func all() -> [CommandFlags] {
    // The text is made in this process from constants, so a failure to read it is a fault of the program.
    guard let tool = try? JSONDecoder().decode(Tool.self, from: Data(Sluice._dumpHelp().utf8)) else {
      preconditionFailure("the command line describes itself")
    }
    return (tool.command.subcommands ?? []).map { command in
      let arguments = command.arguments ?? []
      let names = Set(arguments.compactMap(\.longName))
      return CommandFlags(command: command.commandName, flags: arguments.compactMap { Flag($0, among: names) })
    }
  }
}

extension CommandFlags.Flag {
  /// nil for what is no flag of its own: a positional argument, the inverse of another flag, help and version.
  fileprivate init?(_ argument: Argument, among names: Set<String>) {
    guard let name = argument.longName, name != "help", name != "version" else { return nil }
    if name.hasPrefix("no-"), names.contains(String(name.dropFirst(3))) { return nil }
    self.name = name
    switch argument.kind {
    case "option": kind = argument.isRepeating ? .repeatedValue : .value
    case "flag": kind = .withoutValue
    default: return nil
    }
    inverse = names.contains("no-\(name)") ? "no-\(name)" : nil
  }
}

private struct Tool: Decodable {
  let command: Command
}

private struct Command: Decodable {
  let commandName: String
  let subcommands: [Command]?
  let arguments: [Argument]?
}

private struct Argument: Decodable {
  struct Name: Decodable {
    let kind: String
    let name: String
  }

  let kind: String
  let isRepeating: Bool
  let names: [Name]?

  var longName: String? { names?.first { $0.kind == "long" }?.name }
}

import ArgumentParser
import InferenceAPI

extension GivenModel: ExpressibleByArgument {
  /// A model as the command line names it: `demo`, or `NAME=PATH`, where the name ends at the first `=` and holds no
  /// slash.
  public init?(argument: String) {
    if argument == DemoModel.name {
      self.init(name: DemoModel.name, source: .demo)
      return
    }
    guard let equals = argument.firstIndex(of: "=") else { return nil }
    let path = argument[argument.index(after: equals)...]
    let name = argument[..<equals]
    // A name is one segment of a path.
    guard !name.isEmpty, !name.contains("/"), !path.isEmpty else { return nil }
    self.init(name: String(name), source: .checkpoint(path: String(path)))
  }
}

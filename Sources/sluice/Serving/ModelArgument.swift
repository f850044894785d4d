import ArgumentParser
import Checkpoint
import FeedForward
import InferenceAPI

/// A model as the command line names it.
enum ModelArgument: ExpressibleByArgument, Sendable {
  case demo
  case checkpoint(name: String, path: String)

  /// `demo`, or `NAME=PATH`: the name ends at the first `=`, and holds no slash.
  init?(argument: String) {
    if argument == DemoModel.name {
      self = .demo
      return
    }
    guard let equals = argument.firstIndex(of: "=") else { return nil }
    let path = argument[argument.index(after: equals)...]
    let name = argument[..<equals]
    // A name is one segment of a path.
    guard !name.isEmpty, !name.contains("/"), !path.isEmpty else { return nil }
    self = .checkpoint(name: String(name), path: String(path))
  }

  var name: String {
    switch self {
    case .demo: DemoModel.name
    case .checkpoint(let name, _): name
    }
  }
}

/// A model that was found and checked, but not packed.
enum OpenedModel {
  case demo
  case checkpoint(name: String, Checkpoint)

  /// Opens everything that is to be served, so that what is refused is refused before anything takes long.
  static func open(_ options: ModelOptions) throws(StartError) -> [OpenedModel] {
    if options.model.isEmpty, options.layers == nil { return [.demo] }
    if options.model.isEmpty { throw .usage("--layers selects layers of a checkpoint: --model is missing") }
    var opened: [OpenedModel] = []
    var names: Set<String> = []
    for argument in options.model {
      guard names.insert(argument.name).inserted else { throw .catalog(.duplicateModel(argument.name)) }
      switch argument {
      case .demo: opened.append(.demo)
      case .checkpoint(let name, let path):
        do {
          let selection = try options.layers.map { text throws(CheckpointError) in try LayerSelection(parsing: text) }
          opened.append(.checkpoint(name: name, try Checkpoint.open(path, layers: selection)))
        } catch {
          throw .checkpoint(model: name, error)
        }
      }
    }
    return opened
  }

  /// Packs the weights.
  ///
  /// - Parameter progress: called before the first layer and after each one.
  func pack(_ kernels: Kernels, progress: (PackingProgress) -> Void) throws(StartError) -> ServedModel {
    switch self {
    case .demo:
      do { return try DemoModel.make(kernels: kernels) } catch { throw .catalog(error) }
    case .checkpoint(let name, let checkpoint):
      do {
        return try ServedModel(packing: checkpoint, as: name, kernels: kernels, progress: progress)
      } catch {
        throw .catalog(error)
      }
    }
  }
}

import Glibc

/// Where a checkpoint's weights and its configuration stand, from the one path that the user gives.
struct WeightLocation: Sendable, Equatable {
  enum Weights: Sendable, Equatable {
    case file(String)
    case index(String)
  }

  static let fileName = "model.safetensors"

  let weights: Weights
  /// The `config.json` beside the weights, where there is one.
  let configuration: String?
  /// The path named a directory, whose `config.json` therefore decides; a file is served by its own names first.
  let isDirectory: Bool
  let notes: [String]

  /// - Parameter path: a directory, a safetensors file, or the index of a sharded one.
  /// - Throws: ``CheckpointError``: nothing there, or a directory without weights of a known name.
  init(_ path: String) throws(CheckpointError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .unreadable(path: path, reason: systemReason()) }
    isDirectory = status.st_mode & S_IFMT == S_IFDIR
    guard isDirectory else {
      weights = path.hasSuffix(".json") ? .index(path) : .file(path)
      configuration = Self.existing(Self.beside(path, ModelConfiguration.fileName))
      notes = []
      return
    }
    let file = Self.existing(Self.inside(path, Self.fileName))
    let index = Self.existing(Self.inside(path, ShardIndex.fileName))
    if let file {
      weights = .file(file)
      notes = index == nil ? [] : ["\(Self.fileName) is read, \(ShardIndex.fileName) beside it is not"]
    } else if let index {
      weights = .index(index)
      notes = []
    } else {
      throw .noWeights(directory: path)
    }
    configuration = Self.existing(Self.inside(path, ModelConfiguration.fileName))
  }

  private static func existing(_ path: String) -> String? { access(path, F_OK) == 0 ? path : nil }

  static func inside(_ directory: String, _ name: String) -> String {
    directory.hasSuffix("/") ? directory + name : "\(directory)/\(name)"
  }

  /// A file's path in the directory of another one.
  static func beside(_ path: String, _ name: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return name }
    return String(path[...slash]) + name
  }
}

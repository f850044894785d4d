import Foundation

/// Programs from PyPI that `scripts/setup-clients` installs, where it could.
enum PyPI {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: ".build/clients")

  static var python: URL { folder.appending(path: "bin/python3") }
  static var perfAnalyzer: URL { folder.appending(path: "perf/perf_analyzer") }
  /// Where the libraries lie that it needs and few machines have.
  static var perfAnalyzerLibraries: String { folder.appending(path: "perf").path }

  static var hasTritonclient: Bool { isThere(".tritonclient") }
  static var hasTorch: Bool { isThere(".torch") }
  static var hasPerfAnalyzer: Bool { isThere("perf/perf_analyzer") && isThere("perf/libcudart.so.12") }

  private static func isThere(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: folder.appending(path: name).path)
  }
}

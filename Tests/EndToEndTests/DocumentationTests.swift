import Foundation
import Testing

/// Pages that are written from what the program says of itself say it still.
@Suite struct DocumentationTests {
  @Test(arguments: ["configuration", "metrics"])
  func thePageIsTheProgramsOwn(_ page: String) async throws {
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../scripts/\(page)")
    let check = try await Program.run(
      Program.named("python3"), [script.path, "--check", Program.sluice.path])
    #expect(check.status == 0, "\(check.error)")
  }
}

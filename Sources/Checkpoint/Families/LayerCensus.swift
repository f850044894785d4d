/// Which of a family's layers a checkpoint has, counted by its tensors' names and by its configuration.
struct LayerCensus {
  /// In the order of the model, with their last dots; never empty.
  let prefixes: [String]
  let notes: [String]

  /// No model comes near this many layers; it keeps a false number from being counted to.
  private static let counts = 0...1 << 16

  /// - Throws: ``CheckpointError``: no layers under any of the family's roots, or under several.
  init(
    _ family: Family, modelType: String, _ configuration: ModelConfiguration, names: some Collection<String>
  ) throws(CheckpointError) {
    var found: [(root: String, highest: [Int?])] = []
    for root in family.roots {
      let highest = family.stacks.map { stack in
        let template = LayerTemplate(root + stack.template)
        return names.lazy.compactMap(template.number).max()
      }
      if highest.contains(where: { $0 != nil }) { found.append((root, highest)) }
    }
    guard let (root, highest) = found.first else {
      throw .noLayers(
        family: modelType, expected: Self.example(family), found: Self.resembling(family, names))
    }
    guard found.count == 1 else {
      throw .ambiguousLayers(
        family: modelType, prefixes: found.map { $0.root + family.stacks[0].template })
    }
    var prefixes: [String] = []
    var notes: [String] = []
    for (stack, highest) in zip(family.stacks, highest) {
      let template = LayerTemplate(root + stack.template)
      guard let highest else {
        notes.append("no tensors of \(template.text)")
        continue
      }
      var count = highest + 1
      for member in stack.counts {
        guard let declared = try configuration.integer(member, in: Self.counts) else { continue }
        if declared < count {
          notes.append("\(member) is \(declared): the layers from \(template.name(declared)) on are left out")
        }
        count = declared
        break
      }
      prefixes += (0..<count).map(template.prefix)
    }
    guard !prefixes.isEmpty else {
      throw .noLayers(family: modelType, expected: Self.example(family), found: notes)
    }
    self.prefixes = prefixes
    self.notes = notes
  }

  /// The first tensor of the first layer, as an example of what would be needed.
  private static func example(_ family: Family) -> String {
    let prefix = LayerTemplate(family.roots[0] + family.stacks[0].template).prefix(0)
    return "\(prefix)\(family.mixture?.router ?? family.projections[0].first).weight"
  }

  /// Names that could be meant: those with the template's last part in them, or else the first of all.
  private static func resembling(_ family: Family, _ names: some Collection<String>) -> [String] {
    let part = family.stacks[0].template.split(separator: ".").last.map(String.init) ?? ""
    let close = names.filter { $0.split(separator: ".").contains { $0 == part } }
    return Array((close.isEmpty ? Array(names) : close).sorted().prefix(4))
  }
}

extension Family {
  /// Whether some of the names are of one of the family's layers.
  func hasLayers(among names: some Collection<String>) -> Bool {
    roots.contains { root in
      stacks.contains { stack in
        let template = LayerTemplate(root + stack.template)
        return names.contains { template.number($0) != nil }
      }
    }
  }
}

/// A layer's prefix with `#` in place of its number.
struct LayerTemplate {
  let text: String
  private let before: Substring
  private let after: Substring

  init(_ text: String) {
    self.text = text
    let parts = text.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    before = parts[0]
    after = parts.count == 2 ? parts[1] : ""
  }

  func name(_ number: Int) -> String { "\(before)\(number)\(after)" }

  /// The prefix of one layer's tensors: its name and a dot.
  func prefix(_ number: Int) -> String { name(number) + "." }

  /// The number of the layer that a tensor's name belongs to; `nil` where it belongs to none, or where the number is
  /// not written as a decimal without leading zeros.
  func number(_ name: String) -> Int? {
    guard name.hasPrefix(before) else { return nil }
    let rest = name.dropFirst(before.count)
    let digits = rest.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits), String(number) == digits else { return nil }
    let tail = rest.dropFirst(digits.count)
    return tail.hasPrefix(after) && tail.dropFirst(after.count).first == "." ? number : nil
  }
}

import ArgumentParser
import FeedForward

/// Values separated by commas: one flag, as one variable of the environment gives them too.
struct CommaList<Element: ExpressibleByArgument & CustomStringConvertible>: ExpressibleByArgument,
  CustomStringConvertible
{
  let elements: [Element]

  init(_ elements: [Element]) {
    self.elements = elements
  }

  init?(argument: String) {
    let words = argument.split(separator: ",", omittingEmptySubsequences: false)
    elements = words.compactMap { Element(argument: String($0)) }
    guard elements.count == words.count else { return nil }
  }

  var description: String { elements.map(\.description).joined(separator: ",") }
  var defaultValueDescription: String { description }
}

/// The widths of a layer: `4096x14336` is d_model × d_ff.
struct LayerShape: ExpressibleByArgument, CustomStringConvertible, Hashable {
  let dModel: Int
  let dFF: Int

  init(_ dModel: Int, _ dFF: Int) {
    (self.dModel, self.dFF) = (dModel, dFF)
  }

  init?(argument: String) {
    let widths = argument.split(separator: "x", omittingEmptySubsequences: false).compactMap { Int($0) }
    guard widths.count == 2, widths.allSatisfy((1...Self.widest).contains) else { return nil }
    self.init(widths[0], widths[1])
  }

  /// Beyond any model, and three such matrices' bytes far from an overflow.
  private static let widest = 1 << 20

  var description: String { "\(dModel)x\(dFF)" }
}

/// Numbers of rows: `8`, or `2-32` for each of them.
struct RowNumbers: ExpressibleByArgument, CustomStringConvertible {
  let range: ClosedRange<Int>

  init(_ rows: Int) {
    range = rows...rows
  }

  init?(argument: String) {
    let ends = argument.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], first <= last,
      (1...Self.most).contains(first), last <= Self.most
    else { return nil }
    range = first...last
  }

  private static let most = 1 << 16

  var description: String { range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)" }
}

/// An arithmetic by its name: `f32`.
struct ArithmeticName: ExpressibleByArgument, CustomStringConvertible {
  let arithmetic: Arithmetic

  init(_ arithmetic: Arithmetic) {
    self.arithmetic = arithmetic
  }

  init?(argument: String) {
    guard let arithmetic = Arithmetic(rawValue: argument) else { return nil }
    self.arithmetic = arithmetic
  }

  static let allValueStrings = Arithmetic.allCases.map(\.rawValue)
  var description: String { arithmetic.rawValue }
}

/// How made-up weights are stored before they are packed.
enum StoredWeights: String, ExpressibleByArgument, CaseIterable {
  case f32, bf16

  var type: WeightType {
    switch self {
    case .f32: .f32
    case .bf16: .bf16
    }
  }
}

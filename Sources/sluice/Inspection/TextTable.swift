/// Columns of text, as wide as they need to be.
struct TextTable: CustomStringConvertible {
  struct Column {
    let title: String
    let isRightAligned: Bool

    static func left(_ title: String) -> Column { Column(title: title, isRightAligned: false) }
    static func right(_ title: String) -> Column { Column(title: title, isRightAligned: true) }
  }

  private let columns: [Column]
  private var rows: [[String]]

  init(_ columns: [Column]) {
    self.columns = columns
    rows = [columns.map(\.title)]
  }

  mutating func append(_ cells: [String]) {
    rows.append(cells)
  }

  /// A line for the titles and each row, without blanks at their ends.
  var description: String {
    let widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = columns.indices.map { column in
        let padding = String(repeating: " ", count: widths[column] - row[column].count)
        return columns[column].isRightAligned ? padding + row[column] : row[column] + padding
      }
      var line = Substring(cells.joined(separator: "  "))
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}

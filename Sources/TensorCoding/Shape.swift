/// The dimensions of a tensor, outermost first: one to eight of them, none of size zero, held inline.
///
/// The product of the dimensions fits an `Int`; `count` is that product.
package struct Shape: Sendable, Equatable {
  /// More dimensions than this are a client's mistake (422), not a tensor.
  package static let maxRank = 8

  private var sizes: InlineArray<8, Int>
  package private(set) var rank: Int
  /// Elements in all.
  package private(set) var count: Int

  /// Nothing for a rank outside 1…8, a dimension below 1, or a product beyond `Int`.
  package init?(_ dimensions: some Collection<Int>) {
    guard (1...Shape.maxRank).contains(dimensions.count) else { return nil }
    sizes = InlineArray(repeating: 1)
    rank = 0
    count = 1
    for size in dimensions {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard size >= 1, !overflow else { return nil }
      sizes[rank] = size
      rank += 1
      count = product
    }
  }

  /// A matrix of `rows` × `columns`, both at least 1: for shapes that the program itself makes.
  package init(rows: Int, columns: Int) {
    precondition(rows >= 1 && columns >= 1)
    sizes = InlineArray(repeating: 1)
    sizes[0] = rows
    sizes[1] = columns
    rank = 2
    count = rows * columns
  }

  /// A vector of `count` elements, at least 1: as above.
  package init(count: Int) {
    precondition(count >= 1)
    sizes = InlineArray(repeating: 1)
    sizes[0] = count
    rank = 1
    self.count = count
  }

  package subscript(axis: Int) -> Int {
    precondition(axis >= 0 && axis < rank)
    return sizes[axis]
  }

  /// The size of the innermost dimension.
  package var last: Int { sizes[rank - 1] }

  /// The product of all dimensions but the last: how many rows the tensor has.
  package var leading: Int { count / last }

  package var dims: [Int] { (0..<rank).map { sizes[$0] } }

  /// The same leading dimensions with another innermost one: an output's shape beside its input's.
  package func replacingLast(with size: Int) -> Shape { replacing(axis: rank - 1, with: size) }

  /// The same shape with another size of one dimension.
  package func replacing(axis: Int, with size: Int) -> Shape {
    precondition(size >= 1)
    var shape = self
    shape.sizes[axis] = size
    shape.count = count / self[axis] * size
    return shape
  }

  package static func == (a: Shape, b: Shape) -> Bool {
    guard a.rank == b.rank else { return false }
    return (0..<a.rank).allSatisfy { a.sizes[$0] == b.sizes[$0] }
  }
}

extension Shape: CustomStringConvertible {
  /// As it stands in JSON: `[2, 3, 512]`.
  package var description: String { dims.description }
}

/// Elements at stable indices that are linked into chains: to insert, remove and append take constant time, and once
/// the slab has reached the size of the busiest moment nothing is allocated any more.
struct Slab<Element> {
  /// Stands for "no index".
  static var none: Int { -1 }

  /// A doubly linked list over a slab's indices. An element is in one chain at most.
  struct Chain {
    private(set) var head = Slab.none
    private(set) var tail = Slab.none

    var isEmpty: Bool { head == Slab.none }

    fileprivate mutating func set(head: Int) { self.head = head }
    fileprivate mutating func set(tail: Int) { self.tail = tail }
  }

  private struct Node {
    /// nil while the index is free.
    var element: Element?
    var previous = Slab.none
    /// The next of the chain; of a free index, the next free one.
    var next = Slab.none
  }

  private var nodes: [Node] = []
  private var firstFree = Slab.none
  private(set) var count = 0

  /// The element at an index in use.
  subscript(index: Int) -> Element {
    _read { yield nodes[index].element! }
    _modify { yield &nodes[index].element! }
  }

  /// The element at `index`, nil where there is none (any more).
  func element(at index: Int) -> Element? {
    nodes.indices.contains(index) ? nodes[index].element : nil
  }

  /// The index behind `index` in its chain.
  func next(after index: Int) -> Int { nodes[index].next }

  /// The index before `index` in its chain.
  func previous(before index: Int) -> Int { nodes[index].previous }

  mutating func insert(_ element: Element) -> Int {
    count += 1
    guard firstFree != Slab.none else {
      nodes.append(Node(element: element))
      return nodes.count - 1
    }
    let index = firstFree
    firstFree = nodes[index].next
    nodes[index] = Node(element: element)
    return index
  }

  /// Gives the index back. The element must be in no chain.
  mutating func remove(_ index: Int) -> Element {
    let element = nodes[index].element!
    nodes[index] = Node(element: nil, next: firstFree)
    firstFree = index
    count -= 1
    return element
  }

  mutating func append(_ index: Int, to chain: inout Chain) {
    link(index, between: chain.tail, and: Slab.none, in: &chain)
  }

  /// Puts `index` behind `other`, or at the head where `other` is none.
  mutating func insert(_ index: Int, behind other: Int, in chain: inout Chain) {
    link(index, between: other, and: other == Slab.none ? chain.head : nodes[other].next, in: &chain)
  }

  mutating func unlink(_ index: Int, from chain: inout Chain) {
    let (previous, next) = (nodes[index].previous, nodes[index].next)
    if previous == Slab.none { chain.set(head: next) } else { nodes[previous].next = next }
    if next == Slab.none { chain.set(tail: previous) } else { nodes[next].previous = previous }
    nodes[index].previous = Slab.none
    nodes[index].next = Slab.none
  }

  private mutating func link(_ index: Int, between previous: Int, and next: Int, in chain: inout Chain) {
    nodes[index].previous = previous
    nodes[index].next = next
    if previous == Slab.none { chain.set(head: index) } else { nodes[previous].next = index }
    if next == Slab.none { chain.set(tail: index) } else { nodes[next].previous = index }
  }
}

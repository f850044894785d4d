/// A binary heap of deadlines that can lose any of its members: each move of a member is reported, so that its owner
/// knows its place. Insertion and removal take logarithmic time.
struct DeadlineHeap {
  struct Member {
    let deadline: UInt64
    /// Breaks ties by arrival, so that the order of what expires does not depend on the heap's history.
    let sequence: UInt64
    let slot: Int
  }

  private var members: [Member] = []

  var first: Member? { members.first }

  /// - Parameter moved: gets the slot and the new place of every member that changed its place.
  mutating func insert(_ member: Member, moved: (_ slot: Int, _ place: Int) -> Void) {
    members.append(member)
    siftUp(from: members.count - 1, moved: moved)
  }

  mutating func remove(at place: Int, moved: (_ slot: Int, _ place: Int) -> Void) {
    let last = members.removeLast()
    guard place < members.count else { return }
    let removed = members[place]
    members[place] = last
    if precedes(last, removed) {
      siftUp(from: place, moved: moved)
    } else {
      siftDown(from: place, moved: moved)
    }
  }

  private mutating func siftUp(from start: Int, moved: (Int, Int) -> Void) {
    let member = members[start]
    var place = start
    while place > 0, precedes(member, members[(place - 1) / 2]) {
      let parent = (place - 1) / 2
      members[place] = members[parent]
      moved(members[place].slot, place)
      place = parent
    }
    members[place] = member
    moved(member.slot, place)
  }

  private mutating func siftDown(from start: Int, moved: (Int, Int) -> Void) {
    let member = members[start]
    var place = start
    while true {
      var child = 2 * place + 1
      guard child < members.count else { break }
      if child + 1 < members.count, precedes(members[child + 1], members[child]) { child += 1 }
      guard precedes(members[child], member) else { break }
      members[place] = members[child]
      moved(members[place].slot, place)
      place = child
    }
    members[place] = member
    moved(member.slot, place)
  }

  private func precedes(_ a: Member, _ b: Member) -> Bool {
    (a.deadline, a.sequence) < (b.deadline, b.sequence)
  }
}

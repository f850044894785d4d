/// The fields of a request in the order in which they came, names and values as they were sent.
///
/// One copy of the head's octets and one array of positions in it, whatever the number of fields: text is made only of
/// the values that somebody asks for. Fields of one name are not joined, since some (`Set-Cookie`, `Host`) may not be.
/// A value is text with octets that are no UTF-8 as U+FFFD; leading and trailing whitespace is gone (RFC 9110 §5.5).
package struct Fields: Sendable {
  /// Where one field is in `octets`.
  struct Position: Sendable, BitwiseCopyable {
    private let nameStart: UInt32
    private let nameEnd: UInt32
    private let valueStart: UInt32
    private let valueEnd: UInt32

    init(name: Range<Int>, value: Range<Int>) {
      nameStart = UInt32(truncatingIfNeeded: name.lowerBound)
      nameEnd = UInt32(truncatingIfNeeded: name.upperBound)
      valueStart = UInt32(truncatingIfNeeded: value.lowerBound)
      valueEnd = UInt32(truncatingIfNeeded: value.upperBound)
    }

    var name: Range<Int> { Int(nameStart)..<Int(nameEnd) }
    var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }
  }

  /// The head: request line and fields, as they came.
  let octets: [UInt8]
  private let positions: [Position]

  init(octets: [UInt8], positions: [Position]) {
    self.octets = octets
    self.positions = positions
  }

  /// The first value of `name`.
  package func first(_ name: FieldName) -> String? {
    let octets = octets.span.bytes
    for position in positions where name.matches(octets, position.name) { return octets.text(position.value) }
    return nil
  }

  /// Every value of `name`, in order.
  package func all(_ name: FieldName) -> [String] {
    let octets = octets.span.bytes
    var values: [String] = []
    for position in positions where name.matches(octets, position.name) { values.append(octets.text(position.value)) }
    return values
  }

  /// The elements of the comma-separated list that all values of `name` make up, empty ones left out (RFC 9110 §5.6.1).
  package func list(_ name: FieldName) -> [String] {
    let octets = octets.span.bytes
    var elements: [String] = []
    for position in positions where name.matches(octets, position.name) {
      octets.forEachListElement(in: position.value) { if !$0.isEmpty { elements.append(octets.text($0)) } }
    }
    return elements
  }

  /// Whether there is a field `name`.
  package func contains(_ name: FieldName) -> Bool {
    let octets = octets.span.bytes
    return positions.contains { name.matches(octets, $0.name) }
  }

  /// Whether the list of `name` has the element `token`, in any case.
  package func contains(_ name: FieldName, token: String) -> Bool {
    list(name).contains { $0.utf8.elementsEqual(token.utf8) { $0.lowercased == $1.lowercased } }
  }

  /// How many fields `name` there are: more than one of a field that is no list is an error of the client.
  package func count(_ name: FieldName) -> Int {
    let octets = octets.span.bytes
    return positions.count { name.matches(octets, $0.name) }
  }
}

extension Fields: RandomAccessCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { positions.count }

  package subscript(index: Int) -> (name: String, value: String) {
    let octets = octets.span.bytes
    return (octets.text(positions[index].name), octets.text(positions[index].value))
  }
}

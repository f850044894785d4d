/// A strict RFC 8259 reader over the bytes of one text: a cursor that hands each value to whoever asks for it, without
/// a tree in between.
///
/// ```swift
/// let layer = try JSONReader.read(body) { reader throws(JSONError) in
///   var name = ""
///   var keys = KeySet()
///   try reader.readObject { reader, key throws(JSONError) in
///     try keys.insert(key)
///     switch key {
///     case "layer": name = try reader.readString()
///     default: throw .here(.unknownMember)
///     }
///   }
///   return name
/// }
/// ```
///
/// Guarantees: a text is accepted only if all of it is JSON in well-formed UTF-8, at most `maxDepth` levels deep,
/// without a byte order mark; no byte outside of the text is read, whatever it holds. Members may come in any order and
/// more than once: `KeySet` is for readers that refuse the latter.
///
/// Unsafe pointers: a body is scanned at nanoseconds a number and a bounds check for each byte would double that; every
/// access is guarded by `end`. `read` keeps the text alive around its closure; a reader must not leave it.
package struct JSONReader {
  /// Arrays and objects inside one another; deeper texts are refused (RFC 8259, section 9, allows a limit).
  package static let maxDepth = 64

  let start: UnsafePointer<UInt8>
  let end: UnsafePointer<UInt8>
  var position: UnsafePointer<UInt8>
  private var depth = 0
  /// Who helps with what is long.
  let crew: Crew?

  /// A cursor at the start of `text`, which must stay as it is while the reader is used.
  package init(_ text: UnsafeBufferPointer<UInt8>, crew: Crew? = nil) {
    self.crew = crew
    // An empty buffer may have no address; nothing is read from this one.
    start = text.baseAddress ?? UnsafePointer(UnsafeRawPointer(bitPattern: 1)!.assumingMemoryBound(to: UInt8.self))
    end = start + text.count
    position = start
  }

  /// Reads all of `text`: what `body` leaves after its value must be white space.
  ///
  /// A text that is not JSON at all throws `syntax`, even where `body` has met a mismatch before.
  package static func read<Result>(
    _ text: [UInt8], crew: Crew? = nil, _ body: (inout JSONReader) throws(JSONError) -> Result
  ) throws(JSONError) -> Result {
    try text.withUnsafeBufferPointer { buffer throws(JSONError) in try read(buffer, crew: crew, body) }
  }

  /// Reads all of a text that stands among other bytes.
  package static func read<Result>(
    _ text: ArraySlice<UInt8>, crew: Crew? = nil, _ body: (inout JSONReader) throws(JSONError) -> Result
  ) throws(JSONError) -> Result {
    try text.withUnsafeBufferPointer { buffer throws(JSONError) in try read(buffer, crew: crew, body) }
  }

  package static func read<Result>(
    _ text: UnsafeBufferPointer<UInt8>, crew: Crew? = nil, _ body: (inout JSONReader) throws(JSONError) -> Result
  ) throws(JSONError) -> Result {
    var reader = JSONReader(text, crew: crew)
    do throws(JSONError) {
      let result = try body(&reader)
      try reader.finish()
      return result
    } catch .mismatch(let pointer, let mismatch) {
      var whole = JSONReader(text)
      try whole.skipValue()
      try whole.finish()
      throw .mismatch(pointer: pointer, mismatch)
    } catch {
      throw error
    }
  }

  /// Bytes before the cursor.
  package var offset: Int { position - start }

  /// Refuses anything but white space after the value.
  package mutating func finish() throws(JSONError) {
    skipWhitespace()
    guard position == end else { throw unexpected(.endOfText) }
  }

  // MARK: Values

  /// What the next value is, judged by its first byte.
  package mutating func peek() throws(JSONError) -> JSONKind {
    skipWhitespace()
    guard position < end else { throw unexpected(.value) }
    switch position.pointee {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .boolean
    case UInt8(ascii: "n"): return .null
    case 0xEF where offset == 0 && end - start >= 3 && start[1] == 0xBB && start[2] == 0xBF:
      throw unexpected(.noByteOrderMark)
    default: throw unexpected(.value)
    }
  }

  /// Moves to the value's first byte. Throws a mismatch where it is of another kind.
  mutating func expect(_ kind: JSONKind) throws(JSONError) {
    let found = try peek()
    guard found == kind else { throw .here(.kind(expected: kind, found: found)) }
  }

  package mutating func readBool() throws(JSONError) -> Bool {
    try expect(.boolean)
    let value = position.pointee == UInt8(ascii: "t")
    try readLiteral(value ? "true" : "false")
    return value
  }

  package mutating func readNull() throws(JSONError) {
    try expect(.null)
    try readLiteral("null")
  }

  private mutating func readLiteral(_ literal: StaticString) throws(JSONError) {
    for index in 0..<literal.utf8CodeUnitCount {
      guard position < end, position.pointee == literal.utf8Start[index] else { throw unexpected(.literal) }
      position += 1
    }
  }

  /// Reads an object; `member` is called with each key and must read exactly the value.
  ///
  /// A mismatch that `member` throws gets the key in front of its pointer.
  package mutating func readObject(
    _ member: (inout JSONReader, _ key: String) throws(JSONError) -> Void
  ) throws(JSONError) {
    try expect(.object)
    try descend()
    if skip(UInt8(ascii: "}")) { return ascend() }
    while true {
      skipWhitespace()
      guard position < end, position.pointee == UInt8(ascii: "\"") else { throw unexpected(.memberName) }
      let key = try readString()
      guard skip(UInt8(ascii: ":")) else { throw unexpected(.colon) }
      do throws(JSONError) { try member(&self, key) } catch { throw error.nested(below: key) }
      if skip(UInt8(ascii: ",")) { continue }
      guard skip(UInt8(ascii: "}")) else { throw unexpected(.commaOrEndOfObject) }
      return ascend()
    }
  }

  /// Reads an array; `element` is called with each index and must read exactly the value.
  ///
  /// A mismatch that `element` throws gets the index in front of its pointer.
  package mutating func readArray(
    _ element: (inout JSONReader, _ index: Int) throws(JSONError) -> Void
  ) throws(JSONError) {
    try expect(.array)
    try descend()
    if skip(UInt8(ascii: "]")) { return ascend() }
    var index = 0
    while true {
      do throws(JSONError) { try element(&self, index) } catch { throw error.nested(below: String(index)) }
      index += 1
      if skip(UInt8(ascii: ",")) { continue }
      guard skip(UInt8(ascii: "]")) else { throw unexpected(.commaOrEndOfArray) }
      return ascend()
    }
  }

  /// Moves behind the next value whatever it is, validating all of it.
  package mutating func skipValue() throws(JSONError) {
    switch try peek() {
    case .object: try readObject { reader, _ throws(JSONError) in try reader.skipValue() }
    case .array: try readArray { reader, _ throws(JSONError) in try reader.skipValue() }
    case .string: try skipString()
    case .number: _ = try readNumber()
    case .boolean: _ = try readBool()
    case .null: try readNull()
    }
  }

  // MARK: Cursor

  @inline(__always)
  mutating func skipWhitespace() {
    while position < end {
      switch position.pointee {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  /// Skips white space and then `byte`, if it stands there.
  @inline(__always)
  mutating func skip(_ byte: UInt8) -> Bool {
    skipWhitespace()
    guard position < end, position.pointee == byte else { return false }
    position += 1
    return true
  }

  /// Enters the array or object whose bracket stands at the cursor.
  mutating func descend() throws(JSONError) {
    guard depth < JSONReader.maxDepth else { throw unexpected(.shallowerNesting) }
    depth += 1
    position += 1
  }

  mutating func ascend() { depth -= 1 }

  /// Whether so many arrays or objects may be entered one in another.
  func hasRoom(forLevels levels: Int) -> Bool { depth + levels <= JSONReader.maxDepth }

  func unexpected(_ expected: JSONExpectation) -> JSONError { .syntax(offset: offset, expected: expected) }
}

/// The members an object has shown so far, for readers that refuse a second one of the same name.
///
/// Names are the same where Swift's strings are equal, as they are to the `switch` that looks at them afterwards.
package struct KeySet {
  /// Most objects have few members: a short list is compared faster than hashed.
  private static let listed = 16
  /// As many as an object of a request has.
  private static let expected = 6

  private var list: [String] = []
  private var set: Set<String> = []

  package init() {}

  /// Throws a `duplicateMember` mismatch if the key was inserted before.
  package mutating func insert(_ key: String) throws(JSONError) {
    guard !contains(key) else { throw .here(.duplicateMember) }
    if list.isEmpty { list.reserveCapacity(KeySet.expected) }
    if list.count < KeySet.listed { list.append(key) } else { set.insert(key) }
  }

  package func contains(_ key: String) -> Bool { list.contains(key) || (!set.isEmpty && set.contains(key)) }
}

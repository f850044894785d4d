/// Writes one JSON text, with the commas where they belong.
///
/// ```swift
/// var writer = JSONWriter()
/// writer.object { writer in
///   writer.member("id")
///   writer.string("r1")
///   writer.member("output")
///   writer.tensor(output, encoding: .nested)
/// }
/// ```
package struct JSONWriter {
  package private(set) var text: [UInt8] = []
  private var needsComma = false
  /// Who helps with what is long.
  private let crew: Crew?

  /// - Parameters:
  ///   - bytes: the text's likely length.
  ///   - crew: nil where all is printed here.
  package init(reserving bytes: Int = 256, crew: Crew? = nil) {
    self.crew = crew
    text.reserveCapacity(bytes)
  }

  package mutating func object<Failure: Error>(
    _ members: (inout JSONWriter) throws(Failure) -> Void
  ) throws(Failure) {
    separate()
    text.append(UInt8(ascii: "{"))
    needsComma = false
    try members(&self)
    text.append(UInt8(ascii: "}"))
    needsComma = true
  }

  package mutating func array<Failure: Error>(
    _ elements: (inout JSONWriter) throws(Failure) -> Void
  ) throws(Failure) {
    separate()
    text.append(UInt8(ascii: "["))
    needsComma = false
    try elements(&self)
    text.append(UInt8(ascii: "]"))
    needsComma = true
  }

  /// The name of a member, of letters, digits and underscores; its value is what is written next.
  package mutating func member(_ name: StaticString) {
    separate()
    text.append(UInt8(ascii: "\""))
    text.appendLiteral(name)
    text.appendLiteral("\":")
    needsComma = false
  }

  /// A name that the program's text does not have; its value is what is written next.
  package mutating func member(named name: String) {
    separate()
    text.appendString(name)
    text.append(UInt8(ascii: ":"))
    needsComma = false
  }

  package mutating func string(_ value: String) {
    separate()
    text.appendString(value)
  }

  package mutating func integer(_ value: Int) {
    separate()
    text.appendInteger(value)
  }

  package mutating func integer(_ value: UInt64) {
    separate()
    text.appendInteger(value)
  }

  /// Room for an integer that is known later; see `setInteger(_:at:)`.
  package mutating func integerToCome() -> IntegerPlace {
    separate()
    return text.appendIntegerToCome()
  }

  package mutating func float(_ value: Float) {
    separate()
    text.appendFloat(value)
  }

  package mutating func bool(_ value: Bool) {
    separate()
    text.appendBool(value)
  }

  package mutating func null() {
    separate()
    text.appendNull()
  }

  package mutating func tensor(_ value: Tensor, encoding: TensorEncoding, datatype: Datatype = .fp32) {
    separate()
    text.appendTensor(value, encoding: encoding, datatype: datatype, crew: crew)
  }

  /// All elements in one array, rounded to `datatype`.
  package mutating func numbers(_ value: Tensor, as datatype: Datatype) {
    separate()
    text.appendNumbers(value, as: datatype, crew: crew)
  }

  private mutating func separate() {
    if needsComma { text.append(UInt8(ascii: ",")) }
    needsComma = true
  }
}

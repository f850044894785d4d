/// Why a JSON text was refused.
///
/// `syntax` is a text that is not JSON (RFC 8259) and becomes a 400; `mismatch` is JSON that says something else than
/// the reader wants and becomes a 422. A text that is both is reported as `syntax`.
package enum JSONError: Error, Equatable {
  /// - Parameters:
  ///   - offset: of the byte at which the text stops being JSON, counted from 0; the text's length at its end.
  ///   - expected: what could have stood there.
  case syntax(offset: Int, expected: JSONExpectation)
  /// - Parameter pointer: RFC 6901, from the document's root once the error has left the outermost reader; empty for
  ///   the root itself.
  case mismatch(pointer: String, JSONMismatch)
}

/// What a byte that is not JSON stands in place of.
package enum JSONExpectation: Sendable, Equatable, CaseIterable {
  case value
  case memberName
  case colon
  case commaOrEndOfArray
  case commaOrEndOfObject
  case literal
  case digit
  case noLeadingZero
  case escape
  case hexDigit
  case surrogatePair
  case closingQuote
  case escapedControlCharacter
  case wellFormedUTF8
  case shallowerNesting
  case noByteOrderMark
  case endOfText
}

extension JSONExpectation: CustomStringConvertible {
  /// Fits after "expected ".
  package var description: String {
    switch self {
    case .value: "a value"
    case .memberName: "a member name in quotes"
    case .colon: "':'"
    case .commaOrEndOfArray: "',' or ']'"
    case .commaOrEndOfObject: "',' or '}'"
    case .literal: "true, false or null"
    case .digit: "a digit"
    case .noLeadingZero: "no digit after a leading zero"
    case .escape: "one of \"\\/bfnrtu after a backslash"
    case .hexDigit: "four hexadecimal digits after \\u"
    case .surrogatePair: "a high surrogate followed by a low one"
    case .closingQuote: "a closing quote"
    case .escapedControlCharacter: "an escape in place of a control character"
    case .wellFormedUTF8: "well-formed UTF-8"
    case .shallowerNesting: "at most \(JSONReader.maxDepth) levels of nesting"
    case .noByteOrderMark: "no byte order mark"
    case .endOfText: "the end of the text"
    }
  }
}

/// How well-formed JSON differs from what a reader wants.
package enum JSONMismatch: Sendable, Equatable {
  case kind(expected: JSONKind, found: JSONKind)
  /// A tensor is an array or an object.
  case notATensor(found: JSONKind)
  case unknownMember
  case duplicateMember
  case missingMember(String)
  /// Two members that exclude each other.
  case conflictingMember(String)
  /// The number has a fraction or is beyond 64 bits.
  case notAnInteger
  case outOfRange(ClosedRange<Int>)
  case notFiniteInFloat32
  case notFiniteInFloat64
  /// A number that rounds beyond the tensor's own datatype, or a NaN or an infinity in binary data.
  /// - Parameter index: row-major.
  case notFinite(Datatype, index: Int)
  case emptyDimension
  case rankAbove8
  case rankBelow1
  /// An array of another length than the arrays beside it.
  case ragged(expected: Int, found: Int)
  /// As many numbers as the shape's product were expected.
  case elementCount(expected: Int, found: Int)
  case byteCount(expected: Int, found: Int)
  case tooManyElements(limit: Int)
  case unknownDatatype(String)
  /// Not the name of a number type.
  case notNumeric(String)
  /// A value that the wider number type has and float32 has not, or that the number type has not.
  /// - Parameter index: row-major.
  case notExact(NumericType, index: Int)
  /// Arrays that are nested in another way than the shape beside them says.
  case nesting(expected: Shape, found: Shape)
  case notBase64(index: Int)
  /// None of the words that the member accepts.
  case unknownWord(String)
}

extension JSONMismatch: CustomStringConvertible {
  package var description: String {
    switch self {
    case .kind(let expected, let found): "expected \(expected.article), found \(found.article)"
    case .notATensor(let found):
      "expected an array of numbers or an object with shape, datatype and data or base64, found \(found.article)"
    case .unknownMember: "unknown member"
    case .duplicateMember: "the member stands there twice"
    case .missingMember(let name): "the member \"\(name)\" is missing"
    case .conflictingMember(let other): "the member excludes \"\(other)\""
    case .notAnInteger: "expected an integer"
    case .outOfRange(let range): "expected an integer from \(range.lowerBound) to \(range.upperBound)"
    case .notFiniteInFloat32: "the number is not finite in float32"
    case .notFiniteInFloat64: "the number is not finite in float64"
    case .notFinite(let datatype, let index): "element \(index) is not finite in \(datatype.rawValue)"
    case .emptyDimension: "a dimension has size 0"
    case .rankAbove8: "a tensor has at most \(Shape.maxRank) dimensions"
    case .rankBelow1: "a tensor has at least 1 dimension"
    case .ragged(let expected, let found): "the array has \(found) elements where its siblings have \(expected)"
    case .elementCount(let expected, let found): "the shape asks for \(expected) numbers, found \(found)"
    case .byteCount(let expected, let found): "shape and datatype ask for \(expected) bytes, found \(found)"
    case .tooManyElements(let limit): "a tensor has at most \(limit) elements here"
    case .unknownDatatype(let name): "unknown datatype \"\(name)\": FP32, FP16 and BF16 are known"
    case .notNumeric(let name):
      "the datatype \"\(name)\" is none of \(NumericType.allCases.map(\.rawValue).joined(separator: ", "))"
    case .notExact(let type, let index): "element \(index) is no \(type.rawValue) that float32 has too"
    case .nesting(let expected, let found):
      "the arrays have the shape \(found); expected a flat array or the shape \(expected)"
    case .notBase64(let index): "character \(index) is not base64 (RFC 4648, section 4, with padding)"
    case .unknownWord(let word): "\"\(word)\" is none of the accepted words"
    }
  }
}

/// What a value is, seen from its first byte.
package enum JSONKind: Sendable, Equatable {
  case object, array, string, number, boolean, null

  var article: String {
    switch self {
    case .object: "an object"
    case .array: "an array"
    case .string: "a string"
    case .number: "a number"
    case .boolean: "a boolean"
    case .null: "null"
    }
  }
}

extension JSONError {
  /// The same error seen from one level further out.
  package func nested(below token: String) -> JSONError {
    switch self {
    case .syntax: self
    case .mismatch(let pointer, let mismatch):
      .mismatch(pointer: "/" + JSONError.escaped(token) + pointer, mismatch)
    }
  }

  /// An error at the value that is being read; the pointer grows while the error leaves the readers around it.
  package static func here(_ mismatch: JSONMismatch) -> JSONError { .mismatch(pointer: "", mismatch) }

  /// A client's own word as an error quotes it: its beginning, where it is long.
  package static func quoted(_ word: String) -> String {
    // By scalars: one character may be of any length.
    word.utf8.count <= 64 ? word : String(String.UnicodeScalarView(word.unicodeScalars.prefix(64))) + "…"
  }

  /// RFC 6901, section 3: `~` and `/` inside a reference token.
  private static func escaped(_ token: String) -> String {
    let token = quoted(token)
    guard token.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return token }
    var escaped = ""
    for scalar in token.unicodeScalars {
      switch scalar {
      case "~": escaped += "~0"
      case "/": escaped += "~1"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

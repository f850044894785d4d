internal import Batching
internal import FeedForward
internal import TensorCoding

// What the bodies of several requests have in common.

/// The members that a request may have whatever it asks for: `encoding`, `timeout_ms` and `id`.
struct GeneralMembers: Sendable {
  /// The form of the reply's tensors, where the request says one.
  private(set) var encoding: TensorEncoding?
  /// From the first byte of the request on.
  private(set) var timeout: Nanoseconds?
  /// Echoed.
  private(set) var id: String?

  /// The longest deadline that a request may set itself: a day.
  private static let timeoutLimitMilliseconds = 86_400_000

  /// Reads the member at the cursor where it is one of these; whether it is.
  mutating func read(_ key: String, from reader: inout JSONReader) throws(JSONError) -> Bool {
    switch key {
    case "encoding": encoding = try reader.readWord(TensorEncoding.init(rawValue:))
    case "timeout_ms": timeout = Nanoseconds(try reader.readInt(in: 1...Self.timeoutLimitMilliseconds)) * 1_000_000
    case "id": id = try reader.readString()
    default: return false
    }
    return true
  }
}

/// The numbers that a request gives its gate: `beta`, `alpha` and `limit`.
struct GateParameterMembers: Sendable {
  private var values: [(parameter: GateParameter, value: Float)] = []

  /// The one that came first.
  var first: GateParameter? { values.first?.parameter }

  /// Reads the member at the cursor where it is one of these; whether it is.
  mutating func read(_ key: String, from reader: inout JSONReader) throws(JSONError) -> Bool {
    guard let parameter = GateParameter(rawValue: key) else { return false }
    values.append((parameter, try reader.readFloat()))
    return true
  }

  /// The gate with these numbers.
  ///
  /// - Throws: `.gateParameter` for one that its formula does not have.
  func applied(to gate: Gate) throws(APIError) -> Gate {
    var gate = gate
    for (parameter, value) in values {
      guard let changed = gate.setting(parameter, to: value) else { throw .gateParameter(parameter, of: gate) }
      gate = changed
    }
    return gate
  }
}

extension JSONReader {
  /// Reads a request's body, all of it.
  ///
  /// - Parameter members: reads the object at the cursor.
  /// - Throws: `.json` for what is not JSON (400) or not such an object (422).
  static func readBody(
    _ body: ArraySlice<UInt8>, crew: Crew? = nil, _ members: (inout JSONReader) throws(JSONError) -> Void
  ) throws(APIError) {
    do {
      try read(body, crew: crew, members)
    } catch {
      throw .json(error)
    }
  }

  /// A string that is one word of a closed vocabulary.
  mutating func readWord<Word>(_ word: (String) -> Word?) throws(JSONError) -> Word {
    let text = try readString()
    guard let value = word(text) else { throw .here(.unknownWord(text)) }
    return value
  }
}

import TensorCoding

/// `config.json`, as far as a feed-forward layer depends on it: the scalars of the language model's part.
///
/// A multimodal model nests that part as `text_config`; its members then stand for the outer ones, but for how weights
/// are quantised, which both may say. A member of a nested object is named by its path, `ffn_config/moe_top_k`. `null`
/// counts as absent. Nothing is interpreted here: which member means what is the family's knowledge.
struct ModelConfiguration {
  static let fileName = "config.json"
  static let bytesLimit = 16 << 20

  let path: String
  /// The language model's `model_type`, or the outer one where the nested part has none.
  let modelType: String?
  private let members: [String: Value]
  private let nulls: Set<String>
  private let pointer: String

  /// How the weights are quantised, beside the model's own members.
  static let quantization = "quantization_config"

  private enum Value {
    case string(String)
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case integers([Int])
    case other(JSONKind)

    var kind: JSONKind {
      switch self {
      case .string: .string
      case .integer, .number: .number
      case .boolean: .boolean
      case .integers: .array
      case .other(let kind): kind
      }
    }
  }

  /// Reads a configuration.
  ///
  /// - Throws: ``CheckpointError``: unreadable, no JSON object, or a member that stands twice.
  init(_ path: String) throws(CheckpointError) {
    self.path = path
    let json = try ReadOnlyFile.contents(of: path, limit: Self.bytesLimit)
    var (outer, nested) = (Members(), Members())
    var isNested = false
    do {
      try JSONReader.read(json) { (reader) throws(JSONError) in
        try outer.read(&reader, below: "") { (reader, name) throws(JSONError) in
          guard name == "text_config", try reader.peek() == .object else { return false }
          isNested = true
          try nested.read(&reader, below: "") { (_, _) throws(JSONError) in false }
          return true
        }
      }
    } catch {
      throw .malformedJSON(path: path, error)
    }
    modelType = Self.string(nested.values["model_type"]) ?? Self.string(outer.values["model_type"])
    pointer = isNested ? "/text_config" : ""
    nulls = isNested ? nested.nulls : outer.nulls
    let quantization = outer.values.filter { $0.key.hasPrefix(Self.quantization) }
    members = isNested ? nested.values.merging(quantization) { inner, _ in inner } : outer.values
  }

  private static func string(_ value: Value?) -> String? {
    if case .string(let string)? = value { string } else { nil }
  }

  /// The members of an object and of those nested in it, by their paths as JSON pointers write them (RFC 6901).
  private struct Members {
    var values: [String: Value] = [:]
    var nulls: Set<String> = []

    /// - Parameter consumed: reads a member itself and says so, or leaves it.
    mutating func read(
      _ reader: inout JSONReader, below path: String,
      consumed: (inout JSONReader, String) throws(JSONError) -> Bool
    ) throws(JSONError) {
      var keys = KeySet()
      try reader.readObject { (reader, key) throws(JSONError) in
        try keys.insert(key)
        if try consumed(&reader, key) { return }
        let name = path + key.replacing("~", with: "~0").replacing("/", with: "~1")
        let kind = try reader.peek()
        switch kind {
        case .string: values[name] = .string(try reader.readString())
        case .boolean: values[name] = .boolean(try reader.readBool())
        case .number: values[name] = try number(&reader)
        case .null:
          try reader.readNull()
          nulls.insert(name)
        case .array: values[name] = try array(&reader)
        case .object:
          values[name] = .other(kind)
          try read(&reader, below: name + "/") { (_, _) throws(JSONError) in false }
        }
      }
    }
  }

  /// An array of integers; any other is only skipped.
  private static func array(_ reader: inout JSONReader) throws(JSONError) -> Value {
    var integers: [Int]? = []
    try reader.readArray { (reader, _) throws(JSONError) in
      guard try reader.peek() == .number else {
        integers = nil
        return try reader.skipValue()
      }
      if case .integer(let value) = try number(&reader) { integers?.append(value) } else { integers = nil }
    }
    return integers.map(Value.integers) ?? .other(.array)
  }

  private static func number(_ reader: inout JSONReader) throws(JSONError) -> Value {
    var integer = reader
    if let value = try? integer.readInt() {
      reader = integer
      return .integer(value)
    }
    return .number(try reader.readDouble())
  }

  // MARK: Members

  func has(_ name: String) -> Bool { members[name] != nil }

  /// Whether the member is there and `null`, where that says something else than absence.
  func isNull(_ name: String) -> Bool { nulls.contains(name) }

  func string(_ name: String) throws(CheckpointError) -> String? {
    guard let value = members[name] else { return nil }
    guard case .string(let string) = value else { throw mismatch(name, .string, value) }
    return string
  }

  func boolean(_ name: String) throws(CheckpointError) -> Bool? {
    guard let value = members[name] else { return nil }
    guard case .boolean(let boolean) = value else { throw mismatch(name, .boolean, value) }
    return boolean
  }

  func integers(_ name: String) throws(CheckpointError) -> [Int]? {
    guard let value = members[name] else { return nil }
    guard case .integers(let integers) = value else { throw mismatch(name, .array, value) }
    return integers
  }

  func number(_ name: String) throws(CheckpointError) -> Double? {
    guard let value = members[name] else { return nil }
    switch value {
    case .integer(let integer): return Double(integer)
    case .number(let number): return number
    default: throw mismatch(name, .number, value)
    }
  }

  /// A size or a count; anything that no model could have is refused here, before it is computed with.
  func integer(_ name: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int? {
    guard let value = members[name] else { return nil }
    switch value {
    case .integer(let integer) where range.contains(integer): return integer
    case .integer: throw mismatch(name, .outOfRange(range))
    case .number: throw mismatch(name, .notAnInteger)
    default: throw mismatch(name, .number, value)
    }
  }

  private func mismatch(_ name: String, _ expected: JSONKind, _ found: Value) -> CheckpointError {
    mismatch(name, .kind(expected: expected, found: found.kind))
  }

  private func mismatch(_ name: String, _ mismatch: JSONMismatch) -> CheckpointError {
    .malformedJSON(path: path, .mismatch(pointer: "\(pointer)/\(name)", mismatch))
  }
}

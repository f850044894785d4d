internal import Batching
internal import TensorCoding

/// The `parameters` of a request of the Open Inference Protocol.
struct RequestParameters: Sendable {
  var layer: LayerReference?
  /// Whether outputs come in binary that do not say otherwise.
  var binaryOutput = false
  var priority = Priority.default
  /// What becomes of a row that needs an expert that is not here; nil where the request does not say: it is refused.
  var missing: MissingExperts?
  /// From the first byte of the request on; nil for no deadline.
  var timeout: Nanoseconds?

  /// The longest deadline that a request may set itself: a day.
  private static let timeoutLimitMicroseconds = 86_400_000_000

  /// Reads the object at the cursor.
  ///
  /// What the protocol reserves for others (`headers`, `triton_…`) is passed over; a sequence is refused, since layers
  /// keep no state; and so is an unknown name, which may be a known one mistyped.
  init(reading reader: inout JSONReader) throws(JSONError) {
    var keys = KeySet()
    try reader.readObject { reader, key throws(JSONError) in
      try keys.insert(key)
      switch key {
      case "layer": layer = try LayerReference(reading: &reader)
      case "binary_data_output": binaryOutput = try reader.readBool()
      case "missing": missing = try reader.readWord(MissingExperts.init(rawValue:))
      case "priority": priority = Priority(level: try reader.readInt(in: 0...Priority.lowest.level)) ?? .default
      case "timeout":
        let microseconds = try reader.readInt(in: 0...Self.timeoutLimitMicroseconds)
        timeout = microseconds == 0 ? nil : Nanoseconds(microseconds) * 1000
      case "sequence_id":
        if try reader.peek() == .string {
          guard try reader.readString().isEmpty else { throw .here(.outOfRange(0...0)) }
        } else {
          _ = try reader.readInt(in: 0...0)
        }
      case "sequence_start", "sequence_end":
        guard try !reader.readBool() else { throw .here(.unknownWord("true")) }
      case "headers": try reader.skipValue()
      default:
        guard key.hasPrefix("triton_") else { throw .here(.unknownMember) }
        try reader.skipValue()
      }
    }
  }

  init() {}
}

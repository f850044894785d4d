internal import HTTP1

/// How a body of the binary tensor data extension is divided.
enum InferenceHeader {
  /// JSON up to here, and tensors in binary behind it.
  case json(bytes: Int)
  /// No JSON at all: the body is the one input.
  case raw

  /// By `Inference-Header-Content-Length`, which counts the content as it is without any coding; without it all of the
  /// body is JSON.
  ///
  /// - Throws: `.openInference` for a value outside of the body, or two different ones.
  init(_ fields: Fields, bodyBytes: Int) throws(APIError) {
    let values = fields.all(.inferenceHeaderContentLength)
    guard let text = values.first else {
      self = .json(bytes: bodyBytes)
      return
    }
    guard let length = Self.decimal(text), length <= bodyBytes, values.dropFirst().allSatisfy({ $0 == text }) else {
      throw .openInference(.headerLength(text, bodyBytes: bodyBytes))
    }
    self = length == 0 ? .raw : .json(bytes: length)
  }

  /// Digits and nothing else.
  private static func decimal(_ text: String) -> Int? {
    text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? Int(text) : nil
  }

  /// Bytes of JSON.
  var jsonBytes: Int {
    switch self {
    case .json(let bytes): bytes
    case .raw: 0
    }
  }
}

import TensorCoding

/// Reads a whole text with one call on the reader.
func read<Value>(
  _ text: [UInt8], _ value: (inout JSONReader) throws(JSONError) -> Value
) -> Result<Value, JSONError> {
  do throws(JSONError) { return .success(try JSONReader.read(text, value)) } catch { return .failure(error) }
}

func read<Value>(
  _ text: String, _ value: (inout JSONReader) throws(JSONError) -> Value
) -> Result<Value, JSONError> {
  read(Array(text.utf8), value)
}

func readTensor(_ text: [UInt8], maxElements: Int = 1 << 20) -> Result<WireTensor, JSONError> {
  read(text) { reader throws(JSONError) in try reader.readTensor(limit: TensorLimits(maxElements: maxElements)) }
}

func readTensor(_ text: String, maxElements: Int = 1 << 20) -> Result<WireTensor, JSONError> {
  readTensor(Array(text.utf8), maxElements: maxElements)
}

/// What a text is refused for if all of it is validated and nothing more.
func validate(_ text: [UInt8]) -> JSONError? {
  switch read(text, { reader throws(JSONError) in try reader.skipValue() }) {
  case .success: nil
  case .failure(let error): error
  }
}

extension Result {
  var value: Success? { try? get() }

  var error: Failure? {
    switch self {
    case .success: nil
    case .failure(let error): error
    }
  }
}

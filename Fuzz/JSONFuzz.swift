// Invariant: any bytes are one JSON text, read to its end, or one JSONError whose offset lies in them. What a reader
// that wants a tensor calls malformed is what the validating one calls so, at the same byte; what it takes is finite,
// is what `strtof` reads, does not depend on where the text ends, and comes back bit by bit after it was written in
// each of the three encodings. A string comes back byte by byte.

import Glibc
import TensorCoding

/// libFuzzer's entry: `count` bytes at `start`, which live for this call only.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJSON(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let text = UnsafeBufferPointer(start: start, count: count)
  let flaw = error(of: text) { reader throws(JSONError) in try reader.skipValue() }
  if let flaw { checkSyntax(flaw, in: text) }

  let tensor = tensor(in: text)
  switch tensor {
  case .success(let tensor):
    precondition(flaw == nil, "a tensor in what is no JSON")
    checkTensor(tensor, of: text)
  case .failure(.syntax(let offset, let expected)):
    precondition(flaw == .syntax(offset: offset, expected: expected), "two opinions on one text")
  case .failure(.mismatch(let pointer, _)):
    precondition(flaw == nil, "a mismatch in what is no JSON")
    precondition((pointer.utf8.first ?? UInt8(ascii: "/")) == UInt8(ascii: "/"), "no JSON pointer")
  }
  // Far from the text's end, where words are read, the answer is the same.
  let padded = Array(text) + [UInt8](repeating: UInt8(ascii: "\n"), count: 64)
  let again = padded.withUnsafeBufferPointer { JSONFuzz.tensor(in: $0) }
  if let tensor = try? tensor.get() {
    precondition((try? again.get()).map { bits($0.tensor) } == bits(tensor.tensor), "the end makes a difference")
  } else if case .failure(.syntax) = tensor {
    // The same flaw, or the one that was the text's end.
    guard case .failure(.syntax) = again else { preconditionFailure("white space makes JSON") }
  }
  checkString(in: text)
  return 0
}

private func checkSyntax(_ error: JSONError, in text: UnsafeBufferPointer<UInt8>) {
  guard case .syntax(let offset, _) = error else { preconditionFailure("validating met a mismatch") }
  precondition((0...text.count).contains(offset), "an offset outside the text")
}

private func checkTensor(_ wire: WireTensor, of text: UnsafeBufferPointer<UInt8>) {
  let tensor = wire.tensor
  precondition(tensor.firstNonFinite(as: wire.datatype) == nil, "not finite")
  for encoding in TensorEncoding.allCases {
    var written: [UInt8] = []
    written.appendTensor(tensor, encoding: encoding)
    let back = written.withUnsafeBufferPointer { JSONFuzz.tensor(in: $0) }
    precondition((try? back.get()).map { bits($0.tensor) } == bits(tensor), "another tensor came back")
    precondition((try? back.get())?.tensor.shape == tensor.shape, "another shape came back")
  }
  guard wire.encoding == .nested else { return }
  let numbers = text.split { "[], \t\r\n".utf8.contains($0) }
  precondition(numbers.count == tensor.shape.count, "another number of numbers")
  for (number, float) in zip(numbers, tensor.floats) {
    let expected = strtof(String(decoding: number, as: UTF8.self), nil)
    precondition(float.bitPattern == expected.bitPattern, "another number than strtof's")
  }
}

private func checkString(in text: UnsafeBufferPointer<UInt8>) {
  var string = ""
  let refused = error(of: text) { reader throws(JSONError) in string = try reader.readString() }
  guard refused == nil else { return }
  var written: [UInt8] = []
  written.appendString(string)
  var back = ""
  let flaw = written.withUnsafeBufferPointer {
    error(of: $0) { reader throws(JSONError) in back = try reader.readString() }
  }
  precondition(flaw == nil && Array(back.utf8) == Array(string.utf8), "another string came back")
}

private func tensor(in text: UnsafeBufferPointer<UInt8>) -> Result<WireTensor, JSONError> {
  do throws(JSONError) {
    return .success(
      try JSONReader.read(text) { reader throws(JSONError) in
        try reader.readTensor(limit: TensorLimits(maxElements: 256))
      })
  } catch { return .failure(error) }
}

private func error(
  of text: UnsafeBufferPointer<UInt8>, _ body: (inout JSONReader) throws(JSONError) -> Void
) -> JSONError? {
  do throws(JSONError) {
    try JSONReader.read(text, body)
    return nil
  } catch { return error }
}

private func bits(_ tensor: Tensor) -> [UInt32] { tensor.floats.map(\.bitPattern) }

// Invariant: whatever the bytes of a file are, its header is either refused with a SafetensorsError, or its tensors lie
// within the file, have the sizes of their shapes and types, and cover all that follows the header exactly once.

import Checkpoint

/// What libFuzzer calls for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSafetensors(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let file = Array(UnsafeBufferPointer(start: start, count: count))
  guard let header = try? SafetensorsHeader(parsing: file, fileSize: file.count) else { return 0 }
  var end = header.dataStart
  var names: Set<String> = []
  for tensor in header.tensors {
    precondition(names.insert(tensor.name).inserted, "a name stands twice")
    precondition(tensor.bytes.lowerBound == end, "a hole or an overlap")
    precondition(tensor.bytes.count * 8 == tensor.shape.reduce(tensor.elementType.bits, *), "another size")
    end = tensor.bytes.upperBound
  }
  precondition(end == file.count, "bytes that belong to nothing, or tensors beyond the end")
  return 0
}

// Invariant: whatever the bytes of a file are, its header is either refused with a SafetensorsError, or its tensors lie
// within the file, have the sizes of their shapes and types, and cover all that follows the header exactly once.
//
//   swift build --target Checkpoint --scratch-path .build/fuzz --sanitize=address -Xswiftc -sanitize=fuzzer \
//     -Xswiftc -parse-as-library
//   M=.build/fuzz/debug; swiftc -parse-as-library -sanitize=fuzzer,address -swift-version 6 \
//     -package-name "$(basename "$PWD" | tr A-Z a-z)" -I $M/Modules \
//     -Xcc -fmodule-map-file=$M/CKernels.build/module.modulemap Fuzz/SafetensorsFuzz.swift \
//     $M/{Checkpoint,TensorCoding,FeedForward,CKernels}.build/*.o -o .build/fuzz/safetensors
//   .build/fuzz/safetensors -max_total_time=60 -max_len=2048 Fuzz/Corpus/Safetensors

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

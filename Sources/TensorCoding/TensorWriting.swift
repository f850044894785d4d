/// Tensors into JSON, in the three forms of `TensorEncoding`.
///
/// Unsafe pointers: a tensor's memory is read in slices of its own shape while the tensor is held.
extension [UInt8] {
  /// - Parameter datatype: of the elements in base64, rounded to nearest, ties to even. Nested and flat numbers are
  ///   float32, and the flat form says so.
  package mutating func appendTensor(
    _ tensor: Tensor, encoding: TensorEncoding, datatype: Datatype = .fp32, crew: Crew? = nil
  ) {
    let crew = tensor.shape.count < Crew.leastNumbers ? nil : crew
    switch encoding {
    case .nested:
      let rows = tensor.shape.leading
      if let crew, rows > 1 {
        return append(parts: Crew.parts(of: rows), by: crew) { $1.appendNested(tensor, rows: $0) }
      }
      appendNested(tensor, rows: 0..<rows)
    case .flat:
      appendTensorHead(tensor.shape, .fp32)
      appendLiteral("\"data\":[")
      appendFlat(tensor, crew)
      appendLiteral("]}")
    case .base64:
      appendTensorHead(tensor.shape, datatype)
      appendLiteral("\"base64\":\"")
      appendBase64(tensor.storage.baseAddress, count: tensor.shape.count, as: datatype)
      appendLiteral("\"}")
    }
  }

  /// All elements in one array, rounded to `datatype`.
  package mutating func appendNumbers(_ tensor: Tensor, as datatype: Datatype, crew: Crew? = nil) {
    append(UInt8(ascii: "["))
    if datatype == .fp32 {
      appendFlat(tensor, tensor.shape.count < Crew.leastNumbers ? nil : crew)
    } else {
      let floats = UnsafeBufferPointer(start: tensor.storage.baseAddress, count: tensor.shape.count)
      let slice = 1024
      withUnsafeTemporaryAllocation(of: Float.self, capacity: Swift.min(slice, floats.count)) { rounded in
        for start in stride(from: 0, to: floats.count, by: slice) {
          let part = UnsafeBufferPointer(rebasing: floats[start..<Swift.min(start + slice, floats.count)])
          rounded.baseAddress!.update(from: part.baseAddress!, count: part.count)
          BinaryFloats.round(rounded.baseAddress!, count: part.count, to: datatype)
          if start > 0 { append(UInt8(ascii: ",")) }
          appendFloats(UnsafeBufferPointer(start: rounded.baseAddress, count: part.count))
        }
      }
    }
    append(UInt8(ascii: "]"))
  }

  /// The elements in binary, little-endian, rounded to `datatype`.
  package mutating func appendBinary(_ tensor: Tensor, as datatype: Datatype) {
    let length = tensor.shape.count * datatype.byteCount
    append(addingCapacity: length) { bytes in
      bytes.withUnsafeMutableBufferPointer { buffer, count in
        BinaryFloats.encode(
          tensor.storage.baseAddress, count: tensor.shape.count, as: datatype,
          into: UnsafeMutableRawPointer(buffer.baseAddress! + count))
        count += length
      }
    }
  }

  /// A tensor of whole numbers as INT64, little-endian.
  package mutating func appendBinaryIntegers(_ tensor: Tensor) {
    reserveCapacity(count + 8 * tensor.shape.count)
    for value in tensor.floats {
      Swift.withUnsafeBytes(of: Int64(value).littleEndian) { append(contentsOf: $0) }
    }
  }

  /// `{"shape":[2,3],"datatype":"FP32",`
  private mutating func appendTensorHead(_ shape: Shape, _ datatype: Datatype) {
    appendLiteral("{\"shape\":[")
    for axis in 0..<shape.rank {
      if axis > 0 { append(UInt8(ascii: ",")) }
      appendInteger(shape[axis])
    }
    appendLiteral("],\"datatype\":")
    appendString(datatype.rawValue)
    append(UInt8(ascii: ","))
  }

  /// All elements with commas between them.
  private mutating func appendFlat(_ tensor: Tensor, _ crew: Crew?) {
    @Sendable func floats(_ part: Range<Int>) -> UnsafeBufferPointer<Float> {
      UnsafeBufferPointer(start: tensor.storage.baseAddress + part.lowerBound, count: part.count)
    }
    guard let crew else { return appendFloats(floats(0..<tensor.shape.count)) }
    append(parts: Crew.parts(of: tensor.shape.count), by: crew) { $1.appendFloats(floats($0)) }
  }

  /// Some of the tensor's rows one after another; in front of each as many brackets as there are axes that begin with
  /// it, and behind it as many as end with it.
  private mutating func appendNested(_ tensor: Tensor, rows: Range<Int>) {
    let shape = tensor.shape
    reserveCapacity(count + Swift.max(capacity - count, rows.count * shape.last * 12 + 64))
    for row in rows {
      if row > rows.lowerBound { append(UInt8(ascii: ",")) }
      append(contentsOf: repeatElement(UInt8(ascii: "["), count: 1 + shape.axesAligned(with: row)))
      appendFloats(UnsafeBufferPointer(start: tensor.storage.baseAddress + row * shape.last, count: shape.last))
      append(contentsOf: repeatElement(UInt8(ascii: "]"), count: 1 + shape.axesAligned(with: row + 1)))
    }
  }

  /// Elements in base64, converted in slices whose bytes are a multiple of three.
  private mutating func appendBase64(_ floats: UnsafePointer<Float>, count: Int, as datatype: Datatype) {
    let slice = 3 * 1024
    withUnsafeTemporaryAllocation(byteCount: Swift.min(slice, count) * datatype.byteCount, alignment: 8) { bytes in
      for start in stride(from: 0, to: count, by: slice) {
        let length = Swift.min(slice, count - start)
        BinaryFloats.encode(floats + start, count: length, as: datatype, into: bytes.baseAddress!)
        appendBase64(UnsafeRawBufferPointer(rebasing: bytes[..<(length * datatype.byteCount)]))
      }
    }
  }
}

extension Shape {
  /// How many of the axes outside the rows have a slice that begins with row `row` (and so one that ends before it).
  fileprivate func axesAligned(with row: Int) -> Int {
    var axes = 0
    var rows = 1
    while axes < rank - 1 {
      rows *= self[rank - 2 - axes]
      guard row % rows == 0 else { break }
      axes += 1
    }
    return axes
  }
}

/// How an element is stored outside the process; inside it is always float32.
package enum Datatype: String, Sendable, CaseIterable {
  case fp32 = "FP32"
  case fp16 = "FP16"
  case bf16 = "BF16"

  /// Bytes of one element.
  package var byteCount: Int {
    switch self {
    case .fp32: 4
    case .fp16, .bf16: 2
    }
  }
}

/// A row-major, contiguous float32 tensor.
package struct Tensor: Sendable {
  package let shape: Shape
  /// At least `shape.count` floats.
  package let storage: FloatStorage

  package init(shape: Shape, storage: FloatStorage) {
    precondition(storage.count >= shape.count)
    self.shape = shape
    self.storage = storage
  }

  /// The elements in row-major order, copied: for small tensors and tests.
  ///
  /// Unsafe pointers: `init` has checked that the storage holds `shape.count` floats.
  package var floats: [Float] { Array(UnsafeBufferPointer(start: storage.baseAddress, count: shape.count)) }

  /// The row-major index of the first element that is NaN or infinite once it is rounded to `datatype`.
  ///
  /// A finite float32 can round beyond FP16 (from 65520 on) and beyond BF16 (from 2¹²⁸ − 2¹¹⁹ on).
  package func firstNonFinite(as datatype: Datatype = .fp32) -> Int? {
    BinaryFloats.firstNonFinite(storage.baseAddress, count: shape.count, as: datatype)
  }
}

/// The three forms in which a tensor stands in JSON.
package enum TensorEncoding: String, Sendable, CaseIterable {
  /// Arrays in arrays: `[[0.5, -1.0], [2.0, 3.5]]`.
  case nested
  /// `{"shape": [2, 2], "datatype": "FP32", "data": [0.5, -1.0, 2.0, 3.5]}`.
  case flat
  /// `{"shape": [2, 2], "datatype": "FP32", "base64": "…"}`: little-endian elements, row-major.
  case base64
}

/// A tensor and the form in which it came: the answer comes in the same one unless the request asks for another.
package struct WireTensor: Sendable {
  package let tensor: Tensor
  package let encoding: TensorEncoding
  /// FP32 for a nested array, which has no datatype of its own.
  package let datatype: Datatype

  package init(tensor: Tensor, encoding: TensorEncoding, datatype: Datatype) {
    self.tensor = tensor
    self.encoding = encoding
    self.datatype = datatype
  }
}

/// What a reader accepts of a tensor that somebody else sends.
package struct TensorLimits: Sendable {
  /// Elements of one tensor.
  package var maxElements: Int

  package init(maxElements: Int) {
    self.maxElements = maxElements
  }
}

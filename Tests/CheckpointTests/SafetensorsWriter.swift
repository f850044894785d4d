import Foundation

/// One tensor to be written.
struct TensorFixture {
  var name: String
  var dtype = "F32"
  var shape: [Int]
  var data: [UInt8]

  init(_ name: String, dtype: String = "F32", _ shape: [Int], data: [UInt8]) {
    (self.name, self.dtype, self.shape, self.data) = (name, dtype, shape, data)
  }

  init(_ name: String, _ shape: [Int], floats: [Float]) {
    self.init(name, shape, data: floats.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init) })
  }

  /// A tensor of ones, for tests that look at names and shapes.
  init(_ name: String, _ shape: [Int]) {
    self.init(name, shape, floats: [Float](repeating: 1, count: shape.reduce(1, *)))
  }

  /// The same tensor in another type, rounded towards zero in BF16, which is exact for what the tests compare.
  func stored(as dtype: String) -> TensorFixture {
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: data.count, by: 4) {
      let bits = data[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      let half = dtype == "BF16" ? UInt16(bits >> 16) : Float16(Float(bitPattern: bits)).bitPattern
      bytes += [UInt8(truncatingIfNeeded: half), UInt8(half >> 8)]
    }
    return TensorFixture(name, dtype: dtype, shape, data: bytes)
  }
}

/// Safetensors files, right ones and wrong ones, byte by byte.
enum SafetensorsWriter {
  /// A right file: the tensors in the order given.
  static func file(_ tensors: [TensorFixture], metadata: [String: String] = [:]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.map { "\(quoted($0.key)):\(quoted($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for tensor in tensors {
      members.append(
        """
        \(quoted(tensor.name)):{"dtype":"\(tensor.dtype)","shape":\(tensor.shape),\
        "data_offsets":[\(offset),\(offset + tensor.data.count)]}
        """)
      offset += tensor.data.count
    }
    return file(header: "{\(members.joined(separator: ","))}", data: tensors.flatMap(\.data))
  }

  /// Any header, with its true length, and any data.
  static func file(header: String, data: [UInt8]) -> [UInt8] {
    file(length: UInt64(header.utf8.count), header: header, data: data)
  }

  static func file(length: UInt64, header: String, data: [UInt8]) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8) + data
  }

  private static func quoted(_ text: String) -> String {
    "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }
}

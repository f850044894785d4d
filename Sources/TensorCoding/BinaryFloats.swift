/// Rows of little-endian elements, as base64 and binary bodies hold them, to and from float32.
///
/// Unsafe pointers: bodies are not aligned to their elements, and the loops become vector code only without a bounds
/// check in each turn. Every function touches exactly `count` elements.
package enum BinaryFloats {
  /// - Parameters:
  ///   - bytes: `count · datatype.byteCount` of them, of any alignment.
  ///   - floats: `count`; may be `bytes` itself for FP32, else apart from it.
  package static func decode(
    _ bytes: UnsafeRawPointer, count: Int, as datatype: Datatype, into floats: UnsafeMutablePointer<Float>
  ) {
    switch datatype {
    case .fp32 where 1.littleEndian == 1:
      UnsafeMutableRawPointer(floats).copyMemory(from: bytes, byteCount: 4 * count)
    case .fp32:
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
        floats[index] = Float(bitPattern: UInt32(littleEndian: bits))
      }
    case .fp16:
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
        floats[index] = HalfPrecision.float(float16Bits: UInt16(littleEndian: bits))
      }
    case .bf16:
      for index in 0..<count {
        let bits = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
        floats[index] = HalfPrecision.float(bfloat16Bits: UInt16(littleEndian: bits))
      }
    }
  }

  /// - Parameter bytes: room for `count · datatype.byteCount`, of any alignment, apart from `floats`.
  package static func encode(
    _ floats: UnsafePointer<Float>, count: Int, as datatype: Datatype, into bytes: UnsafeMutableRawPointer
  ) {
    switch datatype {
    case .fp32 where 1.littleEndian == 1:
      bytes.copyMemory(from: floats, byteCount: 4 * count)
    case .fp32:
      for index in 0..<count {
        bytes.storeBytes(of: floats[index].bitPattern.littleEndian, toByteOffset: 4 * index, as: UInt32.self)
      }
    case .fp16:
      for index in 0..<count {
        let bits = HalfPrecision.float16Bits(floats[index])
        bytes.storeBytes(of: bits.littleEndian, toByteOffset: 2 * index, as: UInt16.self)
      }
    case .bf16:
      for index in 0..<count {
        let bits = HalfPrecision.bfloat16Bits(floats[index])
        bytes.storeBytes(of: bits.littleEndian, toByteOffset: 2 * index, as: UInt16.self)
      }
    }
  }

  /// Rounds in place to what `datatype` can hold.
  static func round(_ floats: UnsafeMutablePointer<Float>, count: Int, to datatype: Datatype) {
    for index in 0..<count {
      floats[index] =
        switch datatype {
        case .fp32: floats[index]
        case .fp16: HalfPrecision.float(float16Bits: HalfPrecision.float16Bits(floats[index]))
        case .bf16: HalfPrecision.float(bfloat16Bits: HalfPrecision.bfloat16Bits(floats[index]))
        }
    }
  }

  /// The index of the first element that is NaN or infinite once it is rounded to `datatype`.
  package static func firstNonFinite(_ floats: UnsafePointer<Float>, count: Int, as datatype: Datatype) -> Int? {
    let bound: UInt32 =
      switch datatype {
      case .fp32: 0x7F80_0000
      case .fp16: 0x477F_F000
      case .bf16: 0x7F7F_8000
      }
    // In blocks: the loop over one has no exit and becomes vector code.
    let block = 256
    for start in stride(from: 0, to: count, by: block) {
      let end = min(start + block, count)
      var greatest: UInt32 = 0
      for index in start..<end { greatest = max(greatest, floats[index].bitPattern & 0x7FFF_FFFF) }
      if greatest >= bound {
        return (start..<end).first { floats[$0].bitPattern & 0x7FFF_FFFF >= bound }
      }
    }
    return nil
  }
}

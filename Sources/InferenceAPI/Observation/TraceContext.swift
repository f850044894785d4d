internal import HTTP1

/// A request's place in somebody's trace: W3C Trace Context, level 1 (section 3.2), with level 2's flag.
package struct TraceContext: Sendable, Equatable {
  /// 32 hexadecimal digits in lower case, not all of them 0: the caller's.
  package let traceID: String
  /// 16 such digits: this request's own span.
  package let spanID: String
  /// Sampled (1) and random-trace-id (2); others are not passed on.
  let flags: UInt8

  /// `00-<trace-id>-<span-id>-<flags>`
  var traceparent: String { "00-\(traceID)-\(spanID)-0\(flags)" }

  /// The context of a request that came with the fields `traceparent`: its trace with a span of this request's own, or
  /// a trace that begins here where the field is malformed or there are several. Nil where the request has none.
  init?(traceparent values: [String], id: RequestID) {
    guard !values.isEmpty else { return nil }
    spanID = RequestID.hexadecimal(id.low | 1)
    if values.count == 1, let (trace, flags) = Self.parse(values[0]) {
      (traceID, self.flags) = (trace, flags)
    } else {
      (traceID, flags) = (RequestID.hexadecimal(id.high | 1) + RequestID.hexadecimal(id.low), 0)
    }
  }

  /// `version "-" trace-id "-" parent-id "-" trace-flags`: a later version may have more behind a further "-", version
  /// 00 may not, and ff is none.
  private static func parse(_ value: String) -> (traceID: String, flags: UInt8)? {
    let octets = Array(value.utf8)
    guard octets.count >= 55, [2, 35, 52].allSatisfy({ octets[$0] == UInt8(ascii: "-") }) else { return nil }
    let (version, trace, parent) = (octets[0..<2], octets[3..<35], octets[36..<52])
    guard [version, trace, parent, octets[53..<55]].allSatisfy({ $0.allSatisfy(isLowerHexadecimal) }) else {
      return nil
    }
    if version.elementsEqual("ff".utf8) { return nil }
    if version.elementsEqual("00".utf8) ? octets.count > 55 : octets.count > 55 && octets[55] != UInt8(ascii: "-") {
      return nil
    }
    let zero = UInt8(ascii: "0")
    if trace.allSatisfy({ $0 == zero }) || parent.allSatisfy({ $0 == zero }) { return nil }
    let flags = UInt8(String(decoding: octets[53..<55], as: UTF8.self), radix: 16) ?? 0
    return (String(decoding: trace, as: UTF8.self), flags & 0b11)
  }

  private static func isLowerHexadecimal(_ octet: UInt8) -> Bool {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= octet || UInt8(ascii: "a")...UInt8(ascii: "f") ~= octet
  }
}

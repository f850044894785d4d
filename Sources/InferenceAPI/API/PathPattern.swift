/// A route's path, such as `/v1/models/{model}`: literal segments, and segments that stand for a name.
struct PathPattern: Sendable, Equatable, CustomStringConvertible {
  /// As the route table and openapi.yaml write it; the metric's label.
  let description: String
  private let segments: [Segment]

  private enum Segment: Sendable, Equatable {
    case literal(String)
    case parameter
  }

  /// How a path and a pattern go together.
  enum Match: Equatable {
    /// With the decoded parameters, from left to right.
    case matches(parameters: [String])
    case differs
  }

  init(_ text: String) {
    description = text
    segments = text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { segment in
      segment.hasPrefix("{") ? .parameter : .literal(String(segment))
    }
  }

  /// Whether every segment is a literal.
  var isLiteral: Bool { !segments.contains(.parameter) }

  func match(_ path: RequestPath) -> Match {
    guard path.segments.count == segments.count else { return .differs }
    var parameters: [String] = []
    for (part, segment) in zip(path.segments, segments) {
      guard let part else { return .differs }
      switch segment {
      case .literal(let literal): if part != literal { return .differs }
      case .parameter: parameters.append(part)
      }
    }
    return .matches(parameters: parameters)
  }
}

/// A request's path (as it was sent, without its query), taken apart once for all patterns that it is compared with.
///
/// It is split at its slashes before its percent-encoding is undone (RFC 3986, sections 2.4 and 3.3), so a name may hold
/// an encoded slash and never reaches into another segment. Empty and dot segments are segments like any other: they
/// match no literal, and no path is rewritten.
struct RequestPath {
  /// Nil for a segment whose percent-encoding is broken: it is like no other. Empty where the path is no path.
  let segments: [String?]

  init(_ path: String) {
    let octets = path.utf8
    var segments: [String?] = []
    if octets.first == UInt8(ascii: "/") {
      segments.reserveCapacity(8)
      var start = octets.index(after: octets.startIndex)
      while true {
        let end = octets[start...].firstIndex(of: UInt8(ascii: "/")) ?? octets.endIndex
        segments.append(Self.percentDecoded(octets[start..<end]))
        if end == octets.endIndex { break }
        start = octets.index(after: end)
      }
    }
    self.segments = segments
  }

  /// RFC 3986, section 2.1; nil where a triplet is broken or the octets are not UTF-8.
  private static func percentDecoded(_ part: Substring.UTF8View.SubSequence) -> String? {
    guard part.contains(UInt8(ascii: "%")) else { return String(part) }
    var octets: [UInt8] = []
    var rest = part[...]
    while let octet = rest.popFirst() {
      guard octet == UInt8(ascii: "%") else {
        octets.append(octet)
        continue
      }
      guard let high = rest.popFirst()?.hexDigitValue, let low = rest.popFirst()?.hexDigitValue else { return nil }
      octets.append(high << 4 | low)
    }
    return String(validating: octets, as: UTF8.self)
  }
}

extension UInt8 {
  fileprivate var hexDigitValue: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}

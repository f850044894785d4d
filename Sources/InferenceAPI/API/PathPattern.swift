internal import HTTP1

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

  /// Segments of the paths that it matches.
  var length: Int { segments.count }

  func match(_ path: RequestPath) -> Match {
    guard path.segments.count == segments.count else { return .differs }
    // Most patterns differ in a literal: nothing is collected before all of them are found.
    for (part, segment) in zip(path.segments, segments) {
      guard let part else { return .differs }
      if case .literal(let literal) = segment, part != literal { return .differs }
    }
    return .matches(
      parameters: zip(path.segments, segments).compactMap { part, segment in segment == .parameter ? part : nil })
  }
}

/// A request's path (as it was sent, without its query), taken apart once for all patterns that it is compared with.
///
/// It is split at its slashes before its percent-encoding is undone (RFC 3986, sections 2.4 and 3.3), so a name may
/// hold an encoded slash and never reaches into another segment. Empty and dot segments are segments like any other:
/// they match no literal, and no path is rewritten.
struct RequestPath {
  /// Nil for a segment whose percent-encoding is broken: it is like no other. Empty where the path is no path.
  let segments: [String?]

  init(_ path: String) {
    let octets = path.utf8Span.span
    var segments: [String?] = []
    if !octets.isEmpty, octets[0] == UInt8(ascii: "/") {
      segments.reserveCapacity(8)
      var start = 1
      var isEncoded = false
      for end in 1...octets.count {
        if end < octets.count, octets[end] != UInt8(ascii: "/") {
          if octets[end] == UInt8(ascii: "%") { isEncoded = true }
          continue
        }
        let part = octets.extracting(start..<end)
        segments.append(isEncoded ? Self.percentDecoded(part) : Self.text(of: part))
        (start, isEncoded) = (end + 1, false)
      }
    }
    self.segments = segments
  }

  private static func text(of octets: Span<UInt8>) -> String? {
    guard let text = try? UTF8Span(validating: octets) else { return nil }
    return String(copying: text)
  }

  /// RFC 3986, section 2.1; nil where a triplet is broken or the octets are not UTF-8.
  private static func percentDecoded(_ part: Span<UInt8>) -> String? {
    var octets: [UInt8] = []
    var place = 0
    while place < part.count {
      if part[place] == UInt8(ascii: "%") {
        guard place + 2 < part.count, let high = part[place + 1].hexadecimalDigit,
          let low = part[place + 2].hexadecimalDigit
        else { return nil }
        octets.append(UInt8(high << 4 | low))
        place += 3
      } else {
        octets.append(part[place])
        place += 1
      }
    }
    return text(of: octets.span)
  }
}

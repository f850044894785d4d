/// What a client's `Accept-Encoding` says about the coding of a reply (RFC 9110, 12.5.3).
package enum AcceptEncoding {
  /// The coding in which a reply should come; nil for none.
  ///
  /// The one of the greatest weight, gzip before deflate, where that is above zero and no lower than identity's. gzip's
  /// weight is that of `gzip` or `x-gzip`, else that of `*`, else 0; deflate's is that of `deflate`, else 0; identity's
  /// is that of `identity`, else that of `*`, else unstated, which a coding always wins against: a client that names
  /// one alone wants it. Without the field a client may take anything, but
  /// has asked for nothing, and gets identity; so does one that refuses all three, which the RFC lets an
  /// origin server disregard (12.4.1) in place of a 406.
  ///
  /// An element that breaks the grammar is left out, as if it were not there. Of two weights for one coding the lower
  /// counts: a refusal anywhere is a refusal.
  ///
  /// - Parameter fieldValues: the value of each `Accept-Encoding` field, in order; empty if there is none.
  package static func preferred(_ fieldValues: [String]) -> ContentCoding? {
    var gzip: Weight?
    var deflate: Weight?
    var identity: Weight?
    var anyOther: Weight?
    for value in fieldValues {
      for element in value.utf8.split(separator: UInt8(ascii: ",")) {
        guard let (name, weight) = parse(element) else { continue }
        if let coding = ContentCoding(name: name) {
          switch coding {
          case .gzip: gzip = min(gzip ?? weight, weight)
          case .deflate: deflate = min(deflate ?? weight, weight)
          }
        } else if name.equalsIgnoringCase("identity") {
          identity = min(identity ?? weight, weight)
        } else if name == "*" {
          anyOther = min(anyOther ?? weight, weight)
        }
      }
    }
    let wanted = max(gzip ?? anyOther ?? 0, deflate ?? 0)
    guard wanted > 0, wanted >= identity ?? anyOther ?? 0 else { return nil }
    return (gzip ?? anyOther ?? 0) == wanted ? .gzip : .deflate
  }

  /// A quality value in thousandths, 0 to 1000.
  private typealias Weight = Int

  /// `codings [ OWS ";" OWS "q=" qvalue ]`; nil for anything else.
  private static func parse(_ element: Substring.UTF8View) -> (name: Substring, weight: Weight)? {
    let parts = element.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
    guard let first = parts.first else { return nil }
    let name = Substring(first.trimmingOptionalWhitespace)
    guard !name.isEmpty else { return nil }
    switch parts.count {
    case 1: return (name, 1000)
    case 2:
      let parameter = parts[1].trimmingOptionalWhitespace
      guard Substring(parameter.prefix(2)).equalsIgnoringCase("q=") else { return nil }
      return quality(parameter.dropFirst(2)).map { (name, $0) }
    default: return nil
    }
  }

  /// `( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )` (RFC 9110, 12.4.2).
  private static func quality(_ text: Substring.UTF8View) -> Weight? {
    guard let whole = text.first, whole == UInt8(ascii: "0") || whole == UInt8(ascii: "1") else { return nil }
    var weight = Int(whole - UInt8(ascii: "0")) * 1000
    let rest = text.dropFirst()
    guard let point = rest.first else { return weight }
    let digits = rest.dropFirst()
    guard point == UInt8(ascii: "."), digits.count <= 3 else { return nil }
    var place = 100
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      weight += Int(digit - UInt8(ascii: "0")) * place
      place /= 10
    }
    return weight <= 1000 ? weight : nil
  }
}

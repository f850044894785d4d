/// What a client's `Accept-Encoding` says about a reply in gzip (RFC 9110, 12.5.3).
package enum AcceptEncoding {
  /// Whether a reply may and should be coded in gzip.
  ///
  /// True where gzip has a weight above zero that is no lower than identity's. gzip's weight is that of `gzip` or
  /// `x-gzip`, else that of `*`, else 0; identity's is that of `identity`, else that of `*`, else unstated, which gzip
  /// always wins against: a client that names gzip alone wants it. Without the field a client may take anything, but
  /// has asked for nothing, and gets identity; so does one that refuses identity and gzip both, which the RFC lets an
  /// origin server disregard (12.4.1) in place of a 406.
  ///
  /// An element that breaks the grammar is left out, as if it were not there. Of two weights for one coding the lower
  /// counts: a refusal anywhere is a refusal.
  ///
  /// - Parameter fieldValues: the value of each `Accept-Encoding` field, in order; empty if there is none.
  package static func prefersGzip(_ fieldValues: [String]) -> Bool {
    var gzip: Weight?
    var identity: Weight?
    var anyOther: Weight?
    for value in fieldValues {
      for element in value.utf8.split(separator: UInt8(ascii: ",")) {
        guard let (name, weight) = parse(element) else { continue }
        if ContentCoding(name: name) == .gzip {
          gzip = min(gzip ?? weight, weight)
        } else if name.equalsIgnoringCase("identity") {
          identity = min(identity ?? weight, weight)
        } else if name == "*" {
          anyOther = min(anyOther ?? weight, weight)
        }
      }
    }
    let wanted = gzip ?? anyOther ?? 0
    return wanted > 0 && wanted >= identity ?? anyOther ?? 0
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

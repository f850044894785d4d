/// Media types of requests (RFC 9110, section 8.3.1).
enum MediaType {
  /// Whether a Content-Type is `application/json`, in any case and with any parameters.
  static func isJSON(_ contentType: String?) -> Bool {
    guard let contentType else { return false }
    // As nearly every client writes it.
    if contentType == "application/json" { return true }
    let type = contentType.utf8.prefix { $0 != UInt8(ascii: ";") }
    let padding = type.reversed().prefix { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    return type.dropLast(padding.count).elementsEqual("application/json".utf8) { octet, expected in
      octet == expected || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= octet && octet | 0x20 == expected
    }
  }
}

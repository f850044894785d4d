/// Media types of requests (RFC 9110, section 8.3.1).
enum MediaType {
  /// Whether a Content-Type is `application/json`, in any case and with any parameters.
  static func isJSON(_ contentType: String?) -> Bool {
    guard let type = contentType?.prefix(while: { $0 != ";" }) else { return false }
    return type.reversed().drop { $0 == " " || $0 == "\t" }.reversed()
      .elementsEqual("application/json", by: { $0 == $1 || $0.lowercased() == String($1) })
  }
}

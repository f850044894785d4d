/// The fields of a response in the order in which they are sent.
package struct ResponseFields: Sendable {
  private var fields: [(name: FieldName, value: String)] = []

  package init() {}

  /// Adds a field behind the others.
  package mutating func append(_ name: FieldName, _ value: String) { fields.append((name, value)) }

  /// Makes `value` the only value of `name`.
  package mutating func set(_ name: FieldName, _ value: String) {
    fields.removeAll { $0.name == name }
    append(name, value)
  }

  /// The first value of `name`.
  package func first(_ name: FieldName) -> String? { fields.first { $0.name == name }?.value }
}

extension ResponseFields: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral elements: (FieldName, String)...) {
    fields = elements.map { (name: $0.0, value: $0.1) }
  }
}

extension ResponseFields: RandomAccessCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { fields.count }
  package subscript(index: Int) -> (name: FieldName, value: String) { fields[index] }
}

/// The final answer to one request.
///
/// It says nothing about the connection: `ResponseEncoder` adds the fields that frame it. The answer to HEAD is the one
/// to GET, content included; the encoder keeps the content back (RFC 9110 §9.3.2).
package struct Response: Sendable {
  package var status: Status
  package var fields: ResponseFields
  package var body: [UInt8]

  package init(_ status: Status, _ fields: ResponseFields = [:], body: [UInt8] = []) {
    self.status = status
    self.fields = fields
    self.body = body
  }
}

import TensorCoding

/// Members of the JSON lines that the program's own commands print.
extension JSONWriter {
  mutating func member(_ name: String, _ text: String) {
    member(named: name)
    string(text)
  }

  mutating func member(_ name: String, _ number: Int) {
    member(named: name)
    integer(number)
  }

  mutating func member(_ name: String, _ number: Double) {
    member(named: name)
    float(Float(number))
  }
}

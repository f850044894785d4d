import Dispatch
import TensorCoding
import Testing

/// Bytes, numbers and errors are those of one thread, whoever else helps.
@Suite struct CrewTests {
  private static let crews = [
    Crew { count, body in DispatchQueue.concurrentPerform(iterations: count, execute: body) },
    // One thread, and the last part first.
    Crew { count, body in for part in (0..<count).reversed() { body(part) } },
  ]

  /// Numbers of all lengths, at which rows end anywhere.
  private static func floats(_ count: Int) -> [Float] {
    var random = SplitMix64(seed: UInt64(count))
    return (0..<count).map { index in
      if index % 7 == 0 { return Float(index % 100) }
      return Float(bitPattern: UInt32(random.next() % 0x7F7F_0000) | UInt32(random.next() & 1) << 31)
    }
  }

  /// `[[a,b],[c,d]]`, each row as it is given.
  private static func matrix(_ rows: [String], separator: String = ",") -> String {
    "[" + rows.map { "[\($0)]" }.joined(separator: separator) + "]"
  }

  private static func row(_ floats: ArraySlice<Float>, separator: String = ",") -> String {
    floats.map { "\($0)" }.joined(separator: separator)
  }

  private static func read(
    _ text: String, _ crew: Crew?, maxElements: Int = 1 << 20
  ) -> Result<WireTensor, JSONError> {
    Result { () throws(JSONError) in
      try JSONReader.read(Array(text.utf8), crew: crew) { reader throws(JSONError) in
        try reader.readTensor(limit: TensorLimits(maxElements: maxElements))
      }
    }
  }

  @Test(
    arguments: [(2, 8000), (64, 512), (517, 33), (9000, 1), (3, 4097)],
    [(",", ","), (", ", ",\n "), (" ,  ", " ,\t")])
  func matricesAreRead(_ size: (rows: Int, columns: Int), _ separators: (String, String)) throws {
    let floats = Self.floats(size.rows * size.columns)
    let rows = (0..<size.rows).map { row in
      Self.row(floats[row * size.columns..<(row + 1) * size.columns], separator: separators.0)
    }
    for crew in Self.crews {
      let tensor = try Self.read(Self.matrix(rows, separator: separators.1), crew).get().tensor
      #expect(tensor.shape == Shape(rows: size.rows, columns: size.columns))
      #expect(tensor.floats.map(\.bitPattern) == floats.map(\.bitPattern))
    }
  }

  /// What is wrong with a long text, or only of another shape, is said as it is for a short one.
  @Test(arguments: [
    // A row that is shorter, longer, empty; a number that is none, or not finite; something else in its place.
    ("1,2", "/1", true), ("1,2,3,4", "/1", true), ("", "/1", true), ("1,02,3", "", false), ("1,2e99,3", "/1/1", true),
    ("1,\"a\",3", "/1/1", true), ("1,[2],3", "/1/1", true), ("1,2,3]", "", false), ("1,2,,3", "", false),
    ("1,2 3", "", false), ("1,2,\"]\"", "/1/2", true),
  ])
  func mistakesAreNamed(_ wrong: String, _ pointer: String, _ isMismatch: Bool) {
    let good = Array(repeating: "1.25,2.5,3.125", count: 4000)
    for place in [1, 2500] {
      var rows = good
      rows[place] = wrong
      let text = Self.matrix(rows)
      let alone = Self.read(text, nil).error
      #expect(alone != nil)
      if case .mismatch(let found, _)? = alone, isMismatch {
        #expect("\(found)" == pointer.replacing("/1", with: "/\(place)", maxReplacements: 1))
      } else {
        #expect(!isMismatch)
      }
      for crew in Self.crews { #expect(Self.read(text, crew).error == alone) }
    }
  }

  @Test func otherShapesAreReadToo() throws {
    let numbers = Self.row(Self.floats(9000)[...])
    for crew in Self.crews {
      for (text, dims) in [
        ("[\(numbers)]", [9000]), ("[[\(numbers)]]", [1, 9000]), ("[[[\(numbers)],[\(numbers)]]]", [1, 2, 9000]),
      ] {
        #expect(try Self.read(text, crew).get().tensor.shape == Shape(dims))
      }
      let cut = "[[\(numbers)],[\(numbers)]"
      #expect(Self.read(cut, crew).error == Self.read(cut, nil).error)
      let two = "[[\(numbers)],[\(numbers)]]"
      for limit in [8999, 17_999, 18_000] {
        #expect(Self.read(two, crew, maxElements: limit).error == Self.read(two, nil, maxElements: limit).error)
      }
    }
  }

  @Test(arguments: [[8192], [64, 512], [2, 4096], [5000, 1], [3, 7, 401], [1, 9000]])
  func textsAreTheSame(_ dims: [Int]) {
    let tensor = Tensor(shape: Shape(dims)!, storage: FloatStorage(Self.floats(dims.reduce(1, *))))
    for encoding in TensorEncoding.allCases {
      var alone = Array("x".utf8)
      alone.appendTensor(tensor, encoding: encoding)
      for crew in Self.crews {
        var together = Array("x".utf8)
        together.appendTensor(tensor, encoding: encoding, crew: crew)
        #expect(together == alone)
      }
    }
    for datatype in Datatype.allCases {
      var alone: [UInt8] = []
      alone.appendNumbers(tensor, as: datatype)
      for crew in Self.crews {
        var together: [UInt8] = []
        together.appendNumbers(tensor, as: datatype, crew: crew)
        #expect(together == alone)
      }
    }
  }
}

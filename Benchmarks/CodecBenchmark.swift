import ArgumentParser
import Glibc
import TensorCoding

/// Nanoseconds a number, each way and in each form in which activations come.
///
/// `Benchmarks/peers/codec.sh` runs it in turns with the peers on the same bytes (`--data`, `--lines`).
struct CodecBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "codec", abstract: "Nanoseconds a number, scanned and printed.")

  @Option(help: "Rows of the tensor.")
  var rows = 256

  @Option(help: "Numbers in a row.")
  var columns = 512

  @Option(help: "Repetitions; the median counts.")
  var repetitions = 31

  @Option(help: ArgumentHelp("Also write the texts into this directory, for the peers.", valueName: "directory"))
  var data: String?

  @Flag(help: "Print 'name nanoseconds' lines instead of a table.")
  var lines = false

  func run() throws {
    let tensor = normalTensor()
    let texts = [
      Text(name: "9 digits", separator: ", ", tensor) { formatted($0, digits: 9) },
      Text(name: "17 digits", separator: ", ", tensor) { Double($0).description },
      Text(name: "shortest", separator: ",", tensor) { $0.description },
    ]
    if let data { for text in texts { try text.write(into: data) } }

    var results: [(name: String, nanoseconds: Double)] = []
    func measure(_ name: String, _ body: () throws -> Int) rethrows {
      results.append((name, try median(of: repetitions, numbers: tensor.shape.count, body)))
    }
    let limits = TensorLimits(maxElements: tensor.shape.count)
    for text in texts {
      try measure("scan \(text.name)") {
        try JSONReader.read(text.bytes) { reader throws(JSONError) in try reader.readTensor(limit: limits) }
          .tensor.shape.count
      }
    }
    var reply: [UInt8] = []
    reply.reserveCapacity(tensor.shape.count * 20)
    func print(_ name: String, _ encoding: TensorEncoding, _ datatype: Datatype = .fp32) {
      measure("print \(name)") {
        reply.removeAll(keepingCapacity: true)
        reply.appendTensor(tensor, encoding: encoding, datatype: datatype)
        return reply.count
      }
    }
    print("nested", .nested)
    print("flat", .flat)
    for datatype in Datatype.allCases {
      print("base64 \(datatype.rawValue)", .base64, datatype)
      try measure("scan base64 \(datatype.rawValue)") {
        try JSONReader.read(reply) { reader throws(JSONError) in try reader.readTensor(limit: limits) }
          .tensor.shape.count
      }
    }
    let strings = tensor.floats.map { formatted($0, digits: 9) }
    measure("strtof, 9 digits") { strings.reduce(0) { $0 &+ Int(strtof($1, nil).bitPattern & 1) } }
    measure("Float(String), 9 digits") { strings.reduce(0) { $0 &+ Int((Float($1) ?? 0).bitPattern & 1) } }
    measure("Float.description") { tensor.floats.reduce(0) { $0 &+ $1.description.utf8.count } }
    report(results)
  }

  /// What a layer's input looks like: normal around 0, the same numbers on every machine.
  private func normalTensor() -> Tensor {
    var state: UInt64 = 0x5EED
    func uniform() -> Double {
      state &+= 0x9E37_79B9_7F4A_7C15
      var bits = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
      bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
      return (Double((bits ^ bits >> 31) >> 11) + 0.5) / Double(1 << 53)
    }
    let storage = FloatStorage(
      (0..<rows * columns).map { _ in Float(sqrt(-2 * log(uniform())) * cos(2 * .pi * uniform())) })
    return Tensor(shape: Shape(rows: rows, columns: columns), storage: storage)
  }

  private func report(_ results: [(name: String, nanoseconds: Double)]) {
    let width = results.map(\.name.count).max() ?? 0
    if !lines {
      print("\(rows) × \(columns) normal floats, median of \(repetitions)")
      print("", String(repeating: " ", count: width - 1), "ns a number")
    }
    for (name, nanoseconds) in results {
      let figure = formatted(Float(nanoseconds), digits: 3)
      print(
        lines ? "\(name)\t\(figure)" : name + String(repeating: " ", count: width - name.count) + "  " + figure)
    }
  }
}

/// One nested tensor as a client would write it.
private struct Text {
  let name: String
  let bytes: [UInt8]

  init(name: String, separator: String, _ tensor: Tensor, number: (Float) -> String) {
    self.name = name
    let columns = tensor.shape.last
    let floats = tensor.floats
    let rows = stride(from: 0, to: floats.count, by: columns).map { row in
      "[" + floats[row..<row + columns].map(number).joined(separator: separator) + "]"
    }
    bytes = Array(("[" + rows.joined(separator: separator) + "]").utf8)
  }

  func write(into directory: String) throws {
    let path = "\(directory)/\(name).json"
    guard let file = fopen(path, "w") else { throw ValidationError("\(path): \(String(cString: strerror(errno)))") }
    defer { fclose(file) }
    guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw ValidationError("\(path): not written") }
  }
}

/// C's `%.*g`.
private func formatted(_ value: Float, digits: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
    _ = withVaList([digits, Double(value)]) { vsnprintf(buffer.baseAddress!, buffer.count, "%.*g", $0) }
    return String(cString: buffer.baseAddress!)
  }
}

/// The median time of `body` over `repetitions`, in nanoseconds of this thread's processor time for each of `numbers`:
/// what other programs do on the machine meanwhile counts as little as can be.
private func median(of repetitions: Int, numbers: Int, _ body: () throws -> Int) rethrows -> Double {
  func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
  }
  var sink = 0
  var times: [Double] = []
  for _ in 0..<max(repetitions, 1) {
    let start = now()
    sink &+= try body()
    times.append(now() - start)
  }
  withExtendedLifetime(sink) {}
  times.sort()
  return times[times.count / 2] / Double(numbers)
}

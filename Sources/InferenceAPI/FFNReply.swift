internal import Batching
internal import FeedForward
internal import HTTP1
internal import TensorCoding

/// The answer of `POST /v1/ffn`, before it is printed.
struct FFNReply: Sendable {
  let request: FFNRequest
  let subject: FFNSubject
  let result: ForwardResult

  /// Numbers to print.
  var elements: Int { result.activations.reduce(result.output.shape.count) { $0 + $1.tensor.shape.count } }

  /// What base64 elements are rounded to: the input's datatype. Numbers in JSON are float32.
  private var datatype: Datatype { request.encoding == .base64 ? request.input.datatype : .fp32 }

  /// Looks for a number that JSON, or the reply's datatype, cannot hold: first in the output, then in the activations.
  ///
  /// - Throws: `.nonFinite` with the index of the first one.
  func checkFinite() throws(APIError) {
    try check(result.output, named: "output")
    for (name, tensor) in result.activations { try check(tensor, named: name.rawValue) }
  }

  private func check(_ tensor: Tensor, named name: String) throws(APIError) {
    if let place = tensor.firstNonFinite(as: datatype) {
      throw .nonFinite(tensor: name, index: tensor.shape.index(of: place))
    }
  }

  /// Prints the reply and completes its timing; the timing is printed last, so that it knows how long the rest took.
  ///
  /// - Parameter timing: all but `encode` and `total`.
  func response(_ timing: RequestTiming, receivedAt: Nanoseconds) -> (Response, RequestTiming) {
    let started = MonotonicClock.now()
    var timing = timing
    var writer = JSONWriter(reserving: likelyBytes)
    writer.object { writer in
      if let id = request.id { writer.string(id, as: "id") }
      if let label = subject.label {
        writer.string(label.model, as: "model")
        writer.string(label.layer, as: "layer")
      }
      writer.string(subject.gate.wireName, as: "variant")
      writer.member("output")
      writer.tensor(result.output, encoding: request.encoding, datatype: datatype)
      if !request.activations.isEmpty {
        writer.member("activations")
        writer.object { writer in
          for (name, tensor) in result.activations {
            writer.member(name.rawValue)
            if name == .expertIndices {
              writer.integers(tensor)
            } else {
              writer.tensor(tensor, encoding: request.encoding, datatype: datatype)
            }
          }
        }
      }
      let now = MonotonicClock.now()
      timing.encode = now - started
      timing.total = now - receivedAt
      writer.member("timing")
      writer.timing(timing)
    }
    var response = Response.json(writer)
    response.fields.append(.serverTiming, timing.serverTiming)
    return (response, timing)
  }

  /// A guess at the reply's length: a number has nine digits, a sign, a point and a comma, and an exponent where it is
  /// rare.
  var likelyBytes: Int { 512 + elements * (request.encoding == .base64 ? 6 : 12) }
}

extension JSONWriter {
  /// Prints a tensor of whole numbers as nested arrays of integers, whatever the form of those beside it: no datatype of
  /// theirs holds every index.
  mutating func integers(_ tensor: Tensor) {
    let floats = tensor.floats
    nest(floats[...], tensor.shape.dims[...])
  }

  private mutating func nest(_ values: ArraySlice<Float>, _ dims: ArraySlice<Int>) {
    guard let size = dims.first else { return integer(Int(values[values.startIndex])) }
    let step = values.count / size
    array { writer in
      for start in stride(from: values.startIndex, to: values.endIndex, by: step) {
        writer.nest(values[start..<start + step], dims.dropFirst())
      }
    }
  }
}

extension Shape {
  /// The index in each dimension of the row-major element `place`.
  fileprivate func index(of place: Int) -> [Int] {
    var rest = place
    var index: [Int] = []
    for size in dims.reversed() {
      index.append(rest % size)
      rest /= size
    }
    return index.reversed()
  }
}
